/** The GraphQL API over a relay world: what was relayed, as its parties see it. */
import { openManifest } from "../../bin/manifest";
import { resolverClasses } from "../../resolvers";
import { createApiServer } from "../../src/api/server";
import { readConfig } from "../../src/platform/config";
import { listen } from "../../src/platform/http-server";
import { createLog } from "../../src/platform/log";
import { createMetrics } from "../../src/platform/metrics";
import { subscriptionClasses } from "../../subscriptions";
import { type ApiClient, apiClient } from "./api-client";
import type { RelayWorld } from "./relay-world";

export interface WorldApi {
  readonly url: string;
  /** Somebody with a new key of this organisation. */
  as(organisationId: string): Promise<ApiClient>;
  stop(): Promise<void>;
}

export async function openApiOver(world: RelayWorld): Promise<WorldApi> {
  const { services, identity } = world;
  const api = await createApiServer({
    config: readConfig({}),
    services,
    log: createLog({ level: "silent" }),
    metrics: createMetrics(),
    resolvers: [...resolverClasses, ...subscriptionClasses],
    documents: { "/.well-known/jwks.json": { contentType: "application/json", body: JSON.stringify(identity.jwks) } },
    manifest: openManifest(),
  });
  const url = `http://127.0.0.1:${await listen(api.server, 0, "127.0.0.1")}`;
  return {
    url,
    async as(organisationId) {
      const key = { organisationId, name: "api", scopes: ["READ"] as const };
      return apiClient(url, (await services.accounts.createApiKey(world.operator, key)).secret);
    },
    stop: () => api.stop(),
  };
}
