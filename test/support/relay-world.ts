/** Relays on real sockets over a database of their own: providers with their own CAs, a lender, startups with credit, all through the doors. */
import { randomBytes } from "node:crypto";
import OpenAI, { type ClientOptions } from "openai";
import { Agent, fetch as undiciFetch } from "undici";
import { openAnswerKey, openPepper, openSealingKey } from "../../bin/store";
import type { ApiKeyScope, OrganisationKind, Workload } from "../../schema/enums";
import type { Viewer } from "../../src/accounts/viewer";
import { MemoryBus } from "../../src/events/event-bus";
import { startJobs } from "../../src/jobs";
import { LEASE_BEAT_MS } from "../../src/metering/lease";
import { NANO } from "../../src/money/nano";
import type { Clock } from "../../src/platform/clock";
import { type Config, readConfig } from "../../src/platform/config";
import { type Database, openDatabase } from "../../src/platform/database";
import { listen } from "../../src/platform/http-server";
import { newId } from "../../src/platform/ids";
import { everyMs } from "../../src/platform/jobs";
import { createLog, type Log, type LogLevel } from "../../src/platform/log";
import { createMetrics, type Metrics } from "../../src/platform/metrics";
import { openRedis, type RedisLink } from "../../src/platform/redis";
import { openSecrets } from "../../src/platform/secrets";
import type { KeepAliveIntervals } from "../../src/relay/keep-alive";
import type { Watcher } from "../../src/relay/observation";
import { operations } from "../../src/relay/operations/operations";
import { createRelayServer, type RelayServer } from "../../src/relay/server";
import { newLiveState } from "../../src/routing/candidate";
import { createServices, type Services } from "../../src/services";
import { openRelayIdentity, type RelayIdentity } from "../../src/upstreams/identity";
import { expectNothingLeft, type Leftover, until } from "./leftovers";
import { createTestDatabase } from "./template-database";
import { openProvider, type ProviderSpec, type WorldProvider } from "./world-provider";

export { MODEL, type WorldProvider } from "./world-provider";

export const ISSUER = "https://exergy.example";
const FACILITY_USD = 1_000_000n;
const MULTIPLIER_PPM = 1_250_000n;

export interface WorldStartup {
  readonly id: string;
  readonly secret: string;
  readonly viewer: Viewer;
  readonly keyId: string;
}

export interface WorldRelay {
  readonly url: string;
  readonly config: Config;
  readonly services: Services;
  readonly server: RelayServer;
  readonly metrics: Metrics;
  readonly redis: RedisLink | undefined;
  stop(graceMs?: number): Promise<void>;
}

export interface WorldOptions {
  providers?: readonly ProviderSpec[];
  relays?: number;
  environment?: Readonly<Record<string, string>>;
  /** Runs the jobs of the first relay, so that nobody needs to call refresh(). */
  jobs?: boolean;
  /** How long a stream may be silent. */
  keepAlive?: KeepAliveIntervals;
  /** Through which the relays share their limits, each over connections of its own. */
  redisUrl?: string;
  /** Where its secrets lie, so that processes of our own may share them; without it they are in memory. */
  secretsDirectory?: string;
  /** Told of every request that is over, besides metrics and log. */
  watchers?: readonly Watcher[];
  /** What of the relays' log is kept in `logged`; warn and above unless told. */
  logLevel?: LogLevel;
  /** The relays hear each other, as over Redis. */
  sharedBus?: boolean;
  /** Where the relays reach the database, for example through a proxy that a test can cut. */
  relayDatabaseUrl?: (url: string) => Promise<string>;
}

/** The system's clock, which a test may move ahead. */
export class ShiftedClock implements Clock {
  shiftMs = 0;
  now = (): Date => new Date(this.nowMs());
  nowMs = (): number => Date.now() + this.shiftMs;
}

class SharedBus extends MemoryBus {
  override readonly shared = true;
}

export async function openRelayWorld(options: WorldOptions = {}): Promise<RelayWorld> {
  const database = await createTestDatabase();
  const db = await openDatabase({ url: database.url, poolMax: 4 });
  const directory = options.secretsDirectory;
  const secrets = directory === undefined ? secretsInMemory() : await openSecrets(directory);
  const identity = await openRelayIdentity(secrets, Date.now());
  const config = directory === undefined ? null : readConfig({ SECRETS_DIR: directory });
  const keys = {
    pepper: config === null ? randomBytes(32) : await openPepper(config),
    sealingKey: config === null ? randomBytes(32) : await openSealingKey(config),
    answerKey: config === null ? randomBytes(32) : await openAnswerKey(config),
  };
  const world = new RelayWorld(db, database, { identity, ...keys }, options);
  await world.open();
  return world;
}

function secretsInMemory(): Parameters<typeof openRelayIdentity>[0] {
  const secrets = new Map<string, string>();
  return {
    async readOrCreate(name, make) {
      const known = secrets.get(name) ?? (await make());
      secrets.set(name, known);
      return known;
    },
  };
}

export class RelayWorld {
  readonly clock = new ShiftedClock();
  readonly providers: WorldProvider[] = [];
  readonly relays: WorldRelay[] = [];
  /** Lines of the relays' log. */
  readonly logged: string[] = [];
  /** Not a relay's: its own pool, for setting up and looking on. */
  services!: Services;
  operator!: Viewer;
  private readonly models = new Set<string>();
  private facilityId!: string;
  private partner!: Viewer;
  private sharedBus: MemoryBus | null = null;
  private readonly agent = new Agent({ keepAliveTimeout: 1_000 });
  private readonly log: Log;

  /** As the global one, on sockets that stop() closes. */
  readonly fetch = (url: unknown, init: unknown): Promise<Response> =>
    undiciFetch(url as string, { ...(init as object), dispatcher: this.agent }) as unknown as Promise<Response>;

  constructor(
    readonly db: Database,
    readonly database: { url: string; drop(): Promise<void> },
    private readonly secrets: Readonly<Record<"pepper" | "sealingKey" | "answerKey", Buffer>> & {
      identity: RelayIdentity;
    },
    private readonly options: WorldOptions,
  ) {
    this.log = createLog({ level: options.logLevel ?? "warn", write: (line) => void this.logged.push(line) });
  }

  get identity(): RelayIdentity {
    return this.secrets.identity;
  }

  get relay(): WorldRelay {
    return this.relays[0]!;
  }

  async open(): Promise<void> {
    const config = this.config();
    this.services = this.servicesOn(this.db, config);
    const { accounts, funding, pricing } = this.services;
    this.operator = (await accounts.authenticate((await accounts.bootstrapOperator("Operator")).secret))!;
    ({ viewer: this.partner } = await this.organisation("CAPITAL_PARTNER", "Lender", ["READ", "WRITE"]));
    const facility = await funding.openFacility(this.partner, {
      name: "F",
      limitNanoUsd: FACILITY_USD * NANO,
      multiplierPpm: MULTIPLIER_PPM,
    });
    this.facilityId = facility.id;
    await pricing.recordSpotPrices(
      this.operator,
      (["H100", "H200", "A100"] as const).map((accelerator, index) => ({
        accelerator,
        region: "eu-north",
        source: "test",
        priceNanoUsd: BigInt(index + 2) * NANO,
        confidencePpm: 1_000_000n,
        observedAt: this.clock.now(),
      })),
    );
    for (const spec of this.options.providers ?? [{}]) await this.addProvider(spec);
    const relayUrl = (await this.options.relayDatabaseUrl?.(this.database.url)) ?? this.database.url;
    for (let i = 0; i < (this.options.relays ?? 1); i++)
      this.relays.push(await this.startRelay(relayUrl, config, i === 0));
  }

  /** A provider with one live endpoint that offers one live model. */
  async addProvider(spec: ProviderSpec = {}): Promise<WorldProvider> {
    const { services, operator, identity } = this;
    const organisation = async (name: string) => (await this.organisation("PROVIDER", name, ["READ", "WRITE"])).viewer;
    const around = { services, operator, identity, issuer: ISSUER, organisation };
    const provider = await openProvider(around, this.providers.length + 1, spec);
    this.providers.push(provider);
    this.models.add(provider.model);
    return provider;
  }

  /** `creditNanoCredit` is met exactly or, where the multiplier does not divide it, by less than one nano more. */
  async addStartup(creditNanoCredit: bigint = 100n * NANO): Promise<WorldStartup> {
    const { viewer, secret } = await this.organisation("STARTUP", "Startup", ["READ", "WRITE", "INFER"]);
    const startup = { id: viewer.organisationId, secret, viewer, keyId: viewer.keyId! };
    if (creditNanoCredit > 0n) await this.fund(startup, creditNanoCredit);
    return startup;
  }

  async fund(
    startup: { id: string },
    creditNanoCredit: bigint,
    conditions: { accelerators?: string[]; workloads?: Workload[] } = {},
  ): Promise<void> {
    const amountNanoUsd = (creditNanoCredit * 1_000_000n + MULTIPLIER_PPM - 1n) / MULTIPLIER_PPM;
    await this.services.funding.draw(
      this.partner,
      { facilityId: this.facilityId, startupId: startup.id, amountNanoUsd, ...conditions },
      newId(),
    );
  }

  /** The official client, without retries unless asked for. */
  client(startup: { secret: string }, options: ClientOptions = {}, relay = this.relay): OpenAI {
    const fetchThroughAgent = (url: unknown, init: unknown) =>
      undiciFetch(url as string, { ...(init as object), dispatcher: this.agent }) as unknown as Promise<Response>;
    return new OpenAI({
      apiKey: startup.secret,
      baseURL: `${relay.url}/v1`,
      maxRetries: 0,
      fetch: fetchThroughAgent,
      ...options,
    });
  }

  async organisation(
    kind: OrganisationKind,
    name: string,
    scopes: readonly ApiKeyScope[],
  ): Promise<{ viewer: Viewer; secret: string }> {
    const { accounts } = this.services;
    const { id } = await accounts.createOrganisation(this.operator, { kind, name });
    const { secret } = await accounts.createApiKey(this.operator, { organisationId: id, name: "test", scopes });
    return { viewer: (await accounts.authenticate(secret))!, secret };
  }

  /** Lets the relays see what changed in the supply; with `jobs` the first one sees it by itself. */
  async refresh(): Promise<void> {
    await Promise.all(this.relays.map(({ services }) => services.routing.refresh()));
  }

  /** For afterEach: whatever a request took is given back. */
  async expectNothingLeft(): Promise<void> {
    const routes = ({ services }: WorldRelay) =>
      [...this.models].flatMap((model) => services.routing.routesOf(model) ?? []);
    const inFlight = (relay: WorldRelay) => routes(relay).reduce((sum, route) => sum + route.live.inFlight, 0);
    const leftovers: Leftover[] = [
      { name: "open hold", count: async () => (await this.rows("SELECT id FROM hold WHERE state = 'HELD'")).length },
      {
        name: "nano-credit set aside from a lease",
        count: () =>
          this.relays.reduce((sum, { services }) => sum + Number(services.metering.leaseFigures.setAsideNanoCredit), 0),
      },
      { name: "slot taken in routing", count: () => this.relays.reduce((sum, relay) => sum + inFlight(relay), 0) },
      { name: "request in a relay", count: () => this.relays.reduce((sum, { server }) => sum + server.inFlight(), 0) },
      {
        name: "request at a provider",
        count: () => this.providers.reduce((sum, { reference }) => sum + (reference?.numbers().inFlight ?? 0), 0),
      },
    ];
    await expectNothingLeft(leftovers);
  }

  /** What relays have borrowed and nobody uses is in the wallets again, where a test can see it. */
  async returnLeases(): Promise<void> {
    await Promise.all(this.relays.map(({ services }) => services.metering.returnLeases()));
  }

  /** Every usage record has its charge in the wallet, its accrual with the provider, its spread in revenue, and nothing else does. */
  async expectBooksBalance(): Promise<void> {
    const sums = await this.rows<{ what: string; book: string; record: string }>(`
      SELECT 'spent credit' AS what, coalesce(sum(credits_posted), 0)::text AS book,
             (SELECT coalesce(sum(charge_nano_credit), 0) FROM usage_record)::text AS record FROM ledger_account WHERE kind = 'CREDIT_REDEEMED'
      UNION ALL SELECT 'leased credit', coalesce(sum(credits_posted - debits_posted), 0)::text,
             (SELECT coalesce(sum(balance_nano_credit), 0) FROM lease_slice)::text FROM ledger_account WHERE kind = 'LEASED'
      UNION ALL SELECT 'held credit', coalesce(sum(debits_pending), 0)::text,
             (SELECT coalesce(sum(amount_nano_credit), 0) FROM hold WHERE state = 'HELD')::text FROM ledger_account WHERE kind = 'WALLET_LOT'
      UNION ALL SELECT 'accruals', coalesce(sum(credits_posted), 0)::text,
             (SELECT coalesce(sum(accrual_nano_usd), 0) FROM usage_record)::text FROM ledger_account WHERE kind = 'PROVIDER_PAYABLE'
      UNION ALL SELECT 'spread', coalesce(sum(credits_posted - debits_posted), 0)::text,
             (SELECT coalesce(sum(spread_nano_usd), 0) FROM usage_record)::text FROM ledger_account WHERE kind = 'REVENUE_SPREAD'
      UNION ALL SELECT ledger || ' debits and credits', sum(debits_posted + debits_pending)::text, sum(credits_posted + credits_pending)::text
             FROM ledger_account GROUP BY ledger`);
    for (const { what, book, record } of sums) {
      if (book !== record) throw new Error(`the books do not balance: ${what}: ${book} booked, ${record} recorded`);
    }
  }

  /** Forgets latencies, pauses and breakers: what one test did to an endpoint is not the next one's business. */
  forgetFailures(): void {
    for (const { services } of this.relays) {
      for (const model of this.models)
        for (const route of services.routing.routesOf(model) ?? []) Object.assign(route.live, newLiveState());
    }
  }

  async rows<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.db.source.query(text, values as unknown[]);
  }

  /** The decision of a request, once it was written. */
  decision(requestId: string): Promise<{
    outcome: string;
    endpoint_id: string | null;
    candidates: { endpointId: string; refusal: string | null }[];
    attempts: { endpointId: string; result: string }[];
  }> {
    return until(`decision of ${requestId}`, async () => {
      await Promise.all(this.relays.map(({ services }) => services.routing.drain()));
      return (await this.rows<never>("SELECT * FROM routing_decision WHERE id = $1", [requestId]))[0];
    });
  }

  async stop(): Promise<void> {
    for (const relay of this.relays) await relay.stop();
    for (const provider of this.providers) await provider.close();
    await this.services.upstreams.close();
    await this.agent.destroy();
    await this.db.close();
    await this.database.drop();
  }

  private config(): Config {
    return readConfig({
      ALLOW_LOOPBACK_UPSTREAMS: "true",
      // Both ends of every handshake run in this one process, beside the test: a second, which is much between two machines, is
      // little for two hundred of them. Three that were late open the breaker, and what has nothing to do with time ends in 503.
      UPSTREAM_CONNECT_TIMEOUT_MS: "30000",
      UPSTREAM_TOKEN_TIMEOUT_MS: "0",
      LOG_LEVEL: "warn",
      ...this.options.environment,
    });
  }

  private servicesOn(db: Database, config: Config): Services {
    const onFault = (error: unknown) => this.log.error({ err: error }, "a listener failed");
    if (this.options.sharedBus) this.sharedBus ??= new SharedBus(onFault);
    const bus = this.sharedBus ?? new MemoryBus(onFault);
    const egress = { allowLoopback: true, ownHosts: [] };
    return createServices(
      {
        config,
        db,
        clock: this.clock,
        log: this.log,
        ...this.secrets,
        publicUrl: ISSUER,
        egress,
        operations,
      },
      bus,
    );
  }

  private async startRelay(databaseUrl: string, config: Config, first: boolean): Promise<WorldRelay> {
    const db = await openDatabase({ url: databaseUrl, poolMax: 6 });
    const services = this.servicesOn(db, config);
    await services.routing.refresh();
    const metrics = createMetrics();
    const { keepAlive, redisUrl, watchers = [] } = this.options;
    const given = { watchers, ...(keepAlive === undefined ? {} : { keepAlive }) };
    const redis = redisUrl === undefined ? undefined : openRedis(redisUrl, this.log, "relay-world");
    const around = { clock: this.clock, log: this.log, redis, ...given };
    const relay = createRelayServer({ ...services, config, ...around }, metrics);
    const port = await listen(relay.server, 0, "127.0.0.1");
    const beat = everyMs("metering.beat", LEASE_BEAT_MS, () => services.metering.beatLeases(), { log: this.log });
    const jobs =
      first && this.options.jobs ? startJobs(services, { config, db, log: this.log, leads: () => true }) : null;
    let stopping: Promise<void> | undefined;
    const stop = async (graceMs: number) => {
      await relay.stop(graceMs);
      await redis?.close();
      await jobs?.stop();
      await beat.stop();
      await services.metering.drain();
      await services.routing.drain();
      await services.upstreams.close();
      await db.close();
    };
    return {
      url: `http://127.0.0.1:${port}`,
      config,
      services,
      server: relay,
      metrics,
      redis,
      stop(graceMs = 2_000) {
        stopping ??= stop(graceMs);
        return stopping;
      },
    };
  }
}
