/** Every operation of the schema with arguments that are right when the ids in them are: the rows of the access matrix. */
import type { OrganisationKind } from "../../codegen/generated/graphql";
import { anEndpoint, anOffering } from "../catalog/an-endpoint";
import type { ThingName, Things } from "./planted-world";

export type Arguments = Record<string, unknown>;

export interface Row {
  /** `id` is the global id of a thing as the case wants it: own, foreign, missing, null or left out. */
  args(id: IdOf): Arguments | Promise<Arguments>;
  /** Whose mutation it is, besides an operator's; a mutation without is everybody's. */
  readonly for?: readonly OrganisationKind[];
  /** Answers nothing that is anybody's. */
  readonly wordless?: true;
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
const partner: readonly OrganisationKind[] = ["CAPITAL_PARTNER"];

const soon = () => new Date(Date.now() + 60_000).toISOString();
let made = 0;
/** For what must be unique. */
const another = () => `zq-${++made}`;

export const queries: Readonly<Record<string, Row | readonly Row[]>> = {
  accelerators: wordless,
  accruals: filter(["providerId", "provider"]),
  apiKeys: filter(["organisationId", "organisation"]),
  auditEvents: [
    filter(["organisationId", "organisation"], ["subjectId", "member"]),
    // Neither has acted.
    { ...filter(["apiKeyId", "apiKey"], ["memberId", "member"]), wordless: true },
  ],
  capacityWindows: filter(["providerId", "provider"]),
  creditBalance: { args: (id) => ({ startupId: id("startup") }) },
  creditLots: filter(["startupId", "startup"], ["facilityId", "facility"]),
  deliveries: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  drawdowns: filter(["startupId", "startup"], ["facilityId", "facility"]),
  endpoints: filter(["providerId", "provider"]),
  facilities: filter(["capitalPartnerId", "partner"]),
  fixings: wordless,
  members: filter(["organisationId", "organisation"]),
  // It finds each as `node` does.
  nodes: { args: (id) => ({ ids: [id("endpoint"), id("usage"), id("facility"), id("member")] }) },
  offerings: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  organisations: none,
  pricingTiers: wordless,
  processes: wordless,
  providers: none,
  rateCard: wordless,
  rateLimit: wordless,
  revenueEstimate: { args: () => ({ input: { accelerator: "H100", monthlyGpuHours: 40_000 } }), wordless: true },
  routingCandidacies: none,
  routingDecision: { args: (id) => ({ by: { id: id("decision") } }) },
  routingDecisions: filter(["startupId", "startup"]),
  sessions: filter(["organisationId", "organisation"]),
  slaBreaches: filter(["providerId", "provider"], ["endpointId", "endpoint"]),
  slaTiers: wordless,
  usage: filter(["startupId", "startup"]),
  viewer: none,
};

/** `node` has a row for each type that an id may be of. */
export const nodeOf = (thing: ThingName): Row => ({ args: (id) => ({ id: id(thing) }) });

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
  // After all that need it alive.
  memberChangeRole: { args: (id) => ({ input: { id: id("member"), role: "ADMIN" } }) },
  sessionRevoke: { args: (id) => ({ input: { id: id("session") } }) },
  memberRemove: { args: (id) => ({ input: { id: id("member") } }) },
  apiKeyRotate: { args: (id) => ({ input: { id: id("apiKey") } }) },
  endpointMove: { for: provider, args: (id) => ({ input: { id: id("endpoint"), to: "RETIRED" } }) },

  apiKeyRevoke: { args: (id) => ({ input: { id: id("apiKey") } }) },
};

export const subscriptions: Readonly<Record<string, Row>> = {
  capacityChanges: none,
  creditBalance: { args: (id) => ({ startupId: id("startup") }) },
  quotes: wordless,
  slaBreaches: none,
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
