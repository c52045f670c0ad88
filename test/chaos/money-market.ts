/** A market of processes that may be killed: a PostgreSQL of its own, Redis, relays and a worker; providers and clients in the test. */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { openAnswerKey, openPepper, openSealingKey } from "../../bin/store";
import { type SimulatedBank, startSimulatedBank } from "../../examples/simulated-bank/server";
import type { OrganisationKind } from "../../schema/enums";
import type { Viewer } from "../../src/accounts/viewer";
import { MemoryBus } from "../../src/events/event-bus";
import { readConfig } from "../../src/platform/config";
import { type Database, migrate, openDatabase } from "../../src/platform/database";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/platform/embedded-postgres";
import { newId } from "../../src/platform/ids";
import { createLog } from "../../src/platform/log";
import { findPostmaster } from "../../src/platform/postmaster";
import { openSecrets } from "../../src/platform/secrets";
import { operations } from "../../src/relay/operations/operations";
import { createServices, type Services } from "../../src/services";
import { createCertificateAuthority, issueServerCertificate } from "../../src/upstreams/certificates";
import { openRelayIdentity, type RelayIdentity } from "../../src/upstreams/identity";
import { Program } from "../demo/program";
import { quickPlace } from "../support/quick-place";
import { startRedis, type TestRedis } from "../support/redis";
import { ShiftedClock } from "../support/relay-world";
import type { PayingStartup } from "./paying-clients";
import { RelayPlace } from "./relay-place";
import { StagedProvider } from "./staged-provider";
import { WithholdingProxy } from "./withholding-proxy";

/** Many requests at once. */
export const CROWD = "acme/crowd";
/** One request at a time, which the test follows from end to end. */
export const STAGE = "acme/stage";

/** Nobody is called: the worker asks. */
const CALLBACK_SECRET = `whsec_${randomBytes(32).toString("base64")}`;
const PUBLIC_URL = "http://exergy.example";
const PLACE = { accelerator: "H100", region: "eu-north", zone: "a" };
const USD = 1_000_000_000n;

export interface LotSpec {
  readonly multiplierPpm: bigint;
  readonly amountNanoUsd: bigint;
}

export interface MarketOptions {
  readonly relays: number;
  /** How long a provider takes before it answers. */
  readonly thinkingMs: () => number;
  readonly environment: Readonly<Record<string, string>>;
}

export class MoneyMarket {
  readonly clock = new ShiftedClock();
  readonly relays: RelayPlace[] = [];
  readonly startups: (PayingStartup & { readonly name: string })[] = [];
  services: Services;
  operator: Viewer;
  db: Database;
  crowd: StagedProvider;
  stage: StagedProvider;
  bank: SimulatedBank;
  /** Told when the bank has read an order, and when it has taken it over; true: it does not come to an answer. */
  atBank: (moment: "received" | "taken") => boolean = () => false;
  private worker: Program;
  private redis: TestRedis;
  private identity: RelayIdentity;
  private partnerId: string;
  private readonly servers: EmbeddedPostgres[] = [];
  private readonly programs: Program[] = [];
  private readonly facilities = new Map<bigint, string>();
  private readonly directory = join(quickPlace(), `exergy-chaos-${randomBytes(6).toString("hex")}`);
  /** Of the programs; the database is not in it, because what is cleared is whatever names it. */
  private readonly home = join(this.directory, "programs");

  constructor(private readonly options: MarketOptions) {}

  async open(): Promise<void> {
    mkdirSync(this.home, { recursive: true });
    [this.redis] = await Promise.all([startRedis(), this.startPostgres()]);
    this.bank = await startSimulatedBank({
      onPayment: (moment) => (this.atBank(moment) ? new Promise<void>(() => undefined) : undefined),
    });
    await this.openRooms();
    [this.crowd, this.stage] = [await this.provider(CROWD, true), await this.provider(STAGE, false)];
    await Promise.all([this.startWorker(), ...Array.from({ length: this.options.relays }, () => this.openRelay())]);
  }

  /** A startup whose wallet has these lots, in this order. */
  async startup(name: string, lots: readonly LotSpec[]): Promise<PayingStartup> {
    const { accounts, funding } = this.services;
    const { id } = await accounts.createOrganisation(this.operator, { kind: "STARTUP", name });
    const key = { organisationId: id, name: "chaos", scopes: ["READ" as const, "INFER" as const] };
    const { secret } = await accounts.createApiKey(this.operator, key);
    for (const { multiplierPpm, amountNanoUsd } of lots) {
      const facilityId = await this.facility(multiplierPpm);
      await funding.draw(this.operator, { facilityId, startupId: id, amountNanoUsd }, newId());
    }
    const startup = { id, secret, name };
    this.startups.push(startup);
    return startup;
  }

  /** As a power cut of the database's machine, but for the disk's cache. */
  killPostgres(): void {
    process.kill(findPostmaster(this.servers[0]!.directory)!.pid, "SIGKILL");
  }

  /** Also after a kill: with the same data, at the same port. */
  async startPostgres(): Promise<void> {
    this.servers.push(
      await startEmbeddedPostgres(join(this.directory, "database"), { settings: { max_connections: "200" } }),
    );
  }

  /** Also after a kill. */
  async startWorker(): Promise<void> {
    await this.worker?.clear();
    this.worker = this.run("worker", {
      DATABASE_URL: this.databaseUrl,
      PAYOUT_RAIL: "simulated-bank",
      PAYOUT_BANK_URL: this.bank.url,
      PAYOUT_CALLBACK_SECRET: CALLBACK_SECRET,
      PAYOUT_RUN_INTERVAL_MS: "200",
    });
    await this.worker.says("Exergy is up");
  }

  shootWorker(): void {
    this.worker.child.kill("SIGKILL");
  }

  rows<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.db.source.query(text, values as unknown[]);
  }

  async close(): Promise<void> {
    await Promise.all(this.relays.map((relay) => relay.clear()));
    for (const program of this.programs) await program.clear();
    for (const { proxy } of this.relays) await proxy.close();
    await this.crowd?.close();
    await this.stage?.close();
    await this.bank?.close();
    await this.services?.upstreams.close();
    await this.db?.close();
    await this.redis?.close();
    for (const server of this.servers) await server.stop();
    for (const { directory } of this.servers) rmSync(dirname(directory), { recursive: true, force: true });
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get databaseUrl(): string {
    return this.servers[0]!.url;
  }

  /** The rooms in the test's own process: for setting up and looking on. */
  private async openRooms(): Promise<void> {
    const config = readConfig({ SECRETS_DIR: join(this.home, "secrets"), ...this.options.environment });
    this.db = await openDatabase({ url: this.databaseUrl, poolMax: 4 });
    await migrate(this.db);
    this.identity = await openRelayIdentity(await openSecrets(config.secretsDirectory), Date.now());
    const log = createLog({ level: "warn", write: (line) => process.stderr.write(line) });
    this.services = createServices(
      {
        config,
        db: this.db,
        clock: this.clock,
        log,
        identity: this.identity,
        pepper: await openPepper(config),
        sealingKey: await openSealingKey(config),
        answerKey: await openAnswerKey(config),
        publicUrl: PUBLIC_URL,
        egress: { allowLoopback: true, ownHosts: [] },
        operations,
      },
      new MemoryBus((error) => log.error({ err: error }, "a listener failed")),
    );
    const { accounts, pricing } = this.services;
    this.operator = (await accounts.authenticate((await accounts.bootstrapOperator("Operator")).secret))!;
    this.partnerId = await this.organisation("CAPITAL_PARTNER", "Lender");
    await pricing.recordSpotPrices(this.operator, [
      { ...PLACE, source: "chaos", priceNanoUsd: 2n * USD, confidencePpm: 1_000_000n, observedAt: this.clock.now() },
    ]);
  }

  private async organisation(kind: OrganisationKind, name: string): Promise<string> {
    return (await this.services.accounts.createOrganisation(this.operator, { kind, name })).id;
  }

  private async facility(multiplierPpm: bigint): Promise<string> {
    const known = this.facilities.get(multiplierPpm);
    if (known !== undefined) return known;
    const terms = { name: `at ${multiplierPpm}`, limitNanoUsd: 10_000_000n * USD, multiplierPpm };
    const { funding } = this.services;
    const { id } = await funding.openFacility(this.operator, { capitalPartnerId: this.partnerId, ...terms });
    this.facilities.set(multiplierPpm, id);
    return id;
  }

  /** One that offers one model and nothing else. */
  private async provider(model: string, keepsConnections: boolean): Promise<StagedProvider> {
    const authority = await createCertificateAuthority(model);
    const tls = await issueServerCertificate(authority, { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] });
    const { clientCaPem } = this.identity;
    const provider = new StagedProvider({ tls, clientCaPem, keepsConnections, thinkingMs: this.options.thinkingMs });
    await provider.listen();
    const { catalog, capacity } = this.services;
    const providerId = await this.organisation("PROVIDER", model);
    const endpoint = await catalog.registerEndpoint(this.operator, {
      ...PLACE,
      providerId,
      name: "endpoint",
      kind: "INFERENCE",
      tenancy: "SHARED",
      baseUrl: provider.url,
      caPem: authority.certPem,
      gpuCount: 8,
      slots: 512,
      slaTier: "STANDARD",
    });
    await catalog.moveEndpoint(this.operator, endpoint.id, "LIVE");
    const offering = await catalog.publishOffering(this.operator, {
      endpointId: endpoint.id,
      model,
      upstreamModel: model,
      architecture: "chat",
      contextLength: 8_192,
      maxOutputTokens: 4_096,
      prefillTokensPerGpuSecond: 20_000,
      decodeTokensPerGpuSecond: 2_000,
    });
    await catalog.moveOffering(this.operator, offering.id, "LIVE");
    const startsAt = new Date(Date.now() - 60_000);
    await capacity.openWindow(this.operator, { ...PLACE, providerId, kind: "BASELINE", gpuCount: 8, startsAt });
    return provider;
  }

  private async openRelay(): Promise<void> {
    const proxy = new WithholdingProxy(this.databaseUrl);
    await proxy.listen();
    const relay = new RelayPlace(proxy, () => this.run("relay", { DATABASE_URL: proxy.url }));
    this.relays.push(relay);
    await relay.start();
  }

  private run(roles: string, more: Record<string, string>): Program {
    const program = new Program("start", {
      directory: this.home,
      environment: {
        ROLES: roles,
        PORT: "0",
        RELAY_PORT: "0",
        REDIS_URL: this.redis.url,
        SECRETS_DIR: join(this.home, "secrets"),
        PUBLIC_URL,
        DATABASE_POOL_MAX: "4",
        LOG_LEVEL: "info",
        ...this.options.environment,
        ...more,
      },
    });
    this.programs.push(program);
    return program;
  }
}
