/** What every committed operation costs PostgreSQL: a fixed number of statements, however long its lists are. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import {
  buildSchema,
  type DocumentNode,
  getNamedType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  type OperationTypeNode,
  parse,
  print,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from "graphql";
import { logStatements } from "../../bench/statements";
import type { UtilizationSample } from "../../src/events/topics";
import { mutations } from "../access/operations";
import { type Inhabitant, type PlantedWorld, plantMore, plantWorld } from "../access/planted-world";
import { following } from "../support/follow";
import { until } from "../support/leftovers";
import { uuidOf } from "./an-api";

const root = join(__dirname, "../..");
const schema = buildSchema(readFileSync(join(root, "schema/schema.graphql"), "utf8"));

type Cost = readonly [by: "provider" | "startup" | "partner" | "operator", statements: number];

/**
 * Statements of one run, when the key and the connections are warm. A mutation's are with its BEGIN and COMMIT; a
 * subscription's are those until its first message.
 */
const costs: Readonly<Record<string, Cost>> = {
  Accelerators: ["provider", 1],
  AccountingPeriods: ["provider", 1],
  Accruals: ["provider", 2],
  ApiKeyChangeLimits: ["provider", 5],
  ApiKeyCreate: ["provider", 5],
  ApiKeyMove: ["startup", 9],
  ApiKeyRevoke: ["provider", 5],
  ApiKeyRotate: ["provider", 8],
  ApiKeys: ["provider", 2],
  AuditEvents: ["provider", 2],
  BlockAssign: ["partner", 10],
  BlockChanges: ["partner", 4],
  Blocks: ["partner", 3],
  BudgetAlerts: ["startup", 2],
  BudgetAlertsRaised: ["startup", 5],
  BudgetChange: ["startup", 8],
  BudgetCreate: ["startup", 8],
  BudgetRemove: ["startup", 7],
  BudgetedKeys: ["startup", 5],
  Budgets: ["startup", 3],
  CapacityChanges: ["provider", 6],
  CapacityWindowCancel: ["provider", 6],
  CapacityWindowOpen: ["provider", 7],
  CapacityWindows: ["provider", 3],
  CapitalExport: ["partner", 4],
  CapitalPosition: ["partner", 7],
  ClaimDecide: ["operator", 7],
  ClaimSubmit: ["provider", 12],
  Claims: ["provider", 3],
  Coverage: ["partner", 4],
  CoverageAlertChanges: ["partner", 6],
  CoverageAlerts: ["partner", 2],
  CoverageChanges: ["partner", 4],
  CreditBalance: ["startup", 1],
  CreditBalanceChanges: ["startup", 1],
  CreditBlock: ["partner", 17],
  CreditLots: ["startup", 3],
  CreditNoteCreate: ["operator", 8],
  CreditUnblock: ["partner", 9],
  CreditUse: ["partner", 3],
  Deliveries: ["provider", 5],
  DeliveryReceipts: ["provider", 2],
  DisputeResolve: ["operator", 16],
  DrawdownCreate: ["partner", 17],
  Drawdowns: ["partner", 3],
  EndpointMove: ["provider", 5],
  EndpointRegister: ["provider", 6],
  Endpoints: ["provider", 5],
  Facilities: ["partner", 9],
  FacilityChangeLimit: ["partner", 5],
  FacilityClose: ["partner", 5],
  FacilityOpen: ["partner", 6],
  Fixings: ["provider", 2],
  ExplainRoute: ["startup", 1],
  FlaggedUsage: ["operator", 3],
  FlaggedUsageCounts: ["operator", 2],
  HostedJobs: ["provider", 2],
  LedgerAccounts: ["provider", 2],
  LedgerBalance: ["provider", 2],
  LedgerEntries: ["provider", 2],
  LedgerVerification: ["operator", 1],
  MemberAdd: ["provider", 5],
  MemberChangeRole: ["provider", 7],
  MemberRemove: ["provider", 8],
  Node: ["provider", 1],
  Nodes: ["provider", 2],
  OfferingMove: ["provider", 6],
  OfferingPublish: ["provider", 5],
  Offerings: ["provider", 2],
  OrganisationCreate: ["operator", 4],
  Organisations: ["operator", 1],
  PayoutAccountCancel: ["provider", 7],
  PayoutAccountChanges: ["provider", 5],
  PayoutAccountConfirm: ["provider", 10],
  PayoutAccountPropose: ["provider", 6],
  PayoutAccounts: ["provider", 3],
  PayoutApprove: ["operator", 11],
  PayoutChanges: ["provider", 4],
  PayoutConfirm: ["operator", 13],
  PayoutExport: ["provider", 2],
  PayoutHold: ["operator", 6],
  PayoutReissue: ["operator", 7],
  PayoutRelease: ["operator", 6],
  PayoutRun: ["operator", 7],
  Payouts: ["provider", 6],
  PeriodClose: ["operator", 12],
  PricingTiers: ["provider", 0],
  Processes: ["operator", 0],
  ProjectArchive: ["startup", 6],
  ProjectCreate: ["startup", 5],
  ProjectRename: ["startup", 5],
  Projects: ["startup", 4],
  ProviderRateCard: ["provider", 1],
  Providers: ["provider", 3],
  Quotes: ["provider", 2],
  RateCardApprove: ["operator", 7],
  RateCardPropose: ["operator", 8],
  RateCardRetire: ["operator", 7],
  RateCards: ["provider", 2],
  RateLimit: ["provider", 0],
  RedemptionPrices: ["startup", 1],
  RevenueEstimate: ["provider", 1],
  RoutingCandidacies: ["provider", 2],
  RoutingDecision: ["startup", 1],
  RoutingDecisions: ["startup", 1],
  RoutingLosses: ["provider", 1],
  SessionRevoke: ["provider", 5],
  Sessions: ["provider", 3],
  SlaBreachChanges: ["provider", 8],
  SlaBreaches: ["provider", 4],
  SlaTiers: ["provider", 1],
  SpotPricesRecord: ["operator", 8],
  StatementApprove: ["provider", 15],
  StatementChanges: ["provider", 4],
  StatementCsv: ["provider", 2],
  StatementDispute: ["provider", 11],
  StatementFinalise: ["operator", 10],
  StatementLines: ["provider", 3],
  StatementReplay: ["provider", 9],
  Statements: ["provider", 4],
  TestClock: ["operator", 0],
  TestClockAdvance: ["operator", 5],
  Usage: ["startup", 2],
  UsageReceipts: ["startup", 2],
  Utilization: ["provider", 1],
  Viewer: ["provider", 2],
  WhoAmI: ["provider", 1],
  WorkloadJobChanges: ["startup", 4],
  WorkloadJobs: ["startup", 1],
};

/** In the order in which they are tried: what ends an object's life comes after what needs it. */
const order = Object.keys(mutations);
/** Telling a connection for whom it runs, when it last ran for somebody else. */
const TELLING = /set_config\('exergy\./;
/** Whether a key is still good is asked every few seconds, of whichever operation comes then. */
const KNOWING = /^SELECT k\.id, k\.organisation_id, o\.kind/;
/** Statements for a list, and for each list within it. */
const PER_LIST = 2;
/** A file is one field whose rows are read from several lists: here facilities, and lots with their startups. */
const listsInFiles: Readonly<Record<string, number>> = { CapitalExport: 2 };
const MORE_ROWS = 3;

const operations = committedOperations();
const log = logStatements();
let world: PlantedWorld;

beforeAll(async () => {
  world = await plantWorld(schema, { GRAPHQL_POINTS_PER_MINUTE: "1000000000" });
});
afterAll(() => world?.api.close());

it("knows every committed operation, and none that is not committed", () => {
  expect(Object.keys(costs).toSorted()).toEqual([...operations.keys()].toSorted());
});

it("a query takes as many statements as are written down here", async () => {
  expect(await countAll("query")).toEqual(written("query"));
});

it("a subscription takes no more to its first message", async () => {
  const counted = await countAll("subscription");
  // The process's one reader of durable events starts beside the first stream, not before its first message.
  const most = Object.entries(written("subscription")).map(([name, statements]) => [
    name,
    Math.max(counted[name]!, statements!),
  ]);
  expect(Object.fromEntries(most)).toEqual(written("subscription"));
});

it("longer lists take no statement more, and none takes more than two for each list that it asks for", async () => {
  for (let n = 1; n <= MORE_ROWS; n++) await plantMore(world, n);
  const counted = await countAll("query");
  expect(counted).toEqual(written("query"));
  for (const [name, statements] of Object.entries(counted)) {
    const lists = listsInFiles[name] ?? listsIn(operations.get(name)!);
    expect(`${name}: ${statements <= PER_LIST * lists}`).toBe(`${name}: true`);
  }
});

it("a mutation takes as many as are written down here", async () => {
  expect(await countAll("mutation")).toEqual(written("mutation"));
});

/** Each with the fragments that it uses. */
function committedOperations(): Map<string, DocumentNode> {
  const directory = join(root, "codegen/operations");
  const all = readdirSync(directory).flatMap((file) => parse(readFileSync(join(directory, file), "utf8")).definitions);
  const fragments = all.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  const named = all.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION ? [[definition.name!.value, definition] as const] : [],
  );
  return new Map(
    named.map(([name, operation]) => [name, used({ kind: Kind.DOCUMENT, definitions: [operation, ...fragments] })]),
  );
}

/** Without the fragments that it does not reach. */
function used(document: DocumentNode): DocumentNode {
  const reached = new Set<string>();
  let before = -1;
  while (reached.size !== before) {
    before = reached.size;
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION && !reached.has(definition.name.value)) continue;
      visit(definition, {
        enter: (node) => {
          if (node.kind === Kind.FRAGMENT_SPREAD) reached.add(node.name.value);
        },
      });
    }
  }
  const definitions = document.definitions.filter(
    (definition) => definition.kind !== Kind.FRAGMENT_DEFINITION || reached.has(definition.name.value),
  );
  return { ...document, definitions };
}

const operationOf = (document: DocumentNode) => document.definitions[0] as OperationDefinitionNode;
const fieldOf = (document: DocumentNode): string => {
  const [field] = operationOf(document).selectionSet.selections;
  return field?.kind === Kind.FIELD ? field.name.value : "";
};

/** Its root fields, and below them every field that holds objects with an id of their own, one or a list. */
function listsIn(document: DocumentNode): number {
  const types = new TypeInfo(schema);
  let lists = operationOf(document).selectionSet.selections.length;
  visit(
    document,
    visitWithTypeInfo(types, {
      Field: {
        enter({ selectionSet }) {
          const type = types.getType();
          if (!selectionSet || !type || types.getParentType() === schema.getQueryType()) return;
          const list = isListType(isNonNullType(type) ? type.ofType : type);
          const named = getNamedType(type);
          const paging = /Connection$|Edge$|^PageInfo$/.test(`${types.getParentType()}`);
          if (!paging && (list || "getFields" in named)) lists += 1;
        },
      },
    }),
  );
  return lists;
}

const written = (kind: `${OperationTypeNode}`) =>
  Object.fromEntries(namesOf(kind).map((name) => [name, costs[name]?.[1]]));

const namesOf = (kind: `${OperationTypeNode}`): string[] =>
  [...operations]
    .filter(([, document]) => operationOf(document).operation === kind)
    .toSorted(([, a], [, b]) => order.indexOf(fieldOf(a)) - order.indexOf(fieldOf(b)))
    .map(([name]) => name);

async function countAll(kind: `${OperationTypeNode}`): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of namesOf(kind)) counts[name] = await count(name, operations.get(name)!);
  return counts;
}

async function count(name: string, document: DocumentNode): Promise<number> {
  const by = costs[name]?.[0] ?? "operator";
  const party = by === "operator" ? world.operator : world.near[by];
  const { operation } = operationOf(document);
  if (operation === "subscription") return countToFirst(document, party);
  if (operation === "query") await run(name, document, party); // The second of a kind finds everything warm.
  await party.text("{ __typename }"); // The key is known for some seconds: now it is.
  log.start();
  await run(name, document, party);
  return statementsOf(log.stop());
}

const statementsOf = (texts: readonly string[]): number =>
  texts.filter((text) => !TELLING.test(text) && !KNOWING.test(text)).length;

async function run(name: string, document: DocumentNode, party: Inhabitant): Promise<void> {
  const { data, errors } = await party.text(print(document), await variablesOf(document));
  const payload = Object.values(data ?? {})[0] as { userErrors?: unknown[] } | undefined;
  if (errors || (payload?.userErrors?.length ?? 0) > 0)
    throw new Error(`${name}: ${JSON.stringify(errors ?? payload)}`);
}

async function variablesOf(document: DocumentNode): Promise<Record<string, unknown>> {
  const { things, provider, startup } = world.near;
  const field = fieldOf(document);
  const own = costs[operationOf(document).name!.value]?.[0] === "startup" ? startup : provider;
  const given = { ...things, ...own.personal };
  if (operationOf(document).operation === "mutation") return mutations[field]!.args((thing) => given[thing]);
  const ofNodes: Record<string, Record<string, unknown>> = {
    ProviderRateCard: { id: provider.id },
    StatementCsv: { id: things.statement },
    StatementLines: { id: things.statement },
  };
  const variables: Record<string, Record<string, unknown>> = {
    capitalExport: { kind: "CREDIT_LOTS" },
    creditUse: { by: "STARTUP" },
    flaggedUsageCounts: { period: "2026-01" },
    ledgerBalance: { accountId: things.account },
    ledgerEntries: { accountId: things.account },
    node: { id: things.endpoint },
    nodes: { ids: [things.endpoint, things.offering] },
    revenueEstimate: { input: { accelerator: "H100", monthlyGpuHours: 40_000 } },
    statementReplay: { statementId: things.statement },
    explainRoute: { requestId: uuidOf(things.decision) },
    routingDecision: { by: { id: things.decision } },
  };
  return ofNodes[operationOf(document).name!.value] ?? variables[field] ?? {};
}

async function countToFirst(document: DocumentNode, party: Inhabitant): Promise<number> {
  const connection = following(world.api.url, party.secret);
  const follow = () => connection.follow(document as TypedDocumentNode<unknown, Record<string, unknown>>, {});
  const fleeting = fieldOf(document) === "utilization";
  try {
    // Afterwards the socket is open and the key known.
    const warm = follow();
    await until("the stream speaks", () => {
      if (fleeting) world.api.bus.publish("utilization.sampled", sample());
      return warm.waiting.length > 0;
    });
    if (!fleeting) warm.stop();
    await party.text("{ __typename }");
    log.start();
    // What has no snapshot costs nothing before its first event.
    const counted = fleeting ? warm : follow();
    const heard = counted.waiting.length;
    if (fleeting) world.api.bus.publish("utilization.sampled", sample());
    await until("the stream speaks again", () => counted.waiting.length > heard);
    return statementsOf(log.stop());
  } finally {
    await connection.close();
  }
}

function sample(): UtilizationSample {
  const { things, provider } = world.near;
  const figures = {
    listedGpus: 8,
    slots: 32,
    inFlight: 3,
    soldGpuNanos: "1",
    activeGpuNanos: "1",
    fillPpm: 1,
    utilizationPpm: 1,
  };
  return { endpointId: uuidOf(things.endpoint), providerId: provider.uuid, at: new Date().toISOString(), ...figures };
}
