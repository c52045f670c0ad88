/** The only wiring: every long-lived object, in dependency order. */
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
import { Funding } from "./funding/funding";
import { Ledger } from "./ledger/ledger";
import { Metering } from "./metering/metering";
import { Payouts } from "./payouts/payouts";
import type { Clock } from "./platform/clock";
import type { Config } from "./platform/config";
import type { Database } from "./platform/database";
import { newId } from "./platform/ids";
import type { Log } from "./platform/log";
import type { RedisLink } from "./platform/redis";
import { Pricing } from "./pricing/pricing";
import { Routing } from "./routing/routing";
import { Sla } from "./sla/sla";
import { System } from "./system/system";
import type { EgressPolicy } from "./upstreams/egress-guard";
import type { RelayIdentity } from "./upstreams/identity";
import { createRelayTokenSigner } from "./upstreams/relay-token";
import { Upstreams } from "./upstreams/upstreams";

/** What the rooms stand on. */
export interface Platform {
  readonly config: Config;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: RelayIdentity;
  /** Key of the hash under which API keys are stored. */
  readonly pepper: Buffer;
  /** Issuer of relay tokens: where the JWKS is. */
  readonly publicUrl: string;
  readonly egress: EgressPolicy;
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
  shareFloors(db, bus);
  const replay = redis === undefined ? null : new OutboxReplay(redis, log);
  const outbox = new Outbox(db, bus, clock, replay);
  const tail = new OutboxTail({ outbox, bus, log, replay });
  const ledger = new Ledger({ db, clock });
  const signer = createRelayTokenSigner({
    privateKey: identity.signingKey,
    kid: identity.kid,
    issuer: publicUrl,
    clientCertSha256: identity.clientCertSha256,
    clock: () => clock.nowMs(),
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
    pepper,
    publicOrigin: new URL(publicUrl).origin,
    identityProvider: config.identityProvider,
  });
  const catalog = new Catalog({ db, bus, clock, egress });
  const pricing = new Pricing({ db, bus, clock });
  const funding = new Funding({ db, ledger, bus, clock });
  const metering = new Metering({ db, bus, clock });
  const capacity = new Capacity({ db, bus, outbox, clock });
  const sla = new Sla({ db, outbox, clock });
  const routing = new Routing({ db, bus, clock, log, capacity, pricing, instance });
  const payouts = new Payouts({ db });
  const version = platform.version ?? "unknown";
  const processes = new Processes({ instance, roles: config.roles, startedAt: clock.now(), version }, redis);
  const system = new System({ processes });
  return {
    accounts,
    auditTrail: new AuditTrail(db),
    catalog,
    capacity,
    pricing,
    ledger,
    funding,
    metering,
    sla,
    routing,
    payouts,
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
