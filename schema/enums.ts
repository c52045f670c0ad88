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

const refusalWords = {
  MODEL_MISMATCH: { description: "It offers another model." },
  OFFERING_NOT_LIVE: { description: "Its offering of the model is staged or withdrawn." },
  ENDPOINT_NOT_LIVE: { description: "It is not live." },
  REGION_MISMATCH: { description: "The request asks for another region." },
  TIER_BELOW_ASKED: { description: "The request asks for a higher service level." },
  ACCELERATOR_NOT_COVERED: { description: "The credit that pays for the request is kept for other accelerators." },
  CONTEXT_TOO_LONG: { description: "Prompt and output exceed what it takes." },
  IN_MAINTENANCE: { description: "It is in planned downtime." },
  NO_CAPACITY_WINDOW: { description: "No window lists a GPU there now." },
  NOT_PRICED: { description: "There is no fixing for its accelerator and region." },
  COOLING_DOWN: { description: "It failed or throttled lately and is given a rest." },
  SATURATED: { description: "All of its slots are taken." },
  ALREADY_TRIED: { description: "It has failed this request before." },
};

export const RoutingRefusal = words(
  "RoutingRefusal",
  "Why a candidate was passed over; the first reason that applies.",
  {
    MODEL_MISMATCH: "MODEL_MISMATCH",
    OFFERING_NOT_LIVE: "OFFERING_NOT_LIVE",
    ENDPOINT_NOT_LIVE: "ENDPOINT_NOT_LIVE",
    REGION_MISMATCH: "REGION_MISMATCH",
    TIER_BELOW_ASKED: "TIER_BELOW_ASKED",
    ACCELERATOR_NOT_COVERED: "ACCELERATOR_NOT_COVERED",
    CONTEXT_TOO_LONG: "CONTEXT_TOO_LONG",
    IN_MAINTENANCE: "IN_MAINTENANCE",
    NO_CAPACITY_WINDOW: "NO_CAPACITY_WINDOW",
    NOT_PRICED: "NOT_PRICED",
    COOLING_DOWN: "COOLING_DOWN",
    SATURATED: "SATURATED",
    ALREADY_TRIED: "ALREADY_TRIED",
  } as const,
  refusalWords,
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

export const RoutingLossReason = words(
  "RoutingLossReason",
  "Why a request was served by others; of several reasons the one that came closest to serving it.",
  { ...RoutingRefusal, NOT_DRAWN: "NOT_DRAWN", ATTEMPT_FAILED: "ATTEMPT_FAILED" } as const,
  {
    ...refusalWords,
    NOT_DRAWN: {
      description: "It could have served it; another was drawn: fewer slots free, a higher price, or more work ahead.",
    },
    ATTEMPT_FAILED: { description: "It was tried, and failed before the first content." },
  },
);
export type RoutingLossReason = keyof typeof RoutingLossReason;

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

export const ClientSegment = words(
  "ClientSegment",
  "How far a startup is: what providers learn of their clients instead of names.",
  {
    UNSPECIFIED: "UNSPECIFIED",
    PRE_SEED: "PRE_SEED",
    SEED: "SEED",
    SERIES_A: "SERIES_A",
    SERIES_B: "SERIES_B",
    GROWTH: "GROWTH",
    ENTERPRISE: "ENTERPRISE",
  } as const,
  {
    UNSPECIFIED: { description: "Not told." },
    PRE_SEED: { description: "Before its first round." },
    SEED: { description: "After its seed round." },
    SERIES_A: { description: "After its series A." },
    SERIES_B: { description: "After its series B." },
    GROWTH: { description: "After a later round." },
    ENTERPRISE: { description: "A large company." },
  },
);
export type ClientSegment = keyof typeof ClientSegment;

export const Workload = words(
  "Workload",
  "What kind of work a request is.",
  { INFERENCE: "INFERENCE", EMBEDDINGS: "EMBEDDINGS", BATCH: "BATCH", FINE_TUNING: "FINE_TUNING" } as const,
  {
    INFERENCE: { description: "An answer while the client waits." },
    EMBEDDINGS: { description: "Vectors of texts." },
    BATCH: { description: "Many requests in one file, answered within a day." },
    FINE_TUNING: { description: "Training of a model." },
  },
);
export type Workload = keyof typeof Workload;

/** Inside only: how a lease stands. */
export type LeaseState = "ACTIVE" | "RETURNED" | "SWEPT";

export const RateCardState = words(
  "RateCardState",
  "How far a rate card is.",
  { PROPOSED: "PROPOSED", APPROVED: "APPROVED", RETIRED: "RETIRED" } as const,
  {
    PROPOSED: { description: "Waits for a second person." },
    APPROVED: { description: "In force from its instant until another follows it." },
    RETIRED: { description: "Taken back: the provider's earlier card, or else the standard one, holds again." },
  },
);
export type RateCardState = keyof typeof RateCardState;

export const StatementState = words(
  "StatementState",
  "How far a statement is.",
  { DRAFT: "DRAFT", IN_REVIEW: "IN_REVIEW", DISPUTED: "DISPUTED", FINAL: "FINAL" } as const,
  {
    DRAFT: { description: "Worked out, not yet shown to match the ledger." },
    IN_REVIEW: { description: "The provider reads it; silence until the review ends is approval." },
    DISPUTED: { description: "A line is objected to: it cannot become final before the answer." },
    FINAL: { description: "Owed as it stands; nothing of it changes any more." },
  },
);
export type StatementState = keyof typeof StatementState;

export const StatementLineKind = words(
  "StatementLineKind",
  "What a line of a statement is about.",
  {
    ACCRUAL: "ACCRUAL",
    TRUE_UP: "TRUE_UP",
    CLAIM: "CLAIM",
    SLA_ADJUSTMENT: "SLA_ADJUSTMENT",
    CREDIT_NOTE: "CREDIT_NOTE",
    HOLDBACK: "HOLDBACK",
    HOLDBACK_RELEASE: "HOLDBACK_RELEASE",
  } as const,
  {
    ACCRUAL: { description: "GPU time delivered at one fixing." },
    TRUE_UP: { description: "What the tier that the whole month reached changes about its accruals." },
    CLAIM: { description: "Work for which a claim was allowed." },
    SLA_ADJUSTMENT: { description: "Taken off for an endpoint that missed its uptime." },
    CREDIT_NOTE: { description: "A correction, after a dispute or of an earlier statement." },
    HOLDBACK: { description: "Kept back until a later statement." },
    HOLDBACK_RELEASE: { description: "Kept back on an earlier statement and paid now." },
  },
);
export type StatementLineKind = keyof typeof StatementLineKind;

export const StatementDisputeState = words(
  "StatementDisputeState",
  "How a dispute stands.",
  { OPEN: "OPEN", UPHELD: "UPHELD", DISMISSED: "DISMISSED" } as const,
  {
    OPEN: { description: "Not answered yet." },
    UPHELD: { description: "The provider was right: the statement has been corrected." },
    DISMISSED: { description: "The line stands." },
  },
);
export type StatementDisputeState = keyof typeof StatementDisputeState;

export const PayoutState = words(
  "PayoutState",
  "How far a payout is.",
  {
    SCHEDULED: "SCHEDULED",
    SUBMITTED: "SUBMITTED",
    IN_TRANSIT: "IN_TRANSIT",
    SETTLED: "SETTLED",
    RETURNED: "RETURNED",
    CARRIED: "CARRIED",
  } as const,
  {
    SCHEDULED: { description: "Due; it leaves with the next run unless something holds it, see `heldFor`." },
    SUBMITTED: { description: "Taken off the statement and handed to the bank." },
    IN_TRANSIT: { description: "The bank is paying it." },
    SETTLED: { description: "The provider has it." },
    RETURNED: { description: "The bank gave it back: it is owed again, and can be reissued." },
    CARRIED: { description: "Less than a cent: all of it goes into the provider's next payout." },
  },
);
export type PayoutState = keyof typeof PayoutState;

export const PayoutHoldReason = words(
  "PayoutHoldReason",
  "Why a scheduled payout does not leave.",
  {
    NO_RAIL: "NO_RAIL",
    NO_ACCOUNT: "NO_ACCOUNT",
    ACCOUNT_COOLING: "ACCOUNT_COOLING",
    FROZEN: "FROZEN",
    APPROVAL_MISSING: "APPROVAL_MISSING",
  } as const,
  {
    NO_RAIL: { description: "This marketplace has no way to pay configured." },
    NO_ACCOUNT: { description: "The provider has no confirmed bank account." },
    ACCOUNT_COOLING: { description: "The provider's bank account was changed a short time ago." },
    FROZEN: { description: "An operator holds it, e.g. for a dispute." },
    APPROVAL_MISSING: { description: "It is so large that two operators have to approve it." },
  },
);
export type PayoutHoldReason = keyof typeof PayoutHoldReason;

export const PayoutRailKind = words(
  "PayoutRailKind",
  "By which way a payout was handed to a bank.",
  { SIMULATED_BANK: "SIMULATED_BANK", PAIN_001: "PAIN_001" } as const,
  {
    SIMULATED_BANK: { description: "A simulated bank over HTTP: no money moves." },
    PAIN_001: { description: "An ISO 20022 pain.001 file, which an operator carries to a bank." },
  },
);
export type PayoutRailKind = keyof typeof PayoutRailKind;

export const PayoutOutcome = words(
  "PayoutOutcome",
  "What an operator saw become of a payment at the bank.",
  { IN_TRANSIT: "IN_TRANSIT", SETTLED: "SETTLED", RETURNED: "RETURNED" } as const,
  {
    IN_TRANSIT: { description: "The bank is paying it." },
    SETTLED: { description: "The provider has it." },
    RETURNED: { description: "The bank gave it back." },
  },
);
export type PayoutOutcome = keyof typeof PayoutOutcome;

export const PayoutChange = words(
  "PayoutChange",
  "What a message of the stream of payouts tells.",
  {
    STANDING: "STANDING",
    SCHEDULED: "SCHEDULED",
    SUBMITTED: "SUBMITTED",
    IN_TRANSIT: "IN_TRANSIT",
    SETTLED: "SETTLED",
    RETURNED: "RETURNED",
    CARRIED: "CARRIED",
    HELD: "HELD",
    RELEASED: "RELEASED",
    APPROVED: "APPROVED",
  } as const,
  {
    STANDING: { description: "It was under way when the stream was opened." },
    SCHEDULED: { description: "It fell due, or is tried again." },
    SUBMITTED: { description: "It was handed to the bank." },
    IN_TRANSIT: { description: "The bank is paying it." },
    SETTLED: { description: "The provider has it." },
    RETURNED: { description: "The bank gave it back." },
    CARRIED: { description: "It was less than a cent and goes into the next one." },
    HELD: { description: "An operator holds it." },
    RELEASED: { description: "It is held by an operator no longer." },
    APPROVED: { description: "An operator approved it." },
  },
);
export type PayoutChange = keyof typeof PayoutChange;

export const PayoutAccountState = words(
  "PayoutAccountState",
  "How a provider's bank account stands.",
  { PROPOSED: "PROPOSED", COOLING: "COOLING", ACTIVE: "ACTIVE", REPLACED: "REPLACED", CANCELLED: "CANCELLED" } as const,
  {
    PROPOSED: { description: "Waits for a second person." },
    COOLING: { description: "Confirmed; nothing is paid to the provider until its cooling period is over." },
    ACTIVE: { description: "Payouts go to it." },
    REPLACED: { description: "Payouts go to a later one." },
    CANCELLED: { description: "Taken back before anything was paid to it." },
  },
);
export type PayoutAccountState = keyof typeof PayoutAccountState;

export const PayoutAccountChange = words(
  "PayoutAccountChange",
  "What a message of the stream of bank accounts tells.",
  { STANDING: "STANDING", PROPOSED: "PROPOSED", CONFIRMED: "CONFIRMED", CANCELLED: "CANCELLED" } as const,
  {
    STANDING: { description: "It stood when the stream was opened." },
    PROPOSED: { description: "Somebody proposed it." },
    CONFIRMED: { description: "A second person confirmed it: its cooling period runs." },
    CANCELLED: { description: "It was taken back." },
  },
);
export type PayoutAccountChange = keyof typeof PayoutAccountChange;

export const BlockScope = words(
  "BlockScope",
  "What a block covers.",
  { FACILITY: "FACILITY", WALLET: "WALLET", LOT: "LOT" } as const,
  {
    FACILITY: { description: "Every lot that was drawn from a facility; nothing more is drawn meanwhile." },
    WALLET: {
      description:
        "Every lot of a startup that is the blocking partner's; all of them, when an operator blocks. Nothing is drawn into it meanwhile.",
    },
    LOT: { description: "One credit lot." },
  },
);
export type BlockScope = keyof typeof BlockScope;

export const BlockReason = words(
  "BlockReason",
  "Why credit is blocked.",
  {
    DEFAULT_RISK: "DEFAULT_RISK",
    DEFAULT: "DEFAULT",
    COMPLIANCE: "COMPLIANCE",
    FRAUD_SUSPECTED: "FRAUD_SUSPECTED",
    DISPUTE: "DISPUTE",
    OTHER: "OTHER",
  } as const,
  {
    DEFAULT_RISK: { description: "The startup may not meet its obligations." },
    DEFAULT: { description: "It did not meet them; what is left may be assigned to the lender." },
    COMPLIANCE: { description: "A rule or an authority demands it." },
    FRAUD_SUSPECTED: { description: "The credit may be used by somebody who has no right to it." },
    DISPUTE: { description: "The parties disagree about it." },
    OTHER: { description: "Something else, which the explanation says." },
  },
);
export type BlockReason = keyof typeof BlockReason;

export const BlockState = words(
  "BlockState",
  "How a block stands.",
  { PLACING: "PLACING", ACTIVE: "ACTIVE", REFUSED: "REFUSED", LIFTED: "LIFTED", ASSIGNED: "ASSIGNED" } as const,
  {
    PLACING: {
      description: "The ledger lends and holds nothing of it any more; relay processes are giving back what they had.",
    },
    ACTIVE: { description: "No relay process can set anything of it aside." },
    REFUSED: { description: "Less came back than was to be blocked; nothing is." },
    LIFTED: { description: "Everything is as it was." },
    ASSIGNED: { description: "After a default, what it covered went to the lender." },
  },
);
export type BlockState = keyof typeof BlockState;

export const BlockChange = words(
  "BlockChange",
  "What a message of the stream of blocks tells.",
  { STANDING: "STANDING", CHANGED: "CHANGED" } as const,
  {
    STANDING: { description: "It stood when the stream was opened." },
    CHANGED: { description: "It was placed, took effect, was lifted or assigned: its state says which." },
  },
);
export type BlockChange = keyof typeof BlockChange;

export const BudgetPeriod = words(
  "BudgetPeriod",
  "How long a budget lasts.",
  { MONTH: "MONTH", TOTAL: "TOTAL" } as const,
  {
    MONTH: { description: "Anew each month, UTC." },
    TOTAL: { description: "Once and for all." },
  },
);
export type BudgetPeriod = keyof typeof BudgetPeriod;

export const BudgetAlertChange = words(
  "BudgetAlertChange",
  "What a message of the budget alerts tells.",
  { STANDING: "STANDING", RAISED: "RAISED" } as const,
  {
    STANDING: { description: "It was raised in the current period, before the stream was opened." },
    RAISED: { description: "A budget was spent up to the threshold." },
  },
);
export type BudgetAlertChange = keyof typeof BudgetAlertChange;

export const ClaimState = words(
  "ClaimState",
  "How a provider's claim stands.",
  { SUBMITTED: "SUBMITTED", PAID: "PAID", REJECTED: "REJECTED" } as const,
  {
    SUBMITTED: { description: "Its amount waits in suspense for an operator's decision." },
    PAID: { description: "It went into what the provider is owed for the month." },
    REJECTED: { description: "An operator decided against it, and said why." },
  },
);
export type ClaimState = keyof typeof ClaimState;

export const ClaimBound = words(
  "ClaimBound",
  "What limits the amount of a claim.",
  {
    CLAIM: "CLAIM",
    OFFERING: "OFFERING",
    REQUEST_BODY: "REQUEST_BODY",
    HOLD: "HOLD",
    POLICY: "POLICY",
  } as const,
  {
    CLAIM: { description: "Nothing but the claim itself: it lies within every bound." },
    OFFERING: { description: "The offering takes and gives no more tokens than that in one request." },
    REQUEST_BODY: { description: "The body, proven by the token's hash, neither says nor allows more." },
    HOLD: { description: "No more than that was set aside for the request." },
    POLICY: { description: "No claim is worth more." },
  },
);
export type ClaimBound = keyof typeof ClaimBound;

export const CreditUseBy = words(
  "CreditUseBy",
  "By what the use of credit is told apart.",
  { STARTUP: "STARTUP", PROVIDER_SEGMENT: "PROVIDER_SEGMENT", ACCELERATOR: "ACCELERATOR" } as const,
  {
    STARTUP: { description: "By who spent it." },
    PROVIDER_SEGMENT: {
      description: "By the region and service level that it was spent at; providers have no names here.",
    },
    ACCELERATOR: { description: "By the GPU model that it was spent on." },
  },
);
export type CreditUseBy = keyof typeof CreditUseBy;

export const CapitalExportKind = words(
  "CapitalExportKind",
  "What a capital partner takes along as a file.",
  { DRAWDOWNS: "DRAWDOWNS", CREDIT_LOTS: "CREDIT_LOTS", CREDIT_USE: "CREDIT_USE" } as const,
  {
    DRAWDOWNS: { description: "A row per drawdown." },
    CREDIT_LOTS: { description: "A row per credit lot, with what is left of it." },
    CREDIT_USE: { description: "A row per facility, startup, hour and kind of place at which credit was spent." },
  },
);
export type CapitalExportKind = keyof typeof CapitalExportKind;

export const CoverageAlertChange = words(
  "CoverageAlertChange",
  "What a message of the coverage alerts tells.",
  { STANDING: "STANDING", OPENED: "OPENED", CLOSED: "CLOSED" } as const,
  {
    STANDING: { description: "Open when the stream began." },
    OPENED: { description: "Coverage fell below its floor." },
    CLOSED: { description: "Coverage is back at its floor, or nothing is left to cover." },
  },
);
export type CoverageAlertChange = keyof typeof CoverageAlertChange;

export const LedgerAccountKind = words(
  "LedgerAccountKind",
  "What a ledger account holds.",
  {
    CASH_TRUST: "CASH_TRUST",
    FACILITY_BACKING: "FACILITY_BACKING",
    PROVIDER_PAYABLE: "PROVIDER_PAYABLE",
    STATEMENT_PAYABLE: "STATEMENT_PAYABLE",
    HOLDBACK: "HOLDBACK",
    PAYOUT_IN_TRANSIT: "PAYOUT_IN_TRANSIT",
    PARTNER_PRINCIPAL: "PARTNER_PRINCIPAL",
    FACILITY_FEES: "FACILITY_FEES",
    REVENUE_SPREAD: "REVENUE_SPREAD",
    REVENUE_ORIGINATION: "REVENUE_ORIGINATION",
    REVENUE_SERVICING: "REVENUE_SERVICING",
    REVENUE_BREAKAGE: "REVENUE_BREAKAGE",
    RESERVE_SLA: "RESERVE_SLA",
    SUSPENSE_CLAIMS: "SUSPENSE_CLAIMS",
    EXPENSE_CLAIMS: "EXPENSE_CLAIMS",
    CREDIT_ISSUANCE: "CREDIT_ISSUANCE",
    WALLET_LOT: "WALLET_LOT",
    LEASED: "LEASED",
    BLOCKED: "BLOCKED",
    CREDIT_REDEEMED: "CREDIT_REDEEMED",
    CREDIT_BREAKAGE: "CREDIT_BREAKAGE",
    CREDIT_ASSIGNED: "CREDIT_ASSIGNED",
  } as const,
  {
    CASH_TRUST: { description: "Dollars in trust; a balance below zero is what is there." },
    FACILITY_BACKING: { description: "Dollars of a facility that stand behind issued credit." },
    PROVIDER_PAYABLE: { description: "What a provider earned in one month and no statement has taken up." },
    STATEMENT_PAYABLE: { description: "What is owed on one statement." },
    HOLDBACK: { description: "What is kept back from a provider for a time." },
    PAYOUT_IN_TRANSIT: { description: "Payouts that the bank has and has not settled." },
    PARTNER_PRINCIPAL: { description: "Dollars that went back to a capital partner." },
    FACILITY_FEES: { description: "Fees that a facility owes; a balance below zero is what is owed." },
    REVENUE_SPREAD: { description: "What charges leave once providers are paid." },
    REVENUE_ORIGINATION: { description: "Fees for issuing credit." },
    REVENUE_SERVICING: { description: "Fees for keeping facilities." },
    REVENUE_BREAKAGE: { description: "Backing of credit that expired." },
    RESERVE_SLA: { description: "What statements were reduced by for broken promises." },
    SUSPENSE_CLAIMS: { description: "Claims of providers that are not decided." },
    EXPENSE_CLAIMS: { description: "Claims of providers that were granted." },
    CREDIT_ISSUANCE: { description: "Credit that a facility issued, as a balance below zero." },
    WALLET_LOT: { description: "Credit of one lot that is free, or held for requests." },
    LEASED: { description: "Credit of one lot that is lent to relays." },
    BLOCKED: { description: "Credit of one lot that its lender froze." },
    CREDIT_REDEEMED: { description: "Credit of a facility that was spent." },
    CREDIT_BREAKAGE: { description: "Credit of one lot that expired." },
    CREDIT_ASSIGNED: { description: "Credit of one lot that went to its lender." },
  },
);
export type LedgerAccountKind = keyof typeof LedgerAccountKind;

export const LedgerSide = words(
  "LedgerSide",
  "Which side of an account an entry is on.",
  { DEBIT: "DEBIT", CREDIT: "CREDIT" } as const,
  { DEBIT: { description: "The transfer leaves the account." }, CREDIT: { description: "It arrives." } },
);
export type LedgerSide = keyof typeof LedgerSide;

export const LedgerFaultKind = words(
  "LedgerFaultKind",
  "What is wrong with a row of the ledger's history.",
  {
    TRANSFER_ALTERED: "TRANSFER_ALTERED",
    TRANSFER_MISSING: "TRANSFER_MISSING",
    TRANSFER_ADDED: "TRANSFER_ADDED",
    ENTRY_ALTERED: "ENTRY_ALTERED",
    ENTRY_MISSING: "ENTRY_MISSING",
    ENTRY_ADDED: "ENTRY_ADDED",
    ENTRY_WRONG: "ENTRY_WRONG",
    PAGE_ALTERED: "PAGE_ALTERED",
    PAGE_MISSING: "PAGE_MISSING",
    CHAIN_BROKEN: "CHAIN_BROKEN",
    COUNTERS_DIFFER: "COUNTERS_DIFFER",
  } as const,
  {
    TRANSFER_ALTERED: { description: "A transfer is not as it was written." },
    TRANSFER_MISSING: { description: "A transfer is gone." },
    TRANSFER_ADDED: { description: "A transfer stands where none was written." },
    ENTRY_ALTERED: { description: "An entry is not as it was written." },
    ENTRY_MISSING: { description: "An entry is gone." },
    ENTRY_ADDED: { description: "An entry stands where none was written." },
    ENTRY_WRONG: { description: "An entry was written otherwise than its transfer and the entry before it say." },
    PAGE_ALTERED: { description: "A page of the journal is not what its hash was made of." },
    PAGE_MISSING: { description: "A page of the journal is gone." },
    CHAIN_BROKEN: {
      description: "A page was written anew: the one after it, or a hash that was noted elsewhere, names another.",
    },
    COUNTERS_DIFFER: { description: "An account's counters are not what its entries add up to." },
  },
);
export type LedgerFaultKind = keyof typeof LedgerFaultKind;

export const DisputeOutcome = words(
  "DisputeOutcome",
  "How a dispute is answered.",
  { UPHELD: "UPHELD", DISMISSED: "DISMISSED" } as const,
  { UPHELD: { description: "The provider is right." }, DISMISSED: { description: "The line stands." } },
);
export type DisputeOutcome = keyof typeof DisputeOutcome;

export const CountPrecision = words(
  "CountPrecision",
  "Whether a count is all there is.",
  { EXACT: "EXACT", AT_LEAST: "AT_LEAST" } as const,
  {
    EXACT: { description: "There are so many." },
    AT_LEAST: { description: "There are more: counting ended here." },
  },
);
export type CountPrecision = keyof typeof CountPrecision;

export const WorkloadKind = words(
  "WorkloadKind",
  "What a workload job does.",
  { BATCH: "BATCH", FINE_TUNING: "FINE_TUNING" } as const,
  {
    BATCH: { description: "Answers the many requests of one file within a day." },
    FINE_TUNING: { description: "Trains a model on the examples of a file." },
  },
);
export type WorkloadKind = keyof typeof WorkloadKind;

export const WorkloadJobState = words(
  "WorkloadJobState",
  "How far a workload job is. Its credit is held until it has ended, whichever way.",
  {
    QUEUED: "QUEUED",
    SUBMITTED: "SUBMITTED",
    RUNNING: "RUNNING",
    FINALISING: "FINALISING",
    SUCCEEDED: "SUCCEEDED",
    FAILED: "FAILED",
    CANCELLED: "CANCELLED",
    EXPIRED: "EXPIRED",
  } as const,
  {
    QUEUED: { description: "Its credit is held; its provider does not know of it yet." },
    SUBMITTED: { description: "The provider has taken it and has not begun." },
    RUNNING: { description: "The provider works on it; it is charged stage by stage." },
    FINALISING: { description: "The work is done, its results are being put together." },
    SUCCEEDED: { description: "Ended with all of its results." },
    FAILED: {
      description: "Ended without: `failure` says why. What was delivered before is charged, the rest is free.",
    },
    CANCELLED: { description: "Ended by its startup. What was done until then is charged." },
    EXPIRED: { description: "Ended because its time was over. What was delivered until then is charged." },
  },
);
export type WorkloadJobState = keyof typeof WorkloadJobState;

export const WorkloadFailure = words(
  "WorkloadFailure",
  "Why a workload job failed.",
  {
    INPUT_INVALID: "INPUT_INVALID",
    PROVIDER_REFUSED: "PROVIDER_REFUSED",
    PROVIDER_FAILED: "PROVIDER_FAILED",
    PROVIDER_SILENT: "PROVIDER_SILENT",
    NO_PROGRESS: "NO_PROGRESS",
    OVERDUE: "OVERDUE",
    HOLD_LOST: "HOLD_LOST",
  } as const,
  {
    INPUT_INVALID: { description: "Its file cannot be read; nothing ran, nothing was charged." },
    PROVIDER_REFUSED: { description: "The provider did not take it; nothing was charged." },
    PROVIDER_FAILED: { description: "The provider said that it failed." },
    PROVIDER_SILENT: { description: "The provider could not be reached for longer than a job may be out of sight." },
    NO_PROGRESS: { description: "The provider answered, but nothing moved for longer than a job may stand still." },
    OVERDUE: { description: "Its time was over before its work was." },
    HOLD_LOST: { description: "Its hold was gone before it ended: a fault of ours, which an alarm tells." },
  },
);
export type WorkloadFailure = keyof typeof WorkloadFailure;
