/** Inputs of endpoints and offerings that pass every check, each endpoint at a URL of its own. */
import type { NewEndpoint, NewOffering } from "../../src/catalog/catalog";
import { createCertificateAuthority } from "../../src/upstreams/certificates";

let authority: Promise<string> | undefined;
let endpoints = 0;

export async function anEndpoint(changes: Partial<NewEndpoint> = {}): Promise<NewEndpoint> {
  authority ??= createCertificateAuthority("Test provider").then(({ certPem }) => certPem);
  endpoints += 1;
  return {
    name: "North one",
    kind: "INFERENCE",
    tenancy: "SHARED",
    baseUrl: `https://gpu-${endpoints}.provider.example/v1`,
    caPem: await authority,
    accelerator: "H100",
    region: "eu-north",
    zone: "eu-north-a",
    gpuCount: 8,
    slots: 32,
    slaTier: "STANDARD",
    ...changes,
  };
}

export function anOffering(endpointId: string, changes: Partial<NewOffering> = {}): NewOffering {
  return {
    endpointId,
    model: "llama-3.1-8b",
    upstreamModel: "Llama-3.1-8B-Instruct",
    architecture: "dense transformer, 8B",
    contextLength: 131_072,
    maxOutputTokens: 8_192,
    prefillTokensPerGpuSecond: 12_000,
    decodeTokensPerGpuSecond: 1_500,
    ...changes,
  };
}
