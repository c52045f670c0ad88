/** The only wiring: every long-lived object, in dependency order. */
import { Accounts } from "./accounts/accounts";
import { Capacity } from "./capacity/capacity";
import { Catalog } from "./catalog/catalog";
import type { EventBus } from "./events/event-bus";
import { Outbox } from "./events/outbox";
import { Funding } from "./funding/funding";
import { Ledger } from "./ledger/ledger";
import { Metering } from "./metering/metering";
import { Payouts } from "./payouts/payouts";
import type { Clock } from "./platform/clock";
import type { Config } from "./platform/config";
import type { Database } from "./platform/database";
import type { Log } from "./platform/log";
import { Pricing } from "./pricing/pricing";
import { Routing } from "./routing/routing";
import { Sla } from "./sla/sla";
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
}

export type Services = ReturnType<typeof createServices>;

export function createServices(platform: Platform, bus: EventBus) {
  const { config, db, clock, log, identity, pepper, publicUrl, egress } = platform;
  const outbox = new Outbox(db, bus, clock);
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
  const accounts = new Accounts({ db, bus, clock, pepper });
  const catalog = new Catalog({ db, bus, clock, egress });
  const pricing = new Pricing({ db, bus, clock });
  const funding = new Funding({ db, ledger, bus, clock });
  const metering = new Metering({ db, bus, clock });
  const capacity = new Capacity({ db, bus, clock });
  const sla = new Sla({ db, outbox, clock });
  const routing = new Routing({ db, bus, clock, log, capacity, pricing });
  const payouts = new Payouts({ db });
  return {
    accounts,
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
    upstreams,
    bus,
  };
}
