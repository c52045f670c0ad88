/** One provider with endpoints and offerings, and keys of its own: what the API is asked for and what is followed. */

import type { Services } from "../src/services";
import { createCertificateAuthority } from "../src/upstreams/certificates";
import { viewerOf } from "./market";

export interface Supply {
  readonly providerId: string;
  readonly endpointIds: readonly string[];
  /** All of the provider. */
  readonly keys: readonly string[];
}

export interface SupplyWanted {
  readonly endpoints: number;
  /** At each endpoint. */
  readonly offerings: number;
  readonly keys: number;
}

const PLACE = { accelerator: "H100", region: "eu-central", zone: "eu-central-a" };

export async function openSupply(services: Services, wanted: SupplyWanted): Promise<Supply> {
  const { accounts, catalog } = services;
  const operator = await viewerOf(services, (await accounts.bootstrapOperator("Bench operator")).secret);
  const provider = await accounts.createOrganisation(operator, { kind: "PROVIDER", name: "Bench provider" });
  const { certPem: caPem } = await createCertificateAuthority("Bench provider");
  const endpointIds: string[] = [];
  for (let n = 0; n < wanted.endpoints; n++) {
    const endpoint = await catalog.registerEndpoint(operator, {
      ...PLACE,
      providerId: provider.id,
      name: `bench ${n}`,
      kind: "INFERENCE",
      tenancy: "SHARED",
      baseUrl: `https://gpu-${n}.provider.example/v1`,
      caPem,
      gpuCount: 8,
      slots: 64,
      slaTier: "STANDARD",
    });
    endpointIds.push(endpoint.id);
    for (let m = 0; m < wanted.offerings; m++) {
      await catalog.publishOffering(operator, {
        endpointId: endpoint.id,
        model: `llama-3.1-8b-${m}`,
        upstreamModel: "Llama-3.1-8B-Instruct",
        architecture: "dense transformer, 8B",
        contextLength: 131_072,
        maxOutputTokens: 8_192,
        prefillTokensPerGpuSecond: 12_000,
        decodeTokensPerGpuSecond: 1_500,
      });
    }
  }
  const keys: string[] = [];
  for (let n = 0; n < wanted.keys; n++) {
    const input = { organisationId: provider.id, name: `bench ${n}`, scopes: ["READ"] as const };
    keys.push((await accounts.createApiKey(operator, input)).secret);
  }
  return { providerId: provider.id, endpointIds, keys };
}
