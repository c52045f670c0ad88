/** Projects and budgets as a startup sets them, sees them, and hears of them over a real socket. */
import {
  ApiKeyCreateDocument,
  ApiKeyMoveDocument,
  BudgetAlertsDocument,
  BudgetAlertsRaisedDocument,
  BudgetChangeDocument,
  BudgetCreateDocument,
  BudgetedKeysDocument,
  BudgetRemoveDocument,
  BudgetsDocument,
  ProjectArchiveDocument,
  ProjectCreateDocument,
  ProjectRenameDocument,
} from "../../codegen/generated/graphql";
import { following } from "../support/follow";
import { openApi, type Party, type TestApi, uuidOf } from "./an-api";

let api: TestApi;
let startup: Party;

beforeAll(async () => {
  api = await openApi();
  startup = await api.a("STARTUP", "Firefly", ["READ", "WRITE", "ADMIN"]);
});
afterAll(() => api.close());

const aProject = async (name: string) =>
  (await startup.read(ProjectCreateDocument, { input: { name } })).projectCreate.project!;
const aKey = async (projectId: string | null) =>
  (await startup.read(ApiKeyCreateDocument, { input: { name: "agent", scopes: ["INFER"], projectId } })).apiKeyCreate
    .apiKey!.id;
const aBudget = async (owner: { projectId: string } | { apiKeyId: string }, amount = "10") =>
  (await startup.read(BudgetCreateDocument, { input: { owner, amount, period: "MONTH", hardStop: true } }))
    .budgetCreate;
const crd = (amount: string) => ({ amount, currency: "CRD" });

it("a key shows its budget and its project's, with what is spent, held and left, and when it begins anew", async () => {
  const project = await aProject("search");
  const key = await aKey(project.id);
  await aBudget({ projectId: project.id }, "100");
  await aBudget({ apiKeyId: key }, "2.5");
  const { apiKeys } = await startup.read(BudgetedKeysDocument, {});
  const shown = apiKeys.nodes.find(({ id }) => id === key)!;
  const now = new Date();
  const resetsAt = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString();
  const period = now.toISOString().slice(0, 7);
  const nothing = { period, spent: crd("0"), held: crd("0"), resetsAt };
  expect(shown).toMatchObject({
    project: { name: "search", budget: { limit: crd("100"), standing: { ...nothing, remaining: crd("100") } } },
    budget: {
      limit: crd("2.5"),
      period: "MONTH",
      hardStop: true,
      thresholds: ["0.8", "0.95"],
      standing: { ...nothing, remaining: crd("2.5") },
    },
  });
  const { budgets } = await startup.read(BudgetsDocument, { filter: { apiKeyId: key } });
  expect(budgets.nodes.map(({ limit }) => limit.amount)).toEqual(["2.5"]);
});

it("a project is renamed, takes keys, and is archived only when none works in it", async () => {
  const project = await aProject("old name");
  const again = await startup.read(ProjectCreateDocument, { input: { name: "old name" } });
  expect(again.projectCreate.userErrors).toMatchObject([{ code: "ALREADY_EXISTS", field: ["input", "name"] }]);
  const renamed = await startup.read(ProjectRenameDocument, { input: { id: project.id, name: "new name" } });
  expect(renamed.projectRename.project).toMatchObject({ name: "new name", version: 2 });
  const key = await aKey(null);
  await startup.read(ApiKeyMoveDocument, { input: { id: key, projectId: project.id } });
  const archive = async () =>
    (await startup.read(ProjectArchiveDocument, { input: { id: project.id } })).projectArchive;
  expect((await archive()).userErrors).toMatchObject([{ code: "STATE_CONFLICT" }]);
  const out = await startup.read(ApiKeyMoveDocument, { input: { id: key } });
  expect(out.apiKeyMove.apiKey).toMatchObject({ project: null, version: 3 });
  expect((await archive()).project).toMatchObject({ archivedAt: expect.any(String), version: 3 });
  const late = await startup.read(ApiKeyMoveDocument, { input: { id: key, projectId: project.id } });
  expect(late.apiKeyMove.userErrors).toMatchObject([{ code: "STATE_CONFLICT", field: ["input", "projectId"] }]);
  await aProject("new name");
});

it("a budget is changed by its version and removed once; there is one over each key and project", async () => {
  const project = await aProject("one budget");
  const { budget } = await aBudget({ projectId: project.id });
  expect((await aBudget({ projectId: project.id })).userErrors).toMatchObject([
    { code: "ALREADY_EXISTS", field: ["input", "owner"] },
  ]);
  const change = async (input: object) =>
    (await startup.read(BudgetChangeDocument, { input: { id: budget!.id, ...input } })).budgetChange;
  const terms = { amount: "20", hardStop: false, thresholds: ["0.9", "0.5", "0.9"], expectedVersion: 1 };
  const changed = await change(terms);
  expect(changed.budget).toMatchObject({
    limit: crd("20"),
    hardStop: false,
    thresholds: ["0.5", "0.9"],
    version: 2,
  });
  expect((await change(terms)).userErrors).toMatchObject([{ code: "VERSION_CONFLICT" }]);
  for (const wrong of [{ amount: "0" }, { amount: "-1" }, { thresholds: ["1"] }, { thresholds: ["0"] }])
    expect((await change(wrong)).userErrors).toMatchObject([{ code: "BAD_USER_INPUT" }]);
  const remove = async () =>
    (await startup.read(BudgetRemoveDocument, { input: { id: budget!.id } })).budgetRemove.userErrors;
  expect(await remove()).toEqual([]);
  expect(await remove()).toMatchObject([{ code: "NOT_FOUND" }]);
  expect((await aBudget({ projectId: project.id })).userErrors).toEqual([]);
});

it("who has no ADMIN sets no budget, and nobody sets one over what spends no credit", async () => {
  const reader = await api.a("STARTUP", "Reader", ["READ", "WRITE"]);
  const input = { owner: { apiKeyId: await aKey(null) }, amount: "1", period: "TOTAL" as const, hardStop: true };
  await expect(reader.read(BudgetCreateDocument, { input })).rejects.toThrow(/ADMIN/);
  const provider = await api.a("PROVIDER");
  const made = await api.operator.read(ApiKeyCreateDocument, {
    input: { organisationId: provider.id, name: "k", scopes: ["READ"] },
  });
  const over = { ...input, owner: { apiKeyId: made.apiKeyCreate.apiKey!.id } };
  const { budgetCreate } = await api.operator.read(BudgetCreateDocument, { input: over });
  expect(budgetCreate.userErrors).toMatchObject([{ code: "BAD_USER_INPUT", field: ["input", "owner"] }]);
});

it("an alert is in the list, in the snapshot of a new stream, and told to those that run", async () => {
  const project = await aProject("alerts");
  const { budget } = await aBudget({ projectId: project.id }, "1");
  const connection = following(api.url, startup.secret);
  try {
    const running = connection.follow(BudgetAlertsRaisedDocument, {});
    expect((await running.next()).budgetAlerts).toMatchObject({ __typename: "StreamCheckpoint" });
    // As the ledger writes it when a charge crosses the threshold: test/metering/budgets.db.test.ts.
    await api.db.source.query(
      `SELECT budget_open_periods(ARRAY[$1]::uuid[], ARRAY[budget_period_at('MONTH', now())])`,
      [uuidOf(budget!.id)],
    );
    await api.db.source.query(
      `SELECT budget_count(ARRAY[ROW($1, budget_period_at('MONTH', now()), 850000000, 0, 0, $1, now())::budget_delta])`,
      [uuidOf(budget!.id)],
    );
    await api.services.outbox.publish();
    const raised = { threshold: "0.8", limit: crd("1"), spent: crd("0.85") };
    expect((await running.next()).budgetAlerts).toMatchObject({ change: "RAISED", node: raised });
    const late = connection.follow(BudgetAlertsRaisedDocument, {});
    expect((await late.next()).budgetAlerts).toMatchObject({ change: "STANDING", node: raised });
    expect((await late.next()).budgetAlerts).toMatchObject({ __typename: "StreamCheckpoint" });
    const { budgetAlerts } = await startup.read(BudgetAlertsDocument, { filter: { budgetId: budget!.id } });
    expect(budgetAlerts.nodes).toMatchObject([{ ...raised, budget: { id: budget!.id } }]);
    const stranger = await api.a("STARTUP", "Glowworm");
    expect((await stranger.read(BudgetAlertsDocument, {})).budgetAlerts.nodes).toEqual([]);
  } finally {
    await connection.close();
  }
});
