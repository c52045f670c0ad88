/** Every operation of the schema with arguments that are right when the ids in them are: the rows of the access matrix. */
import type { OrganisationKind } from "../../codegen/generated/graphql";
import { decodeId } from "../../schema/node";
import { anEndpoint, anOffering } from "../catalog/an-endpoint";
import { aRelayToken } from "../payouts/a-relay-token";
import { type ThingName, type Things, thingTypes } from "./planted-world";

export type Arguments = Record<string, unknown>;

export interface Row {
  /** `id` is the global id of a thing as the case wants it: own, foreign, missing, null or left out. */
  args(id: IdOf): Arguments | Promise<Arguments>;
  /** Whose mutation it is, besides an operator's; a mutation without is everybody's. */
  readonly for?: readonly OrganisationKind[];
  /** Answers nothing that is anybody's. */
  readonly wordless?: true;
  /** Of an answer that may be of any type: those that are asked for. */
  readonly types?: readonly string[];
  /** Ids that may be anybody's: a capital partner funds whom it likes. */
  readonly anybodys?: readonly ThingName[];
}

export type IdOf = (thing: ThingName) => string | null | undefined;

const none: Row = { args: () => ({}) };
const wordless: Row = { args: () => ({}), wordless: true };
const filter = (...ids: [string, ThingName][]): Row => ({
  args: (id) => ({ filter: Object.fromEntries(ids.map(([name, thing]) => [name, id(thing)])) }),
});
const provider: readonly OrganisationKind[] = ["PROVIDER"];
const startup: readonly OrganisationKind[] = ["STARTUP"];
const partner: readonly OrganisationKind[] = ["CAPITAL_PARTNER"];

const soon = () => new Date(Date.now() + 60_000).toISOString();
/** Of a global id, the row's; a token names that, whatever it is. */
const rowOf = (id: string | null | undefined): string => (id == null ? "" : (decodeId(id)?.key ?? ""));
let made = 0;
/** For what must be unique. */
const another = () => `zq-${++made}`;

export const queries: Readonly<Record<string, Row | readonly Row[]>> = {
  accelerators: wordless,
  accountingPeriods: wordless,
  accruals: filter(["providerId", "provider"]),
  apiKeys: filter(["organisationId", "organisation"]),
  auditEvents: [
    filter(["organisationId", "organisation"], ["subjectId", "member"]),
    // Neither has acted.
    { ...filter(["apiKeyId", "apiKey"], ["memberId", "member"]), wordless: true },
  ],
  blocks: filter(["capitalPartnerId", "partner"], ["creditLotId", "lot"]),
  budgetAlerts: filter(["startupId", "startup"], ["budgetId", "budget"]),
  budgets: filter(["startupId", "startup"], ["projectId", "project"]),
  capacityWindows: filter(["providerId", "provider"]),
  claims: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  capitalExport: {
    args: (id) => ({
      kind: "CREDIT_LOTS",
      filter: { capitalPartnerId: id("partner"), facilityId: id("facility") },
    }),
  },
  capitalPosition: { args: (id) => ({ capitalPartnerId: id("partner") }) },
  coverage: { args: (id) => ({ facilityId: id("facility") }) },
  coverageAlerts: filter(["facilityId", "facility"]),
  creditBalance: { args: (id) => ({ startupId: id("startup") }) },
  creditLots: filter(["startupId", "startup"], ["facilityId", "facility"]),
  creditUse: {
    args: (id) => ({ by: "STARTUP", filter: { capitalPartnerId: id("partner"), facilityId: id("facility") } }),
  },
  deliveries: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  drawdowns: filter(["startupId", "startup"], ["facilityId", "facility"]),
  endpoints: filter(["providerId", "provider"]),
  explainRoute: { args: (id) => ({ requestId: rowOf(id("decision")) }) },
  facilities: filter(["capitalPartnerId", "partner"]),
  fixings: wordless,
  flaggedUsage: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  flaggedUsageCounts: { args: () => ({ period: "2026-01" }) },
  hostedJobs: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  ledgerAccounts: [filter(["organisationId", "provider"]), filter(["facilityId", "facility"])],
  ledgerBalance: { args: (id) => ({ accountId: id("account") }) },
  ledgerEntries: { args: (id) => ({ accountId: id("account") }) },
  ledgerVerification: wordless,
  members: filter(["organisationId", "organisation"]),
  // It finds each as `node` does.
  nodes: {
    args: (id) => ({ ids: [id("endpoint"), id("usage"), id("facility"), id("member")] }),
    types: ["Endpoint", "Usage", "Facility", "Member"],
  },
  offerings: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  organisations: none,
  payoutAccounts: filter(["providerId", "provider"]),
  payoutExport: filter(["providerId", "provider"]),
  // A page of the usual size with all that hangs on its statements and accounts costs more than an operation may.
  payouts: { args: (id) => ({ first: 5, filter: { providerId: id("provider") } }) },
  pricingTiers: wordless,
  processes: wordless,
  projects: filter(["startupId", "startup"]),
  providers: none,
  rateCard: wordless,
  rateCards: filter(["providerId", "provider"]),
  rateLimit: wordless,
  redemptionPrices: wordless,
  revenueEstimate: { args: () => ({ input: { accelerator: "H100", monthlyGpuHours: 40_000 } }), wordless: true },
  routingCandidacies: none,
  routingDecision: { args: (id) => ({ by: { id: id("decision") } }) },
  routingDecisions: filter(["startupId", "startup"]),
  routingLosses: { ...filter(["providerId", "provider"]), wordless: true },
  sessions: filter(["organisationId", "organisation"]),
  slaBreaches: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  slaTiers: wordless,
  testClock: wordless,
  statementReplay: { args: (id) => ({ statementId: id("statement") }) },
  // With all that hangs on each, fifty would cost more than one operation may.
  statements: { args: (id) => ({ first: 20, filter: { providerId: id("provider") } }) },
  usage: filter(["startupId", "startup"]),
  workloadJobs: filter(["startupId", "startup"]),
  viewer: none,
};

/** `node` has a row for each type that an id may be of. */
export const nodeOf = (thing: ThingName): Row => ({
  args: (id) => ({ id: id(thing) }),
  types: [thingTypes[thing]],
});

/** In the order in which they are tried. */
export const mutations: Readonly<Record<string, Row>> = {
  apiKeyCreate: {
    args: (id) => ({ input: { organisationId: id("organisation"), name: "made by the matrix", scopes: ["READ"] } }),
  },
  capacityWindowOpen: {
    for: provider,
    args: (id) => ({
      input: {
        providerId: id("provider"),
        accelerator: "H100",
        region: "eu-north",
        zone: "eu-north-a",
        kind: "BASELINE",
        gpuCount: 8,
        startsAt: soon(),
      },
    }),
  },
  capacityWindowCancel: { for: provider, args: (id) => ({ input: { id: id("window") } }) },
  drawdownCreate: {
    for: partner,
    anybodys: ["startup"],
    args: (id) => ({
      input: { facilityId: id("facility"), startupId: id("startup"), amount: "1" },
      idempotencyKey: another(),
    }),
  },
  endpointRegister: {
    for: provider,
    args: async (id) => ({
      input: { ...(await anEndpoint({ baseUrl: `https://${another()}.gpu.example/v1` })), providerId: id("provider") },
    }),
  },
  facilityOpen: {
    for: partner,
    args: (id) => ({ input: { capitalPartnerId: id("partner"), name: "matrix", limit: "10", multiplier: "1.35" } }),
  },
  facilityChangeLimit: { for: partner, args: (id) => ({ input: { id: id("facility"), limit: "2000" } }) },
  memberAdd: {
    args: (id) => ({
      input: {
        organisationId: id("organisation"),
        email: `${another()}@people.example`,
        displayName: "Made by the matrix",
        role: "VIEWER",
      },
    }),
  },
  offeringPublish: {
    for: provider,
    args: (id) => ({ input: { ...anOffering("", { model: another() }), endpointId: id("endpoint") } }),
  },
  offeringMove: { for: provider, args: (id) => ({ input: { id: id("offering"), to: "WITHDRAWN" } }) },
  organisationCreate: { for: [], args: () => ({ input: { kind: "STARTUP", name: another() } }) },
  testClockAdvance: { for: [], args: () => ({ input: { by: "PT0.001S" } }) },
  spotPricesRecord: {
    for: [],
    args: () => ({
      input: {
        observations: [
          {
            accelerator: "H100",
            region: "eu-north",
            source: another(),
            price: "2.5",
            confidence: "0.9",
            observedAt: new Date().toISOString(),
          },
        ],
      },
    }),
  },
  claimSubmit: {
    for: provider,
    args: (id) => ({
      input: {
        relayToken: aRelayToken(rowOf(id("endpoint"))),
        offeringId: id("offering"),
        promptTokens: 10,
        completionTokens: 1_000,
      },
      idempotencyKey: another(),
    }),
  },
  claimDecide: {
    for: [],
    args: (id) => ({ input: { id: id("claim"), pay: true, reason: "the relay was down" }, idempotencyKey: another() }),
  },
  rateCardPropose: {
    for: [],
    args: (id) => ({
      input: {
        providerId: id("provider"),
        effectiveAt: soon(),
        reason: "made by the matrix",
        baseShare: "0.85",
        tierReading: "VOLUME",
        premiumReading: "POINTS",
        tiers: [{ upToGpuHours: "200000", premium: "0.04" }, { premium: "0.05" }],
      },
    }),
  },
  rateCardApprove: { for: [], args: (id) => ({ input: { id: id("proposal") } }) },
  rateCardRetire: { for: [], args: (id) => ({ input: { id: id("rateCard") } }) },
  statementDispute: {
    for: provider,
    args: (id) => ({ input: { lineId: id("statementLine"), reason: "made by the matrix" } }),
  },
  disputeResolve: {
    for: [],
    args: (id) => ({
      input: { id: id("dispute"), outcome: "UPHELD", answer: "made by the matrix", credit: "0.5" },
      idempotencyKey: another(),
    }),
  },
  statementApprove: {
    for: provider,
    args: (id) => ({ input: { id: id("statement") }, idempotencyKey: another() }),
  },
  statementFinalise: { for: [], args: (id) => ({ input: { id: id("reviewed") }, idempotencyKey: another() }) },
  creditNoteCreate: {
    for: [],
    args: (id) => ({
      input: { statementId: id("settled"), amount: "-1", reason: "made by the matrix" },
      idempotencyKey: another(),
    }),
  },
  periodClose: { for: [], args: () => ({ input: { period: "2026-10" }, idempotencyKey: another() }) },
  payoutConfirm: {
    for: [],
    args: (id) => ({
      input: { id: id("payout"), outcome: "RETURNED", code: "AC04", reason: "closed" },
      idempotencyKey: another(),
    }),
  },
  payoutReissue: { for: [], args: (id) => ({ input: { id: id("payout") }, idempotencyKey: another() }) },
  payoutHold: { for: [], args: (id) => ({ input: { id: id("payout"), reason: "made by the matrix" } }) },
  payoutRelease: { for: [], args: (id) => ({ input: { id: id("payout") } }) },
  payoutAccountConfirm: { for: provider, args: (id) => ({ input: { id: id("payoutAccount") } }) },
  payoutAccountCancel: { for: provider, args: (id) => ({ input: { id: id("payoutAccount") } }) },
  // While another waits or cools, there is nothing to propose and nothing to approve.
  payoutAccountPropose: {
    for: provider,
    args: (id) => ({
      input: {
        providerId: id("provider"),
        holder: "made by the matrix",
        iban: "DE89370400440532013000",
        bic: "COBADEFFXXX",
        country: "DE",
      },
    }),
  },
  payoutApprove: { for: [], args: (id) => ({ input: { id: id("payout") } }) },
  payoutRun: { for: [], args: () => ({ input: { note: "made by the matrix" }, idempotencyKey: another() }) },
  projectCreate: { for: startup, args: (id) => ({ input: { startupId: id("startup"), name: another() } }) },
  projectRename: { for: startup, args: (id) => ({ input: { id: id("project"), name: another() } }) },
  apiKeyMove: { for: startup, args: (id) => ({ input: { id: id("apiKey"), projectId: id("project") } }) },
  budgetCreate: {
    for: startup,
    args: (id) => ({
      input: { owner: { projectId: id("spare") }, amount: "10", period: "MONTH", hardStop: true },
    }),
  },
  budgetChange: { for: startup, args: (id) => ({ input: { id: id("budget"), amount: "20" } }) },
  // After all that need it alive.
  budgetRemove: { for: startup, args: (id) => ({ input: { id: id("budget") } }) },
  projectArchive: { for: startup, args: (id) => ({ input: { id: id("spare") } }) },
  memberChangeRole: { args: (id) => ({ input: { id: id("member"), role: "ADMIN" } }) },
  sessionRevoke: { args: (id) => ({ input: { id: id("session") } }) },
  memberRemove: { args: (id) => ({ input: { id: id("member") } }) },
  apiKeyChangeLimits: { args: (id) => ({ input: { id: id("apiKey"), limits: { requestsPerMinute: 60 } } }) },
  apiKeyRotate: { args: (id) => ({ input: { id: id("apiKey") } }) },
  endpointMove: { for: provider, args: (id) => ({ input: { id: id("endpoint"), to: "RETIRED" } }) },

  // After every drawdown: nothing is drawn from what is blocked.
  creditBlock: {
    for: partner,
    args: (id) => ({
      input: { target: { facilityId: id("facility") }, reason: "DISPUTE" },
      idempotencyKey: another(),
    }),
  },
  creditUnblock: { for: partner, args: (id) => ({ input: { id: id("block") }, idempotencyKey: another() }) },
  blockAssign: { for: partner, args: (id) => ({ input: { id: id("defaulted") }, idempotencyKey: another() }) },

  facilityClose: { for: partner, args: (id) => ({ input: { id: id("facility") } }) },
  apiKeyRevoke: { args: (id) => ({ input: { id: id("apiKey") } }) },
};

export const subscriptions: Readonly<Record<string, Row>> = {
  blockChanges: none,
  budgetAlerts: none,
  capacityChanges: none,
  coverage: { args: (id) => ({ facilityId: id("facility") }) },
  coverageAlerts: none,
  creditBalance: { args: (id) => ({ startupId: id("startup") }) },
  payoutAccountChanges: none,
  payoutChanges: none,
  quotes: wordless,
  slaBreaches: none,
  statementChanges: none,
  workloadJobChanges: none,
  utilization: { args: (id) => ({ endpointId: id("endpoint"), providerId: id("provider") }) },
};

/** The things that a row asks ids of. */
export async function thingsIn(row: Row, things: Things): Promise<ThingName[]> {
  const asked = new Set<ThingName>();
  await row.args((thing) => {
    asked.add(thing);
    return things[thing];
  });
  return [...asked];
}
