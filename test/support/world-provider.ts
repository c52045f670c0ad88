/** One provider of a relay world: its own CA, a server with canaries in every name, and a live offering through the doors. */
import {
  type ReferenceProvider,
  type ReferenceProviderOptions,
  startReferenceProvider,
} from "../../examples/reference-provider/server";
import type { Viewer } from "../../src/accounts/viewer";
import type { Services } from "../../src/services";
import { createCertificateAuthority, type Identity, issueServerCertificate } from "../../src/upstreams/certificates";
import type { RelayIdentity } from "../../src/upstreams/identity";
import { type ScriptedProvider, startScriptedProvider } from "./scripted-provider";

export const MODEL = "acme/chat-8b";

export interface ProviderSpec {
  model?: string;
  /** It trains, when told to: nothing moves before `work` is called. */
  kind?: "INFERENCE" | "TRAINING";
  gpuCount?: number;
  accelerator?: string;
  region?: string;
  slots?: number;
  contextLength?: number;
  maxOutputTokens?: number;
  /** Left out: as fast as possible. */
  tokensPerSecond?: number;
  /** GPUs of its BASELINE window; 0: it opens none. */
  listedGpus?: number;
  verifyTokens?: boolean;
  /** A bare TLS server that a test writes the answers of. */
  scripted?: boolean;
}

export interface WorldProvider {
  readonly organisationId: string;
  readonly viewer: Viewer;
  readonly endpointId: string;
  readonly offeringId: string;
  readonly model: string;
  readonly place: { accelerator: string; region: string; zone: string };
  readonly port: number;
  /** Set unless it is scripted. */
  readonly reference: ReferenceProvider;
  /** Set if it is scripted. */
  readonly scripted: ScriptedProvider;
  /** Texts by which a startup would know who it is. */
  readonly canaries: readonly string[];
  close(): Promise<void>;
}

export interface ProviderSurroundings {
  readonly services: Services;
  readonly operator: Viewer;
  readonly identity: RelayIdentity;
  readonly issuer: string;
  organisation(name: string): Promise<Viewer>;
}

export async function openProvider(
  around: ProviderSurroundings,
  index: number,
  spec: ProviderSpec,
): Promise<WorldProvider> {
  const name = {
    organisation: `Canaryorg${index}`,
    upstream: `canary-upstream-${index}/Weights`,
    ca: `canary-ca-${index}`,
    host: `canary-host-${index}.example`,
  };
  const viewer = await around.organisation(name.organisation);
  const ca = await createCertificateAuthority(name.ca);
  const tls = await issueServerCertificate(ca, { dnsNames: [name.host], ipAddresses: ["127.0.0.1"] });
  const { clientCaPem } = around.identity;
  const scripted = spec.scripted ? await startScriptedProvider({ tls, clientCaPem }) : undefined;
  const reference = spec.scripted ? undefined : await startReference(around, tls, name.upstream, spec);
  const { url, port } = (scripted ?? reference)!;
  const place = { accelerator: spec.accelerator ?? "H100", region: spec.region ?? "eu-north", zone: "a" };
  const onboarded = await onboard(around, viewer, {
    baseUrl: url,
    caPem: ca.certPem,
    place,
    upstreamModel: name.upstream,
    spec,
  });
  reference?.setAudience(onboarded.endpointId);
  return {
    organisationId: viewer.organisationId,
    viewer,
    ...onboarded,
    model: spec.model ?? MODEL,
    place,
    port,
    reference: reference as ReferenceProvider,
    scripted: scripted as ScriptedProvider,
    canaries: [...Object.values(name), `127.0.0.1:${port}`, `:${port}`, onboarded.endpointId, viewer.organisationId],
    close: () => (scripted ?? reference)!.close(),
  };
}

function startReference(
  { identity, issuer }: ProviderSurroundings,
  tls: Identity,
  model: string,
  spec: ProviderSpec,
): Promise<ReferenceProvider> {
  const { tokensPerSecond, contextLength = 8_192, verifyTokens = true } = spec;
  return startReferenceProvider({
    tls,
    clientCaPem: identity.clientCaPem,
    issuer,
    jwks: identity.jwks as NonNullable<ReferenceProviderOptions["jwks"]>,
    models: [{ id: model, contextLength, decodeTokensPerSecond: tokensPerSecond ?? 1e6, timeToFirstTokenMs: 0 }],
    pace: tokensPerSecond !== undefined,
    ...(spec.kind === "TRAINING" ? { training: { unitMs: null } } : {}),
    verifyTokens,
  });
}

async function onboard(
  { services, operator }: ProviderSurroundings,
  viewer: Viewer,
  its: { baseUrl: string; caPem: string; place: WorldProvider["place"]; upstreamModel: string; spec: ProviderSpec },
): Promise<{ endpointId: string; offeringId: string }> {
  const { catalog, capacity } = services;
  const { model = MODEL, contextLength = 8_192, maxOutputTokens = 4_096, slots = 512, listedGpus = 8 } = its.spec;
  const endpoint = await catalog.registerEndpoint(viewer, {
    name: "endpoint",
    kind: its.spec.kind ?? "INFERENCE",
    tenancy: "SHARED",
    baseUrl: its.baseUrl,
    caPem: its.caPem,
    ...its.place,
    gpuCount: its.spec.gpuCount ?? 8,
    slots,
    slaTier: "STANDARD",
  });
  await catalog.moveEndpoint(operator, endpoint.id, "LIVE");
  const offering = await catalog.publishOffering(viewer, {
    endpointId: endpoint.id,
    model,
    upstreamModel: its.upstreamModel,
    architecture: "chat",
    contextLength,
    maxOutputTokens,
    prefillTokensPerGpuSecond: 20_000,
    decodeTokensPerGpuSecond: 2_000,
  });
  await catalog.moveOffering(operator, offering.id, "LIVE");
  if (listedGpus > 0) {
    const startsAt = new Date(Date.now() - 60_000);
    await capacity.openWindow(viewer, { ...its.place, kind: "BASELINE", gpuCount: listedGpus, startsAt });
  }
  return { endpointId: endpoint.id, offeringId: offering.id };
}
