/** Every closed set of words that the contract knows, each registered once with a description per value. */
import { registerEnumType } from "type-graphql";

type Described<E> = { [K in keyof E]: { description: string } };

function words<E extends Record<string, string>>(
  name: string,
  description: string,
  values: E,
  valuesConfig: Described<E>,
): E {
  registerEnumType(values, { name, description, valuesConfig });
  return values;
}

export const OrganisationKind = words(
  "OrganisationKind",
  "What an organisation comes to the marketplace for.",
  {
    PROVIDER: "PROVIDER",
    STARTUP: "STARTUP",
    CAPITAL_PARTNER: "CAPITAL_PARTNER",
    OPERATOR: "OPERATOR",
  } as const,
  {
    PROVIDER: { description: "Serves GPU capacity and is paid for it." },
    STARTUP: { description: "Spends compute credits through the relay." },
    CAPITAL_PARTNER: { description: "Funds compute credits through facilities." },
    OPERATOR: { description: "Runs the marketplace." },
  },
);
export type OrganisationKind = keyof typeof OrganisationKind;

export const MemberRole = words(
  "MemberRole",
  "What a member may do inside an organisation.",
  { OWNER: "OWNER", ADMIN: "ADMIN", VIEWER: "VIEWER" } as const,
  {
    OWNER: { description: "Everything, including members, keys and sessions." },
    ADMIN: { description: "Everything but members, keys and sessions." },
    VIEWER: { description: "Reads only." },
  },
);
export type MemberRole = keyof typeof MemberRole;

export const ApiKeyScope = words(
  "ApiKeyScope",
  "What an API key may be used for.",
  { READ: "READ", WRITE: "WRITE", INFER: "INFER", ADMIN: "ADMIN" } as const,
  {
    READ: { description: "Queries and subscriptions." },
    WRITE: { description: "Mutations." },
    INFER: { description: "Workloads through the relay, charged to the organisation's credit." },
    ADMIN: { description: "Members, keys and sessions of the organisation." },
  },
);
export type ApiKeyScope = keyof typeof ApiKeyScope;

export const AcceleratorStatus = words(
  "AcceleratorStatus",
  "Whether capacity of this accelerator can be listed.",
  { LISTED: "LISTED", EVALUATING: "EVALUATING" } as const,
  {
    LISTED: { description: "Providers can list capacity of it." },
    EVALUATING: { description: "Under evaluation; capacity cannot be listed yet." },
  },
);
export type AcceleratorStatus = keyof typeof AcceleratorStatus;

export const EndpointKind = words(
  "EndpointKind",
  "The kind of workload an endpoint takes.",
  { INFERENCE: "INFERENCE", TRAINING: "TRAINING" } as const,
  {
    INFERENCE: { description: "Answers requests through the relay." },
    TRAINING: { description: "Runs fine-tuning and training jobs." },
  },
);
export type EndpointKind = keyof typeof EndpointKind;

export const EndpointTenancy = words(
  "EndpointTenancy",
  "Whether an endpoint's GPUs are shared between clients.",
  { DEDICATED: "DEDICATED", SHARED: "SHARED" } as const,
  {
    DEDICATED: { description: "One client at a time has the GPUs for itself." },
    SHARED: { description: "Requests of several clients share the GPUs." },
  },
);
export type EndpointTenancy = keyof typeof EndpointTenancy;

export const EndpointState = words(
  "EndpointState",
  "Where an endpoint stands between registration and retirement.",
  {
    REGISTERED: "REGISTERED",
    LIVE: "LIVE",
    DRAINING: "DRAINING",
    SUSPENDED: "SUSPENDED",
    RETIRED: "RETIRED",
  } as const,
  {
    REGISTERED: { description: "Known, not yet routed to." },
    LIVE: { description: "Takes workloads." },
    DRAINING: { description: "Finishes what it has, takes nothing new." },
    SUSPENDED: { description: "Stopped by the operator." },
    RETIRED: { description: "Gone for good." },
  },
);
export type EndpointState = keyof typeof EndpointState;

export const OfferingState = words(
  "OfferingState",
  "Where an offered model stands between staging and withdrawal.",
  { STAGED: "STAGED", LIVE: "LIVE", WITHDRAWN: "WITHDRAWN" } as const,
  {
    STAGED: { description: "Declared, hidden from startups." },
    LIVE: { description: "Routable." },
    WITHDRAWN: { description: "No longer offered." },
  },
);
export type OfferingState = keyof typeof OfferingState;

export const CapacityWindowKind = words(
  "CapacityWindowKind",
  "What a capacity window says about its time.",
  { BASELINE: "BASELINE", BURST: "BURST", MAINTENANCE: "MAINTENANCE" } as const,
  {
    BASELINE: { description: "Committed GPUs." },
    BURST: { description: "GPUs on top of the baseline." },
    MAINTENANCE: { description: "Planned downtime: nothing is routed, nothing counts against the SLA." },
  },
);
export type CapacityWindowKind = keyof typeof CapacityWindowKind;

export const SlaTierCode = words(
  "SlaTierCode",
  "The service level a provider commits an endpoint to.",
  { STANDARD: "STANDARD", PREMIUM: "PREMIUM", ENTERPRISE: "ENTERPRISE" } as const,
  {
    STANDARD: { description: "99.5 % uptime, p95 below 500 ms." },
    PREMIUM: { description: "99.9 % uptime, p95 below 200 ms." },
    ENTERPRISE: { description: "99.95 % uptime, p95 below 100 ms." },
  },
);
export type SlaTierCode = keyof typeof SlaTierCode;

export const SlaBreachKind = words(
  "SlaBreachKind",
  "Which promise of the tier was broken.",
  { UPTIME: "UPTIME", RESPONSE_TIME: "RESPONSE_TIME" } as const,
  {
    UPTIME: { description: "Requests or probes failed." },
    RESPONSE_TIME: { description: "Fewer than 95 % of first bytes came within the tier's limit." },
  },
);
export type SlaBreachKind = keyof typeof SlaBreachKind;

export const TierReading = words(
  "TierReading",
  "How a volume tier's premium applies to the month.",
  { VOLUME: "VOLUME", GRADUATED: "GRADUATED" } as const,
  {
    VOLUME: { description: "The tier reached applies to every GPU-hour of the month." },
    GRADUATED: { description: "Each tier's premium applies to the GPU-hours inside it." },
  },
);
export type TierReading = keyof typeof TierReading;

export const PremiumReading = words(
  "PremiumReading",
  "What a premium is a percentage of.",
  { RELATIVE: "RELATIVE", POINTS: "POINTS" } as const,
  {
    RELATIVE: { description: "Of the base rate: 85 % of spot × 1.02." },
    POINTS: { description: "Of spot: 85 % + 2 points." },
  },
);
export type PremiumReading = keyof typeof PremiumReading;

export const FacilityState = words(
  "FacilityState",
  "Whether a facility can be drawn on.",
  { OPEN: "OPEN", CLOSED: "CLOSED" } as const,
  {
    OPEN: { description: "Can be drawn on up to its limit." },
    CLOSED: { description: "No further drawdown; issued credit stays good." },
  },
);
export type FacilityState = keyof typeof FacilityState;

export const HoldState = words(
  "HoldState",
  "What became of the credit set aside for one request.",
  { HELD: "HELD", CAPTURED: "CAPTURED", VOIDED: "VOIDED", EXPIRED: "EXPIRED" } as const,
  {
    HELD: { description: "Set aside." },
    CAPTURED: { description: "Charged; what was left over is free again." },
    VOIDED: { description: "Released without a charge." },
    EXPIRED: { description: "Released by the sweep because nobody resolved it in time." },
  },
);
export type HoldState = keyof typeof HoldState;

export const UsageOutcome = words(
  "UsageOutcome",
  "How a charged request ended.",
  { COMPLETED: "COMPLETED", ABORTED: "ABORTED", PARTIAL: "PARTIAL" } as const,
  {
    COMPLETED: { description: "The whole answer was delivered." },
    ABORTED: {
      description: "The client went away after the first token: the prompt and what was delivered are charged.",
    },
    PARTIAL: { description: "The answer was cut off at its source: what was delivered is charged." },
  },
);
export type UsageOutcome = keyof typeof UsageOutcome;

export const RoutingOutcome = words(
  "RoutingOutcome",
  "How the routing of one request ended.",
  { SERVED: "SERVED", REROUTED: "REROUTED", FAILED: "FAILED", ABORTED: "ABORTED" } as const,
  {
    SERVED: { description: "The first endpoint that was tried answered." },
    REROUTED: { description: "A later endpoint answered after an earlier one failed." },
    FAILED: { description: "No endpoint answered." },
    ABORTED: { description: "The client went away first." },
  },
);
export type RoutingOutcome = keyof typeof RoutingOutcome;

export const CurrencyCode = words(
  "CurrencyCode",
  "What an amount of money is counted in.",
  { USD: "USD", CRD: "CRD" } as const,
  {
    USD: { description: "United States dollars." },
    CRD: { description: "Compute credits of this marketplace." },
  },
);
export type CurrencyCode = keyof typeof CurrencyCode;

export const GapReason = words(
  "GapReason",
  "Why messages are missing.",
  { TRIMMED: "TRIMMED", EPOCH_CHANGED: "EPOCH_CHANGED", SLOW_CONSUMER: "SLOW_CONSUMER" } as const,
  {
    TRIMMED: { description: "What follows on the cursor is no longer kept. A snapshot comes next." },
    EPOCH_CHANGED: {
      description: "The cursor is of another history, e.g. from before a backup was restored. A snapshot comes next.",
    },
    SLOW_CONSUMER: { description: "Too much waited to be read. The connection closes; come again with the cursor." },
  },
);
export type GapReason = keyof typeof GapReason;

export const CapacityChange = words(
  "CapacityChange",
  "What happened to a capacity window.",
  { STANDING: "STANDING", ANNOUNCED: "ANNOUNCED", CANCELLED: "CANCELLED" } as const,
  {
    STANDING: { description: "It stood when the stream began." },
    ANNOUNCED: { description: "It was opened." },
    CANCELLED: { description: "It was cancelled." },
  },
);
export type CapacityChange = keyof typeof CapacityChange;

export const SlaBreachChange = words(
  "SlaBreachChange",
  "What a message of the breach stream tells about its breach.",
  { STANDING: "STANDING", OPENED: "OPENED", CLOSED: "CLOSED" } as const,
  {
    STANDING: { description: "Was open already when the stream began: part of the snapshot." },
    OPENED: { description: "Opened." },
    CLOSED: { description: "Closed." },
  },
);
export type SlaBreachChange = keyof typeof SlaBreachChange;

export const RoutingRefusal = words(
  "RoutingRefusal",
  "Why a candidate was passed over; the first reason that applies.",
  {
    MODEL_MISMATCH: "MODEL_MISMATCH",
    OFFERING_NOT_LIVE: "OFFERING_NOT_LIVE",
    ENDPOINT_NOT_LIVE: "ENDPOINT_NOT_LIVE",
    REGION_MISMATCH: "REGION_MISMATCH",
    TIER_BELOW_ASKED: "TIER_BELOW_ASKED",
    CONTEXT_TOO_LONG: "CONTEXT_TOO_LONG",
    IN_MAINTENANCE: "IN_MAINTENANCE",
    NO_CAPACITY_WINDOW: "NO_CAPACITY_WINDOW",
    NOT_PRICED: "NOT_PRICED",
    COOLING_DOWN: "COOLING_DOWN",
    SATURATED: "SATURATED",
    ALREADY_TRIED: "ALREADY_TRIED",
  } as const,
  {
    MODEL_MISMATCH: { description: "It offers another model." },
    OFFERING_NOT_LIVE: { description: "Its offering of the model is staged or withdrawn." },
    ENDPOINT_NOT_LIVE: { description: "It is not live." },
    REGION_MISMATCH: { description: "The request asks for another region." },
    TIER_BELOW_ASKED: { description: "The request asks for a higher service level." },
    CONTEXT_TOO_LONG: { description: "Prompt and output exceed what it takes." },
    IN_MAINTENANCE: { description: "It is in planned downtime." },
    NO_CAPACITY_WINDOW: { description: "No window lists a GPU there now." },
    NOT_PRICED: { description: "There is no fixing for its accelerator and region." },
    COOLING_DOWN: { description: "It failed or throttled lately and is given a rest." },
    SATURATED: { description: "All of its slots are taken." },
    ALREADY_TRIED: { description: "It has failed this request before." },
  },
);
export type RoutingRefusal = keyof typeof RoutingRefusal;

export const RoutingAttemptResult = words(
  "RoutingAttemptResult",
  "How one try at serving a request ended.",
  {
    OK: "OK",
    CONNECT: "CONNECT",
    TIMEOUT: "TIMEOUT",
    THROTTLED: "THROTTLED",
    STATUS_5XX: "STATUS_5XX",
    REFUSED: "REFUSED",
    REJECTED: "REJECTED",
    CUT: "CUT",
    CLIENT_GONE: "CLIENT_GONE",
  } as const,
  {
    OK: { description: "The answer was delivered." },
    CONNECT: { description: "No connection came about." },
    TIMEOUT: { description: "It did not answer in time." },
    THROTTLED: { description: "It asked to come back later." },
    STATUS_5XX: { description: "It failed with a status of the 500s." },
    REFUSED: { description: "It would not take the request, which says nothing about the request itself." },
    REJECTED: { description: "It found fault with the request, as any other would have." },
    CUT: { description: "It began an answer and did not finish it." },
    CLIENT_GONE: { description: "The client went away first." },
  },
);
export type RoutingAttemptResult = keyof typeof RoutingAttemptResult;

export const FixingFlag = words(
  "FixingFlag",
  "What was unusual about a fixing.",
  { STALE: "STALE", JUMP_GUARDED: "JUMP_GUARDED" } as const,
  {
    STALE: { description: "Too little was observed: the hour before holds on." },
    JUMP_GUARDED: { description: "A jump against the hour before was held back." },
  },
);
export type FixingFlag = keyof typeof FixingFlag;

export const ProcessRole = words(
  "ProcessRole",
  "What a process of the marketplace does.",
  { API: "API", RELAY: "RELAY", WORKER: "WORKER" } as const,
  {
    API: { description: "Serves this API." },
    RELAY: { description: "Serves the OpenAI-compatible API and forwards to providers." },
    WORKER: { description: "Publishes events, fixes prices, probes endpoints, judges service levels." },
  },
);
export type ProcessRole = keyof typeof ProcessRole;
