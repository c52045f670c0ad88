/** The only wiring: every long-lived object, in dependency order. */
import { createPublicKey } from "node:crypto";
import { Accounts } from "./accounts/accounts";
import { AuditTrail } from "./accounts/audit-trail";
import { Capacity } from "./capacity/capacity";
import { Catalog } from "./catalog/catalog";
import type { EventBus } from "./events/event-bus";
import { Outbox } from "./events/outbox";
import { OutboxReplay } from "./events/outbox-replay";
import { OutboxTail } from "./events/outbox-tail";
import { Processes } from "./events/presence";
import { shareFloors } from "./events/shared-floors";
import { Blocks } from "./funding/blocks";
import { Funding } from "./funding/funding";
import { AsOfBalances } from "./ledger/as-of";
import { Journal } from "./ledger/journal";
import { Ledger } from "./ledger/ledger";
import { LedgerBooks } from "./ledger/ledger-books";
import { Recall } from "./ledger/recall";
import { Reconciliation } from "./ledger/reconciliation";
import { Budgets } from "./metering/budgets";
import { KeptAnswers } from "./metering/kept-answers";
import { Metering } from "./metering/metering";
import { Receipts } from "./metering/receipts";
import { Claims } from "./payouts/claims";
import { FlaggedUsage } from "./payouts/flagged-usage";
import { openPayouts } from "./payouts/open-payouts";
import type { Clock } from "./platform/clock";
import type { Config } from "./platform/config";
import type { Database } from "./platform/database";
import { newId } from "./platform/ids";
import type { Log } from "./platform/log";
import type { RedisLink } from "./platform/redis";
import type { OffsetClock } from "./platform/test-clock";
import { Pricing } from "./pricing/pricing";
import { Routing } from "./routing/routing";
import { Sla } from "./sla/sla";
import { Statements } from "./statements/statements";
import { System } from "./system/system";
import type { EgressPolicy } from "./upstreams/egress-guard";
import type { RelayIdentity } from "./upstreams/identity";
import { createRelayTokenSigner } from "./upstreams/relay-token";
import { Upstreams } from "./upstreams/upstreams";
import type { BatchOperation } from "./workloads/batch-operation";
import { workloadInvariants } from "./workloads/invariants";
import { Workloads } from "./workloads/workloads";

/** What the rooms stand on. */
export interface Platform {
  readonly config: Config;
  readonly db: Database;
  readonly clock: Clock;
  /** The clock above, where operators may move it. */
  readonly testClock?: OffsetClock | null;
  readonly log: Log;
  readonly identity: RelayIdentity;
  /** Key of the hash under which API keys are stored. */
  readonly pepper: Buffer;
  /** Key under which providers' bank accounts are sealed. */
  readonly sealingKey: Buffer;
  /** Key under which answers are kept for those who repeat a request. */
  readonly answerKey: Buffer;
  /** Issuer of relay tokens: where the JWKS is. */
  readonly publicUrl: string;
  readonly egress: EgressPolicy;
  /** The relay's: what lines of batches may call, wherever these are looked after. */
  readonly operations: readonly BatchOperation[];
  /** What makes several processes one system; a process without it is alone. */
  readonly redis?: RedisLink | undefined;
  /** Unique name of this process; a new one when left out. */
  readonly instance?: string;
  readonly version?: string;
}

export type Services = ReturnType<typeof createServices>;

export function createServices(platform: Platform, bus: EventBus) {
  const { config, db, clock, log, identity, pepper, publicUrl, egress, redis } = platform;
  const instance = platform.instance ?? newId();
  // What the world outside goes by, and what happens within seconds: nobody moves that.
  const realClock = platform.testClock?.real ?? clock;
  shareFloors(db, bus);
  const replay = redis === undefined ? null : new OutboxReplay(redis, log);
  const outbox = new Outbox(db, bus, clock, replay);
  const tail = new OutboxTail({ outbox, bus, log, replay });
  const ledger = new Ledger({ db, clock });
  const recall = new Recall({ db, bus });
  const signer = createRelayTokenSigner({
    privateKey: identity.signingKey,
    kid: identity.kid,
    issuer: publicUrl,
    clientCertSha256: identity.clientCertSha256,
    clock: () => realClock.nowMs(),
  });
  const upstreams = new Upstreams({
    identity: identity.client,
    signer,
    policy: egress,
    connectTimeoutMs: config.upstream.connectTimeoutMs,
  });
  const accounts = new Accounts({
    db,
    bus,
    clock,
    realClock,
    pepper,
    publicOrigin: new URL(publicUrl).origin,
    identityProvider: config.identityProvider,
  });
  const catalog = new Catalog({ db, bus, clock, egress });
  const pricing = new Pricing({ db, bus, clock });
  const funding = new Funding({ db, ledger, bus, outbox, clock });
  const metering = new Metering({
    db,
    bus,
    clock,
    recall,
    instance,
    onFault: (err) => log.error({ err }, "a lease could not be served"),
  });
  const budgets = new Budgets({ db, accounts, recall, clock });
  const keptAnswers = new KeptAnswers({
    db,
    clock: realClock,
    key: platform.answerKey,
    release: (requestId, startupId) => metering.release(requestId, startupId),
  });
  const receipts = new Receipts({
    db,
    signingKey: identity.signingKey,
    kid: identity.kid,
    issuer: publicUrl,
  });
  const blocks = new Blocks({ db, recall, bus, outbox, clock });
  const capacity = new Capacity({ db, bus, outbox, clock });
  const sla = new Sla({ db, outbox, clock });
  const statements = new Statements({
    db,
    ledger,
    outbox,
    clock,
    log,
    rateCardsByIds: (ids) => pricing.rateCards.byIds(ids),
    uptimeBetween: (endpointIds, span) => sla.uptimeBetween(endpointIds, span),
    ...config.statements,
  });
  const routing = new Routing({ db, bus, clock, realClock, log, capacity, pricing, instance });
  const workloads = new Workloads({
    db,
    clock,
    log,
    metering,
    ledger,
    outbox,
    upstreams,
    config,
    operations: platform.operations,
    trainingRoutes: (model) => routing.trainingRoutes(model),
    rateCardsByIds: (ids) => pricing.rateCards.byIds(ids),
  });
  const payouts = openPayouts({ ...platform, realClock, outbox, ledger, statements });
  const keys = [{ kid: identity.kid, publicKey: createPublicKey(identity.signingKey) }];
  const claims = new Claims({ db, pricing, keys, clock, realClock });
  const version = platform.version ?? "unknown";
  const processes = new Processes({ instance, roles: config.roles, startedAt: clock.now(), version }, redis, bus);
  const system = new System({ processes, db, bus, testClock: platform.testClock ?? null });
  const reconciliation = new Reconciliation({
    db,
    clock,
    log,
    invariants: workloadInvariants,
    sweptBy: () => system.nowWithoutMoves(config.upstream.totalTimeoutMs) ?? clock.now(),
  });
  return {
    accounts,
    auditTrail: new AuditTrail(db),
    catalog,
    capacity,
    pricing,
    ledger,
    journal: new Journal({ db }),
    asOf: new AsOfBalances(db),
    ledgerBooks: new LedgerBooks(db),
    reconciliation,
    recall,
    funding,
    blocks,
    metering,
    budgets,
    keptAnswers,
    receipts,
    sla,
    statements,
    routing,
    workloads,
    payouts,
    claims,
    flaggedUsage: new FlaggedUsage(db, clock),
    outbox,
    tail,
    replay,
    processes,
    system,
    upstreams,
    bus,
    redis,
  };
}
