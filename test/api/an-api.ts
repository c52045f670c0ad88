/** A real API server on a database of its own, and parties who know it by its URL and their keys. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openManifest } from "../../bin/manifest";
import {
  ApiKeyCreateDocument,
  type ApiKeyScope,
  EndpointRegisterDocument,
  FacilityOpenDocument,
  OrganisationCreateDocument,
  type OrganisationKind,
} from "../../codegen/generated/graphql";
import { resolverClasses } from "../../resolvers";
import { decodeId } from "../../schema/node";
import { type ApiServer, createApiServer } from "../../src/api/server";
import { MemoryBus } from "../../src/events/event-bus";
import { systemClock } from "../../src/platform/clock";
import { readConfig } from "../../src/platform/config";
import { type Database, openDatabase } from "../../src/platform/database";
import { listen } from "../../src/platform/http-server";
import { createLog } from "../../src/platform/log";
import { createMetrics } from "../../src/platform/metrics";
import { openSecrets } from "../../src/platform/secrets";
import { OffsetClock } from "../../src/platform/test-clock";
import { operations } from "../../src/relay/operations/operations";
import { createServices, type Services } from "../../src/services";
import { openRelayIdentity, type RelayIdentity } from "../../src/upstreams/identity";
import { subscriptionClasses } from "../../subscriptions";
import { anEndpoint } from "../catalog/an-endpoint";
import { type ApiClient, apiClient } from "../support/api-client";
import { createTestDatabase } from "../support/template-database";

export interface Party extends ApiClient {
  /** The organisation's global id, and the row's. */
  readonly id: string;
  readonly uuid: string;
  readonly secret: string;
}

export interface TestApi {
  readonly url: string;
  readonly api: ApiServer;
  readonly services: Services;
  readonly bus: MemoryBus;
  readonly db: Database;
  /** Signs relay tokens. */
  readonly identity: RelayIdentity;
  readonly operator: Party;
  /** What the server logged, a line each. */
  readonly logged: string[];
  /** A new organisation with a key of its own. */
  a(kind: OrganisationKind, name?: string, scopes?: ApiKeyScope[]): Promise<Party>;
  close(): Promise<void>;
}

export async function openApi(environment: Record<string, string> = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const db = await openDatabase({ url: database.url });
  const home = await mkdtemp(join(tmpdir(), "exergy-api-"));
  const logged: string[] = [];
  const log = createLog({ level: "info", write: (line) => void logged.push(line) });
  const bus = new MemoryBus((err) => log.error({ err }, "a listener failed"));
  const config = readConfig({ DRAIN_GRACE_MS: "1000", ...environment });
  const testClock = config.testClock ? new OffsetClock() : null;
  const identity = await openRelayIdentity(await openSecrets(home), Date.now());
  const services = createServices(
    {
      config,
      db,
      clock: testClock ?? systemClock,
      testClock,
      log,
      identity,
      pepper: Buffer.from("a pepper for tests"),
      sealingKey: randomBytes(32),
      answerKey: randomBytes(32),
      publicUrl: "http://localhost",
      egress: { allowLoopback: true, ownHosts: [] },
      operations,
    },
    bus,
  );
  const api = await createApiServer({
    config,
    services,
    log,
    metrics: createMetrics(),
    resolvers: [...resolverClasses, ...subscriptionClasses],
    documents: { "/.well-known/jwks.json": { contentType: "application/json", body: JSON.stringify(identity.jwks) } },
    manifest: openManifest(),
  });
  const url = `http://127.0.0.1:${await listen(api.server, 0, "127.0.0.1")}`;
  const { organisation, secret } = await services.accounts.bootstrapOperator("Operator");
  const operator = party(url, Buffer.from(`Operator:${organisation.id}`).toString("base64url"), secret);
  return {
    url,
    api,
    services,
    bus,
    db,
    identity,
    operator,
    logged,
    a: (kind, name = `A ${kind}`, scopes = ["READ", "WRITE", "ADMIN"]) =>
      newParty(url, operator, { kind, name, scopes }),
    close: async () => {
      await api.stop();
      await services.upstreams.close();
      await db.close();
      await database.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function party(url: string, id: string, secret: string): Party {
  return { ...apiClient(url, secret), id, uuid: uuidOf(id), secret };
}

async function newParty(
  url: string,
  operator: ApiClient,
  { kind, name, scopes }: { kind: OrganisationKind; name: string; scopes: ApiKeyScope[] },
): Promise<Party> {
  const { organisationCreate } = await operator.read(OrganisationCreateDocument, { input: { kind, name } });
  const id = organisationCreate.organisation!.id;
  const { apiKeyCreate } = await operator.read(ApiKeyCreateDocument, {
    input: { organisationId: id, name: "test", scopes },
  });
  return party(url, id, apiKeyCreate.secret!);
}

/** The row's id behind a global id. */
export const uuidOf = (id: string): string => decodeId(id)!.key;

/** A registered endpoint of this provider, by its global id. */
export async function registered(provider: Party, name: string): Promise<string> {
  const input = { ...(await anEndpoint({ name })), providerId: null };
  const { endpointRegister } = await provider.read(EndpointRegisterDocument, { input });
  if (!endpointRegister.endpoint) throw new Error(JSON.stringify(endpointRegister.userErrors));
  return endpointRegister.endpoint.id;
}

/** A facility of this capital partner, by its global id. */
export async function opened(partner: Party, limit: string): Promise<string> {
  const { facilityOpen } = await partner.read(FacilityOpenDocument, {
    input: { name: "Seed", limit, multiplier: "1.35" },
  });
  if (!facilityOpen.facility) throw new Error(JSON.stringify(facilityOpen.userErrors));
  return facilityOpen.facility.id;
}
