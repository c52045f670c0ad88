/** Two organisations of each kind with objects of every type, each carrying words that nobody else may ever be shown. */
import type { GraphQLEnumType, GraphQLSchema } from "graphql";
import { type ApiKeyScope, type OrganisationKind, SpotPricesRecordDocument } from "../../codegen/generated/graphql";
import { AuditEvent } from "../../entities/audit-event";
import { BudgetAlert } from "../../entities/budget-alert";
import { CoverageAlert } from "../../entities/coverage-alert";
import { CreditUse } from "../../entities/credit-use";
import { Entry } from "../../entities/entry";
import { LedgerAccount } from "../../entities/ledger-account";
import { Session } from "../../entities/session";
import { SlaBreach } from "../../entities/sla-breach";
import { encodeId, type NodeType } from "../../schema/node";
import type { Database } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { openApi, type Party, type TestApi, uuidOf } from "../api/an-api";
import { aDecision, aJob, aUsage } from "../api/records";
import { anEndpoint, anOffering } from "../catalog/an-endpoint";
import { aRelayToken, signAs } from "../payouts/a-relay-token";
import { plantPayout, plantPayouts } from "../payouts/planted";
import { plantStatements } from "../statements/planted";

/** Global ids, one of each type. */
export type Things = Readonly<Record<ThingName, string>>;

export const thingTypes = {
  provider: "Provider",
  startup: "Startup",
  partner: "CapitalPartner",
  endpoint: "Endpoint",
  offering: "Offering",
  window: "CapacityWindow",
  breach: "SlaBreach",
  accrual: "Accrual",
  delivery: "Delivery",
  candidacy: "RoutingCandidacy",
  usage: "Usage",
  job: "WorkloadJob",
  hosted: "HostedJob",
  decision: "RoutingDecision",
  lot: "CreditLot",
  drawdown: "Drawdown",
  facility: "Facility",
  alert: "CoverageAlert",
  block: "Block",
  defaulted: "Block",
  claim: "Claim",
  flagged: "FlaggedUsage",
  statement: "Statement",
  statementLine: "StatementLine",
  reviewed: "Statement",
  dispute: "StatementDispute",
  settled: "Statement",
  creditNote: "CreditNote",
  rateCard: "RateCard",
  proposal: "RateCard",
  account: "LedgerAccount",
  project: "Project",
  spare: "Project",
  budget: "Budget",
  spending: "BudgetAlert",
  payout: "Payout",
  payoutAccount: "PayoutAccount",
  organisation: "Provider",
  member: "Member",
  apiKey: "ApiKey",
  session: "Session",
  auditEvent: "AuditEvent",
} as const satisfies Record<string, NodeType>;
export type ThingName = keyof typeof thingTypes;
export const thingNames = Object.keys(thingTypes) as ThingName[];

/** What is each organisation's own, whatever its kind. */
export const personalNames = ["organisation", "member", "apiKey", "session", "auditEvent"] as const;
export type Personal = Pick<Things, (typeof personalNames)[number]>;

/** A word, or an id, and whose answers may contain it; an operator's always may. */
export interface Marker {
  readonly text: string;
  readonly seenBy: ReadonlySet<string>;
  /** Who besides has part in the same row: a policy of rows cannot show it half of one. */
  readonly rowOf: ReadonlySet<string>;
}

/** A provider, a startup that it served, and the capital partner that funded the startup. */
export interface Side {
  readonly things: Omit<Things, keyof Personal>;
  readonly provider: Inhabitant;
  readonly startup: Inhabitant;
  readonly partner: Inhabitant;
  readonly figures: Figures;
}

export interface Inhabitant extends Party {
  readonly name: string;
  readonly kind: OrganisationKind;
  readonly personal: Personal;
}

export interface PlantedWorld {
  readonly api: TestApi;
  readonly schema: GraphQLSchema;
  readonly near: Side;
  readonly far: Side;
  readonly operator: Inhabitant;
  readonly markers: readonly Marker[];
  /** Well-formed ids of nothing. */
  readonly missing: Things;
}

const PERIOD = "2026-01";
const REGION = "eu-north";
/** Both draw at it. */
const MULTIPLIER = "1.35";

/** Amounts that appear nowhere else, not even among the seconds of an instant: figures leak as names do. */
const figures = {
  near: { drawn: "117.31", issued: "158.3685", chargeNano: 1_234_567n, accrualNano: 765_413n, soldNanos: "1928374655" },
  far: { drawn: "129.77", issued: "175.1895", chargeNano: 2_345_671n, accrualNano: 876_529n, soldNanos: "5647382911" },
} as const;
type Figures = (typeof figures)[keyof typeof figures];

export async function plantWorld(
  schema: GraphQLSchema,
  environment: Record<string, string> = {},
): Promise<PlantedWorld> {
  const api = await openApi({ TEST_CLOCK: "on", ...environment });
  try {
    return await plant(api, schema);
  } catch (error) {
    await api.close(); // An open server would keep jest from ending.
    throw error;
  }
}

async function plant(api: TestApi, schema: GraphQLSchema): Promise<PlantedWorld> {
  signAs(api.identity);
  const scopes = allScopes(schema);
  const markers: Marker[] = [];
  const plant: Plant = (seenBy, ...texts) => plantIn(seenBy, seenBy, ...texts);
  const plantIn: PlantIn = (rowOf, seenBy, ...texts) => {
    for (const text of texts)
      markers.push({ text: text.toLowerCase(), seenBy: new Set(seenBy), rowOf: new Set(rowOf) });
  };
  const settle = async (name: string, kind: OrganisationKind, seenBy: readonly string[] = []): Promise<Inhabitant> => {
    const party = await api.a(kind, `${name} organisation`, scopes);
    plant([name, ...seenBy], `${name} organisation`, party.uuid, party.id);
    return { ...party, name, kind, personal: await personalOf(api, party, name, plant) };
  };
  const fixing = await aFixing(api);
  const side = async (
    names: { provider: string; startup: string; partner: string },
    figures: Figures,
  ): Promise<Side> => {
    const provider = await settle(names.provider, "PROVIDER");
    const partner = await settle(names.partner, "CAPITAL_PARTNER");
    const startup = await settle(names.startup, "STARTUP", [names.partner]);
    const supply = await plantSupply(api, provider, plant);
    const credit = await plantCredit(api, { partner, startup, figures }, plant);
    const claim = await plantClaim(provider, supply, plant);
    const spending = await plantBudgets(api, startup, plant);
    const statements = await plantStatements(api.db, provider.uuid, provider.name);
    const payouts = await plantPayouts(api, provider.uuid, provider.name);
    plant([provider.name], `${provider.name} holder`, ...idsOf(...Object.values(payouts)));
    const { proposal, ...seen } = statements;
    plant([provider.name], ...idsOf(...Object.values(seen)));
    plant([provider.name], `${provider.name} objects`, `${provider.name} negotiated`, `${provider.name} was right`);
    plant([], ...idsOf(proposal));
    const traffic = await plantTraffic(api, { provider, startup, fixing, figures, ...supply }, plantIn);
    const things = {
      provider: provider.id,
      startup: startup.id,
      partner: partner.id,
      ...supply,
      ...credit,
      ...claim,
      ...spending,
      ...statements,
      ...payouts,
      ...traffic,
    };
    return { things, provider, startup, partner, figures };
  };
  const near = await side({ provider: "Zqnorth", startup: "Zqfirefly", partner: "Zqmeadow" }, figures.near);
  const far = await side({ provider: "Zqsouth", startup: "Zqglowworm", partner: "Zqgranite" }, figures.far);
  plant(["Operator"], api.operator.uuid, api.operator.id);
  const operator = {
    ...api.operator,
    name: "Operator",
    kind: "OPERATOR" as const,
    personal: await personalOf(api, api.operator, "Zqoperator", plant),
  };
  return { api, schema, near, far, operator, markers, missing: missingThings() };
}

/** One more of everything on the near side. */
export async function plantMore({ api, near }: PlantedWorld, n: number): Promise<void> {
  const { figures } = near;
  const again = (one: Inhabitant): Inhabitant => ({ ...one, name: `${one.name}${n}` });
  const [provider, startup, partner] = [again(near.provider), again(near.startup), again(near.partner)];
  const unmarked = () => undefined;
  for (const one of [provider, startup, partner]) await personalOf(api, one, one.name, unmarked);
  const fixing = await aFixing(api, `eu-north-${n}`);
  const supply = await plantSupply(api, provider, unmarked, `2025-0${n}`);
  await plantCredit(api, { partner, startup, figures }, unmarked);
  await plantClaim(provider, supply, unmarked);
  await plantBudgets(api, startup, unmarked);
  await plantStatements(api.db, provider.uuid, provider.name, `${2_100 + n}`);
  await plantPayout(api, provider.uuid, provider.name, `${2_100 + n}`);
  await plantTraffic(api, { provider, startup, figures, fixing, ...supply }, unmarked);
}

type Plant = (seenBy: readonly string[], ...texts: readonly string[]) => void;
type PlantIn = (rowOf: readonly string[], ...planted: Parameters<Plant>) => void;

/** So that no refusal is for want of a scope. */
function allScopes(schema: GraphQLSchema): ApiKeyScope[] {
  const scopes = schema.getType("ApiKeyScope") as GraphQLEnumType;
  return scopes.getValues().map(({ name }) => name as ApiKeyScope);
}

async function aFixing(api: TestApi, region = REGION): Promise<string> {
  const observation = {
    accelerator: "H100",
    region,
    source: "desk",
    price: "2.5",
    confidence: "0.9",
    observedAt: new Date().toISOString(),
  };
  const input = { observations: [observation] };
  const { spotPricesRecord } = await api.operator.read(SpotPricesRecordDocument, { input });
  return spotPricesRecord.fixings![0]!.id;
}

async function personalOf(
  api: Pick<TestApi, "operator" | "db">,
  party: Party,
  name: string,
  plant: Plant,
): Promise<Personal> {
  const member = await created(api.operator, "memberAdd", "member", {
    organisationId: party.id,
    email: `${name}@people.example`,
    displayName: `${name} person`,
    role: "VIEWER",
  });
  const apiKey = await created(api.operator, "apiKeyCreate", "apiKey", {
    organisationId: party.id,
    name: `${name} key`,
    scopes: ["READ"],
  });
  const session = await aSession(api.db, { organisationId: party.uuid, memberId: uuidOf(member) });
  const { id: auditEvent } = await api.db.source
    .getRepository(AuditEvent)
    .findOneByOrFail({ organisationId: party.uuid, subjectId: uuidOf(member) });
  const ids = { member, apiKey, session, auditEvent: encodeId("AuditEvent", auditEvent) };
  plant([name], `${name}@people.example`, `${name} person`, `${name} key`, ...idsOf(...Object.values(ids)));
  return { organisation: party.id, ...ids };
}

async function aSession(db: Database, of: { organisationId: string; memberId: string }): Promise<string> {
  const id = newId();
  await db.source.getRepository(Session).insert({
    ...of,
    id,
    keyId: null,
    digest: Buffer.from(id),
    scopes: ["READ"],
    persistedOnly: false,
    createdAt: new Date(),
    lastSeenAt: new Date(),
    expiresAt: new Date(Date.now() + 3_600_000),
    revokedAt: null,
    version: 1,
  });
  return encodeId("Session", id);
}

async function plantSupply(api: TestApi, provider: Inhabitant, plant: Plant, period = PERIOD) {
  const { name } = provider;
  const place = name.toLowerCase();
  const described = await anEndpoint({ name: `${name} endpoint`, baseUrl: `https://${place}.gpu.example/v1` });
  const endpoint = await created(provider, "endpointRegister", "endpoint", { ...described, providerId: null });
  const offering = await created(provider, "offeringPublish", "offering", {
    ...anOffering(""),
    endpointId: endpoint,
    upstreamModel: `${name} upstream`,
  });
  const window = await created(provider, "capacityWindowOpen", "capacityWindow", {
    accelerator: "H100",
    region: REGION,
    zone: `${place}-zone`,
    kind: "BASELINE",
    gpuCount: 8,
    startsAt: new Date().toISOString(),
  });
  const minute = "2026-01-15T12:00:00.000Z";
  const counts = { requests: 20, failed: 20, ttftSamples: 0, within100Ms: 0, within200Ms: 0, within500Ms: 0 };
  const breach = newId();
  await api.db.source.getRepository(SlaBreach).insert({
    id: breach,
    endpointId: uuidOf(endpoint),
    kind: "UPTIME",
    slaTier: "STANDARD",
    openedAt: new Date(minute),
    closedAt: null,
    evidence: { minute, ...counts, probes: 0, probesFailed: 0 },
  });
  const account = newId();
  await api.db.source.getRepository(LedgerAccount).insert({
    id: account,
    name: `payable:${provider.uuid}:${period}`,
    ledger: "USD",
    kind: "PROVIDER_PAYABLE",
    organisationId: provider.uuid,
    facilityId: null,
    multiplierPpm: null,
    period,
    limited: false,
    creditsPosted: 850_000n,
    createdAt: new Date(),
  });
  const act = await anEntry(api, account);
  const things = {
    endpoint,
    offering,
    window,
    breach: encodeId("SlaBreach", breach),
    account: encodeId("LedgerAccount", account),
    accrual: encodeId("Accrual", `${provider.uuid}.${period}`),
  };
  plant([name], `${name} endpoint`, `${place}.gpu.example`, `${name} upstream`, `${place}-zone`);
  plant([name], act, ...idsOf(...Object.values(things)));
  return things;
}

/** → the act that it was part of. */
async function anEntry(api: TestApi, accountId: string): Promise<string> {
  const [act, at] = [newId(), new Date()];
  const counters = { debitsPending: 0n, debitsPosted: 0n, creditsPending: 0n, creditsPosted: 850_000n };
  const written = { version: 1n, code: "ACCRUAL", side: "CREDIT" as const, posted: 850_000n, pending: 0n, ...counters };
  const of = { accountId, seq: `${at.getTime()}`, transferId: newId(), groupId: act };
  await api.db.source.getRepository(Entry).insert({ ...of, ...written, bookedAt: at, recordedAt: at });
  return act;
}

async function plantCredit(
  api: TestApi,
  { partner, startup, figures }: Pick<Side, "partner" | "startup" | "figures">,
  plant: Plant,
) {
  const input = { name: `${partner.name} facility`, limit: "1000", multiplier: MULTIPLIER };
  const facility = await created(partner, "facilityOpen", "facility", input);
  const { data, errors } = await partner.text(
    `mutation ($input: DrawdownCreateInput!) {
       drawdownCreate(input: $input) @idempotent(key: "${newId()}") { drawdown { id } creditLot { id } }
     }`,
    { input: { facilityId: facility, startupId: startup.id, amount: figures.drawn } },
  );
  const drawn = data?.drawdownCreate as { drawdown: { id: string }; creditLot: { id: string } } | undefined;
  if (!drawn?.drawdown) throw new Error(`nothing was drawn: ${JSON.stringify({ data, errors })}`);
  plant([partner.name], `${partner.name} facility`, ...idsOf(facility, drawn.drawdown.id));
  plant([partner.name], figures.drawn);
  plant([partner.name, startup.name], figures.issued, ...idsOf(drawn.creditLot.id));
  const lot = drawn.creditLot.id;
  const blocks = { block: await aBlock(partner, lot, "DISPUTE"), defaulted: await aBlock(partner, lot, "DEFAULT") };
  plant([partner.name], `${partner.name} explains`, ...idsOf(blocks.block, blocks.defaulted));
  const alert = await anAlert(api, uuidOf(facility));
  plant([partner.name], ...idsOf(alert));
  await aUse(api, uuidOf(facility), startup.uuid);
  return { facility, drawdown: drawn.drawdown.id, lot, alert, ...blocks };
}

async function anAlert({ db }: TestApi, facilityId: string): Promise<string> {
  const id = newId();
  await db.source.getRepository(CoverageAlert).insert({
    id,
    subject: facilityId,
    facilityId,
    ratioPpm: 990_000n,
    floorPpm: 1_000_000n,
    backingNanoUsd: 1n,
    outstandingNanoCredit: 1n,
    worstCostPpm: 700_000n,
    openedAt: new Date("2026-01-15T12:00:00Z"),
    closedAt: null,
  });
  return encodeId("CoverageAlert", id);
}

async function aUse({ db }: TestApi, facilityId: string, startupId: string): Promise<void> {
  const place = { accelerator: "H100", region: REGION, slaTier: "STANDARD" };
  const hour = new Date("2026-01-15T12:00:00Z");
  await db.source
    .getRepository(CreditUse)
    .insert({ facilityId, startupId, hour, ...place, requests: 1n, spentNanoCredit: 1n });
}

async function aBlock(partner: Inhabitant, creditLotId: string, reason: string): Promise<string> {
  const input = { target: { creditLotId }, reason, explanation: `${partner.name} explains` };
  return created(partner, "creditBlock", "block", input, "@idempotent");
}

/** A budget over a project, which was spent up to its first threshold; and a project without. */
async function plantBudgets({ db }: Pick<TestApi, "db">, startup: Inhabitant, plant: Plant) {
  const project = await created(startup, "projectCreate", "project", { name: `${startup.name} project` });
  const spare = await created(startup, "projectCreate", "project", { name: `${startup.name} spare` });
  const terms = { amount: "100", period: "TOTAL", hardStop: true };
  const budget = await created(startup, "budgetCreate", "budget", { owner: { projectId: project }, ...terms });
  const key = { name: `${startup.name} agent`, scopes: ["INFER"], projectId: project };
  await created(startup, "apiKeyCreate", "apiKey", key);
  const alert = newId();
  await db.source.getRepository(BudgetAlert).insert({
    id: alert,
    budgetId: uuidOf(budget),
    startupId: startup.uuid,
    period: "TOTAL",
    thresholdPpm: 800_000,
    limitNanoCredit: 100_000_000_000n,
    spentNanoCredit: 80_000_000_000n,
    at: new Date("2026-01-15T12:00:00Z"),
  });
  const things = { project, spare, budget, spending: encodeId("BudgetAlert", alert) };
  plant([startup.name], `${startup.name} project`, `${startup.name} spare`, key.name);
  plant([startup.name], ...idsOf(...Object.values(things)));
  return things;
}

/** For an attempt of an hour ago that left no record. */
async function plantClaim(provider: Inhabitant, at: { endpoint: string; offering: string }, plant: Plant) {
  const evidence = `${provider.name} evidence`;
  const relayToken = aRelayToken(uuidOf(at.endpoint));
  const input = { relayToken, offeringId: at.offering, promptTokens: 10, completionTokens: 1_000, evidence };
  const claim = await created(provider, "claimSubmit", "claim", input, "@idempotent");
  plant([provider.name], evidence, ...idsOf(claim));
  return { claim };
}

async function plantTraffic(
  api: TestApi,
  at: Pick<Side, "provider" | "startup" | "figures"> & { endpoint: string; offering: string; fixing: string },
  plant: PlantIn,
) {
  const { endpoint, offering, fixing, figures } = at;
  const served = { startup: at.startup.id, provider: at.provider.id, endpoint, offering, fixing };
  const usage = await aUsage(api, served, {
    period: PERIOD,
    usageBounded: true,
    chargeNanoCredit: figures.chargeNano,
    accrualNanoUsd: figures.accrualNano,
  });
  const decision = await aDecision(api, at.startup.id, [served, served]);
  const both = [at.startup.name, at.provider.name];
  plant(both, both, usage, decision);
  const things = {
    usage: encodeId("Usage", usage),
    delivery: encodeId("Delivery", usage),
    flagged: encodeId("FlaggedUsage", usage),
    decision: encodeId("RoutingDecision", decision),
    candidacy: encodeId("RoutingCandidacy", decision),
  };
  plant(both, [at.startup.name], things.usage, things.decision, `0.00${figures.chargeNano}`);
  plant(both, [at.provider.name], things.delivery, things.candidacy, `0.000${figures.accrualNano}`);
  plant(both, [], things.flagged);
  plant([], [at.provider.name], secondsOf(figures.soldNanos));
  const job = await aJob(api, served);
  plant(both, both, job);
  plant(both, [at.startup.name], encodeId("WorkloadJob", job));
  plant(both, [at.provider.name], encodeId("HostedJob", job));
  return { ...things, job: encodeId("WorkloadJob", job), hosted: encodeId("HostedJob", job) };
}

const secondsOf = (nanos: string): string => `${nanos.slice(0, -9)}.${nanos.slice(-9)}`;

const idsOf = (...ids: readonly string[]): string[] => ids.flatMap((id) => [id, uuidOf(id)]);

function missingThings(): Things {
  const ids = Object.entries(thingTypes).map(([name, type]) => {
    const key = type === "Accrual" ? `${newId()}.${PERIOD}` : newId();
    return [name, encodeId(type, key)];
  });
  return Object.fromEntries(ids) as Things;
}

/** The id of what `mutation` made. */
async function created(
  by: Pick<Party, "text">,
  mutation: string,
  made: string,
  input: object,
  directive?: "@idempotent",
): Promise<string> {
  const once = directive === undefined ? "" : `${directive}(key: "${newId()}")`;
  const inputType = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input`;
  const { data, errors } = await by.text(
    `mutation ($input: ${inputType}!) { ${mutation}(input: $input) ${once} { ${made} { id } userErrors { code message field } } }`,
    { input },
  );
  const payload = data?.[mutation] as Record<string, { id: string } | null> | undefined;
  const object = payload?.[made];
  if (!object) throw new Error(`${mutation}: ${JSON.stringify(errors ?? payload)}`);
  return object.id;
}
