/** A whole marketplace as its processes run it, over one database and without Redis, with a provider and parties of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Exergy, startExergy } from "../../bin/exergy";
import type { ApiKeyScope, OrganisationKind } from "../../schema/enums";
import type { Viewer } from "../../src/accounts/viewer";
import { readConfig } from "../../src/platform/config";
import { createLog } from "../../src/platform/log";
import { createTestDatabase } from "../support/template-database";
import { openProvider, type ProviderSpec, type WorldProvider } from "../support/world-provider";

export interface Party {
  readonly viewer: Viewer;
  readonly id: string;
  readonly secret: string;
}

export interface RunningProcess extends Exergy {
  stop(): Promise<void>;
}

export interface TestSystem {
  readonly databaseUrl: string;
  /** Lines of level warn and above. */
  readonly logged: string[];
  start(environment: Record<string, string>): Promise<RunningProcess>;
  operator(by: Exergy): Promise<Party>;
  party(by: Exergy, operator: Party, kind: OrganisationKind, scopes?: readonly ApiKeyScope[]): Promise<Party>;
  provider(by: Exergy, operator: Party, spec?: ProviderSpec): Promise<WorldProvider>;
  stop(): Promise<void>;
}

export async function openSystem(): Promise<TestSystem> {
  const database = await createTestDatabase();
  const home = await mkdtemp(join(tmpdir(), "exergy-system-"));
  const logged: string[] = [];
  const log = createLog({ level: "warn", write: (line) => void logged.push(line) });
  const closings: (() => Promise<void>)[] = [];

  const start = async (environment: Record<string, string>): Promise<RunningProcess> => {
    const steps: (() => Promise<void> | void)[] = [];
    const stop = async () => {
      for (const step of steps.splice(0).reverse()) await step();
    };
    closings.push(stop);
    const config = readConfig({
      PORT: "0",
      RELAY_PORT: "0",
      DATABASE_URL: database.url,
      DATA_DIR: home,
      ALLOW_LOOPBACK_UPSTREAMS: "true",
      UPSTREAM_CONNECT_TIMEOUT_MS: "30000",
      DRAIN_GRACE_MS: "1000",
      ...environment,
    });
    const process = await startExergy(config, log, { add: (_name, step) => void steps.push(step) });
    return { ...process, stop };
  };

  const party: TestSystem["party"] = async ({ services }, operator, kind, scopes = ["READ", "WRITE", "ADMIN"]) => {
    const { id } = await services.accounts.createOrganisation(operator.viewer, { kind, name: `A ${kind}` });
    const { secret } = await services.accounts.createApiKey(operator.viewer, {
      organisationId: id,
      name: "test",
      scopes,
    });
    return { viewer: (await services.accounts.authenticate(secret))!, id, secret };
  };

  return {
    databaseUrl: database.url,
    logged,
    start,
    party,
    async operator({ services }) {
      const { organisation, secret } = await services.accounts.bootstrapOperator("Operator");
      return { viewer: (await services.accounts.authenticate(secret))!, id: organisation.id, secret };
    },
    async provider(by, operator, spec = {}) {
      const provider = await openProvider(
        {
          services: by.services,
          operator: operator.viewer,
          identity: by.identity,
          issuer: "http://localhost:0",
          organisation: async () => (await party(by, operator, "PROVIDER", ["READ", "WRITE"])).viewer,
        },
        1,
        spec,
      );
      closings.push(() => provider.close());
      return provider;
    },
    async stop() {
      for (const close of closings.splice(0).reverse()) await close();
      await database.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
