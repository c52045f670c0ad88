/** All that a route of the relay may touch. */
import type { Accounts } from "../accounts/accounts";
import type { EventBus } from "../events/event-bus";
import type { Ledger } from "../ledger/ledger";
import type { KeptAnswers } from "../metering/kept-answers";
import type { Metering } from "../metering/metering";
import type { Receipts } from "../metering/receipts";
import type { Clock } from "../platform/clock";
import type { Config } from "../platform/config";
import type { Log } from "../platform/log";
import type { RedisLink } from "../platform/redis";
import type { Routing } from "../routing/routing";
import type { Sla } from "../sla/sla";
import type { Upstreams } from "../upstreams/upstreams";
import type { Workloads } from "../workloads/workloads";
import type { AdmissionMetrics } from "./admission-metrics";
import type { KeepAliveIntervals } from "./keep-alive";
import type { AllowanceStore } from "./limits/allowance-store";
import type { RelayLimits } from "./limits/limits";
import type { RelayMetrics } from "./metrics";
import type { Narrowings } from "./narrowings";
import type { Watcher } from "./observation";
import type { RetryBudget } from "./retry-budget";
import type { ServedOperations } from "./served-operations";
import type { Turns } from "./turns";

export interface RelayDependencies {
  readonly config: Config;
  readonly accounts: Accounts;
  readonly ledger: Ledger;
  readonly metering: Metering;
  readonly keptAnswers: KeptAnswers;
  readonly receipts: Receipts;
  readonly routing: Routing;
  readonly sla: Sla;
  readonly workloads: Workloads;
  readonly upstreams: Upstreams;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly log: Log;
  /** The product's own when left out; tests have no time to be silent for. */
  readonly keepAlive?: KeepAliveIntervals;
  /** What several relays share their limits through. */
  readonly redis?: RedisLink | undefined;
  /** The same without Redis, when they have one parent. */
  readonly allowances?: AllowanceStore | undefined;
  /** Told of each admitted request when it is over, besides the metrics and the log. */
  readonly watchers?: readonly Watcher[];
}

export interface RelayContext extends RelayDependencies {
  readonly metrics: RelayMetrics;
  readonly retryBudget: RetryBudget;
  readonly served: ServedOperations;
  readonly narrowings: Narrowings;
  readonly turns: Turns;
  readonly admissionMetrics: AdmissionMetrics;
  readonly limits: RelayLimits;
  /** To be called once for each admitted request. */
  readonly requestEnded: Watcher;
}
