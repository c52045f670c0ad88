/** Every mutation of the schema leaves one line in the audit trail, in its transaction: no line, no act. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSchema, isObjectType } from "graphql";
import { AuditEvent } from "../../entities/audit-event";
import { encodeId } from "../../schema/node";
import { newId } from "../../src/platform/ids";
import { takesIdempotencyKey } from "../access/everything";
import { openApi, opened, type Party, registered, type TestApi, uuidOf } from "../api/an-api";
import { anEndpoint, anOffering } from "../catalog/an-endpoint";
import { aRelayToken, signAs } from "../payouts/a-relay-token";
import { aPayout, aProposedAccount, aUsableAccount } from "../payouts/planted";
import { aDisputed, aFinal, aLine, aProposal, aRateCard, aStatement } from "../statements/planted";

const schema = buildSchema(readFileSync(join(__dirname, "../../schema/schema.graphql"), "utf8"));
const mutations = Object.values(schema.getMutationType()!.getFields());

let api: TestApi;
let provider: Party;
let startup: Party;
let partner: Party;

beforeAll(async () => {
  api = await openApi({ TEST_CLOCK: "on" });
  signAs(api.identity);
  [provider, startup, partner] = [await api.a("PROVIDER"), await api.a("STARTUP"), await api.a("CAPITAL_PARTNER")];
});
afterAll(() => api.close());

/** Sends the mutation, asking for what it made when that has an id. */
async function send(by: Party, name: string, input: unknown) {
  const { type, args } = schema.getMutationType()!.getFields()[name]!;
  const payload = schema.getType(String(type).replace("!", ""));
  const results = isObjectType(payload) ? Object.values(payload.getFields()) : [];
  const objects = results.filter((field) => isObjectType(field.type) && "id" in field.type.getFields());
  const asked = objects.map((field) => `${field.name} { id }`).join(" ");
  const key = takesIdempotencyKey(schema.getMutationType()!.getFields()[name]!) ? `@idempotent(key: "${newId()}")` : "";
  const text = `mutation ($input: ${args[0]!.type}) { ${name}(input: $input) ${key} { ${asked} userErrors { message } } }`;
  const { data, errors, headers } = await by.text(text, { input });
  type Answer = Record<string, { id: string } | null> & { userErrors: unknown[] };
  const answer = data?.[name] as Answer | null | undefined;
  const refused = errors ?? (answer?.userErrors.length ? answer.userErrors : null);
  return { answer: answer as Record<string, { id: string }>, refused, requestId: headers.get("x-request-id") };
}

async function made(by: Party, name: string, result: string, input: unknown): Promise<string> {
  const { answer, refused } = await send(by, name, input);
  if (refused) throw new Error(`${name}: ${JSON.stringify(refused)}`);
  return answer[result]!.id;
}

let count = 0;
const another = (what: string) => `${what}-${++count}`;
const aMember = (role: string) =>
  made(startup, "memberAdd", "member", { email: `${another("m")}@people.example`, displayName: "M", role });
const aKey = () => made(startup, "apiKeyCreate", "apiKey", { name: another("key"), scopes: ["READ"] });
const aWindow = () => ({
  accelerator: "H100",
  region: "eu-north",
  zone: "eu-north-a",
  kind: "BASELINE",
  gpuCount: 8,
  startsAt: new Date(Date.now() + 3_600_000).toISOString(),
});
const anOfferingOf = async () =>
  made(provider, "offeringPublish", "offering", {
    ...anOffering("", { model: another("model") }),
    endpointId: await registered(provider, another("endpoint")),
  });
const aSession = async () => {
  const { session } = await api.services.accounts.sessions.open(
    await api.services.accounts.authenticate(startup.secret),
  );
  return Buffer.from(`Session:${session.id}`).toString("base64url");
};

const aProject = async () => made(startup, "projectCreate", "project", { name: another("project") });
const aBudgetInput = async () => ({
  owner: { projectId: await aProject() },
  amount: "10",
  period: "MONTH",
  hardStop: true,
});
const aBudget = async () => made(startup, "budgetCreate", "budget", await aBudgetInput());

const aBlock = async () =>
  made(partner, "creditBlock", "block", { target: { facilityId: await opened(partner, "10") }, reason: "DEFAULT" });
/** For an attempt that left no record; the fixing is there once a spot price was recorded. */
async function aClaim() {
  const { by, input } = await tries.spotPricesRecord!();
  await send(by, "spotPricesRecord", input);
  const [offeringId, endpointId] = await anOfferingAndItsEndpoint();
  return { relayToken: aRelayToken(uuidOf(endpointId)), offeringId, promptTokens: 1, completionTokens: 1_000 };
}
async function anOfferingAndItsEndpoint(): Promise<[string, string]> {
  const endpointId = await registered(provider, another("endpoint"));
  const input = { ...anOffering("", { model: another("model") }), endpointId };
  return [await made(provider, "offeringPublish", "offering", input), endpointId];
}

async function payoutThatIs(state: "SCHEDULED" | "SUBMITTED" | "RETURNED"): Promise<string> {
  const { uuid } = await api.a("PROVIDER");
  const accountId = await aUsableAccount(api, uuid);
  return encodeId("Payout", await aPayout(api, uuid, { period: "2100-06", state, accountId }));
}

interface Try {
  readonly by: Party;
  readonly action: string;
  readonly input: unknown;
}

/** A mutation that succeeds, each time on objects of its own, and what the trail calls it. */
const tries: Readonly<Record<string, () => Promise<Try>>> = {
  organisationCreate: async () => ({
    by: api.operator,
    action: "organisation.create",
    input: { kind: "STARTUP", name: another("startup") },
  }),
  memberAdd: async () => ({
    by: startup,
    action: "member.add",
    input: { email: `${another("m")}@people.example`, displayName: "M", role: "OWNER" },
  }),
  memberChangeRole: async () => ({
    by: startup,
    action: "member.change-role",
    input: { id: await aMember("VIEWER"), role: "ADMIN", expectedVersion: 1 },
  }),
  memberRemove: async () => ({ by: startup, action: "member.remove", input: { id: await aMember("VIEWER") } }),
  apiKeyCreate: async () => ({
    by: startup,
    action: "api-key.create",
    input: { name: another("key"), scopes: ["READ"] },
  }),
  apiKeyRotate: async () => ({ by: startup, action: "api-key.rotate", input: { id: await aKey(), overlap: "PT1H" } }),
  apiKeyChangeLimits: async () => ({
    by: startup,
    action: "api-key.change-limits",
    input: { id: await aKey(), limits: { tokensPerMinute: 5_000 }, expectedVersion: 1 },
  }),
  projectCreate: async () => ({ by: startup, action: "project.create", input: { name: another("project") } }),
  projectRename: async () => ({
    by: startup,
    action: "project.rename",
    input: { id: await aProject(), name: another("project"), expectedVersion: 1 },
  }),
  projectArchive: async () => ({ by: startup, action: "project.archive", input: { id: await aProject() } }),
  apiKeyMove: async () => ({
    by: startup,
    action: "api-key.move",
    input: { id: await aKey(), projectId: await aProject() },
  }),
  budgetCreate: async () => ({ by: startup, action: "budget.create", input: await aBudgetInput() }),
  budgetChange: async () => ({
    by: startup,
    action: "budget.change",
    input: { id: await aBudget(), amount: "5", expectedVersion: 1 },
  }),
  budgetRemove: async () => ({ by: startup, action: "budget.remove", input: { id: await aBudget() } }),
  apiKeyRevoke: async () => ({ by: startup, action: "api-key.revoke", input: { id: await aKey() } }),
  sessionRevoke: async () => ({ by: startup, action: "session.revoke", input: { id: await aSession() } }),
  endpointRegister: async () => ({
    by: provider,
    action: "endpoint.register",
    input: await anEndpoint({ name: another("endpoint") }),
  }),
  endpointMove: async () => ({
    by: provider,
    action: "endpoint.move",
    input: { id: await registered(provider, another("endpoint")), to: "RETIRED" },
  }),
  offeringPublish: async () => ({
    by: provider,
    action: "offering.publish",
    input: {
      ...anOffering("", { model: another("model") }),
      endpointId: await registered(provider, another("endpoint")),
    },
  }),
  offeringMove: async () => ({
    by: provider,
    action: "offering.move",
    input: { id: await anOfferingOf(), to: "WITHDRAWN" },
  }),
  capacityWindowOpen: async () => ({ by: provider, action: "capacity-window.open", input: aWindow() }),
  capacityWindowCancel: async () => ({
    by: provider,
    action: "capacity-window.cancel",
    input: { id: await made(provider, "capacityWindowOpen", "capacityWindow", aWindow()) },
  }),
  facilityOpen: async () => ({
    by: partner,
    action: "facility.open",
    input: { name: another("facility"), limit: "10", multiplier: "1.35" },
  }),
  facilityChangeLimit: async () => ({
    by: partner,
    action: "facility.change-limit",
    input: { id: await opened(partner, "10"), limit: "20" },
  }),
  facilityClose: async () => ({
    by: partner,
    action: "facility.close",
    input: { id: await opened(partner, "10"), expectedVersion: 1 },
  }),
  drawdownCreate: async () => ({
    by: partner,
    action: "drawdown.create",
    input: { facilityId: await opened(partner, "10"), startupId: startup.id, amount: "1" },
  }),
  creditBlock: async () => ({
    by: partner,
    action: "block.place",
    input: { target: { facilityId: await opened(partner, "10") }, reason: "DISPUTE" },
  }),
  creditUnblock: async () => ({ by: partner, action: "block.lift", input: { id: await aBlock() } }),
  blockAssign: async () => ({ by: partner, action: "block.assign", input: { id: await aBlock() } }),
  claimSubmit: async () => ({ by: provider, action: "claim.submit", input: await aClaim() }),
  claimDecide: async () => ({
    by: api.operator,
    action: "claim.decide",
    input: { id: await made(provider, "claimSubmit", "claim", await aClaim()), pay: false, reason: "no" },
  }),
  testClockAdvance: async () => ({ by: api.operator, action: "test-clock.advance", input: { by: "PT0.001S" } }),
  rateCardPropose: async () => ({
    by: api.operator,
    action: "rate-card.propose",
    input: {
      providerId: provider.id,
      effectiveAt: new Date(Date.now() + 3_600_000).toISOString(),
      reason: "negotiated",
      baseShare: "0.85",
      tierReading: "VOLUME",
      premiumReading: "POINTS",
      tiers: [{ premium: "0.05" }],
    },
  }),
  rateCardApprove: async () => ({
    by: api.operator,
    action: "rate-card.approve",
    input: { id: encodeId("RateCard", await aProposal(api.db, provider.uuid, 800)) },
  }),
  rateCardRetire: async () => ({
    by: api.operator,
    action: "rate-card.retire",
    input: { id: encodeId("RateCard", await aRateCard(api.db, provider.uuid, { version: 900 })) },
  }),
  periodClose: async () => ({ by: api.operator, action: "period.close", input: { period: "2026-10" } }),
  statementApprove: async () => ({
    by: provider,
    action: "statement.approve",
    input: { id: encodeId("Statement", (await aStatement(api.db, provider.uuid)).id) },
  }),
  statementDispute: async () => {
    const { id } = await aStatement(api.db, provider.uuid, { period: "2100-02" });
    const lineId = encodeId("StatementLine", await aLine(api.db, id));
    return { by: provider, action: "statement.dispute", input: { lineId, reason: "More was delivered." } };
  },
  disputeResolve: async () => ({
    by: api.operator,
    action: "statement.resolve-dispute",
    input: {
      id: encodeId("StatementDispute", await aDisputed(api.db, provider.uuid, "2100-03")),
      outcome: "UPHELD",
      answer: "It was.",
      credit: "0.5",
    },
  }),
  statementFinalise: async () => ({
    by: api.operator,
    action: "statement.finalise",
    input: {
      id: encodeId(
        "Statement",
        (await aStatement(api.db, provider.uuid, { period: "2100-04", reviewEndsAt: new Date(0) })).id,
      ),
    },
  }),
  creditNoteCreate: async () => ({
    by: api.operator,
    action: "credit-note.create",
    input: {
      statementId: encodeId("Statement", await aFinal(api.db, provider.uuid, "2100-05")),
      amount: "-1",
      reason: "Counted twice.",
    },
  }),
  spotPricesRecord: async () => ({
    by: api.operator,
    action: "spot-prices.record",
    input: {
      observations: [
        {
          accelerator: "H100",
          region: "eu-north",
          source: another("source"),
          price: "2.5",
          confidence: "0.9",
          observedAt: new Date().toISOString(),
        },
      ],
    },
  }),
  payoutAccountPropose: async () => ({
    by: await api.a("PROVIDER"),
    action: "payout-account.propose",
    input: { holder: "Nordic GPU AS", iban: "DE89370400440532013000", bic: "COBADEFFXXX", country: "DE" },
  }),
  payoutAccountConfirm: async () => {
    const by = await api.a("PROVIDER");
    const id = encodeId("PayoutAccount", await aProposedAccount(api, by.uuid));
    return { by, action: "payout-account.confirm", input: { id } };
  },
  payoutAccountCancel: async () => {
    const by = await api.a("PROVIDER");
    const id = encodeId("PayoutAccount", await aProposedAccount(api, by.uuid));
    return { by, action: "payout-account.cancel", input: { id } };
  },
  payoutApprove: async () => ({
    by: api.operator,
    action: "payout.approve",
    input: { id: await payoutThatIs("SCHEDULED") },
  }),
  payoutHold: async () => ({
    by: api.operator,
    action: "payout.hold",
    input: { id: await payoutThatIs("SCHEDULED"), reason: "a dispute" },
  }),
  payoutRelease: async () => {
    const id = await payoutThatIs("SCHEDULED");
    await send(api.operator, "payoutHold", { id, reason: "a dispute" });
    return { by: api.operator, action: "payout.release", input: { id } };
  },
  payoutConfirm: async () => ({
    by: api.operator,
    action: "payout.confirm",
    input: { id: await payoutThatIs("SUBMITTED"), outcome: "SETTLED" },
  }),
  payoutReissue: async () => ({
    by: api.operator,
    action: "payout.reissue",
    input: { id: await payoutThatIs("RETURNED") },
  }),
  payoutRun: async () => ({ by: api.operator, action: "payout.run", input: { note: "month end" } }),
};

/** Everything that is stored, but for when a key was last used. */
async function everything(): Promise<Record<string, string>> {
  const tables: { name: string }[] = await api.db.source.query(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
  );
  const state: Record<string, string> = {};
  for (const { name } of tables) {
    const [{ digest }] = await api.db.source.query(
      `SELECT md5(string_agg(row, E'\\n' ORDER BY row)) AS digest
         FROM (SELECT (to_jsonb(t) - 'last_used_at' - 'last_seen_at')::text AS row FROM ${name} t) AS rows`,
    );
    state[name] = digest;
  }
  return state;
}

const eventCount = () => api.db.source.getRepository(AuditEvent).count();

test("the trial covers every mutation of the schema", () => {
  expect(Object.keys(tries).sort()).toEqual(mutations.map(({ name }) => name).sort());
});

test.each(mutations.map(({ name }) => name))(
  "%s leaves its line, and nothing at all when the line cannot be written",
  async (name) => {
    const { by, action, input } = await tries[name]!();
    const before = await everything();
    await api.db.source.query("ALTER TABLE audit_event ADD CONSTRAINT unwritable CHECK (false) NOT VALID");
    try {
      expect((await send(by, name, input)).refused).not.toBeNull();
      expect(await everything()).toEqual(before);
    } finally {
      await api.db.source.query("ALTER TABLE audit_event DROP CONSTRAINT unwritable");
    }

    const linesBefore = await eventCount();
    const { refused, requestId } = await send(by, name, input);
    expect(refused).toBeNull();
    // A rotation makes a key too, and says so in a line of the new key's own.
    const lines = name === "apiKeyRotate" ? 2 : 1;
    expect(await eventCount()).toBe(linesBefore + lines);
    const [event] = await api.db.source.getRepository(AuditEvent).find({ order: { id: "DESC" }, take: 1 });
    const viewer = await api.services.accounts.authenticate(by.secret);
    expect(event).toMatchObject({
      action,
      requestId,
      actorOrganisationId: by.uuid,
      actorKeyId: viewer!.keyId,
      actorMemberId: null,
      actorSessionId: null,
    });
    expect(JSON.stringify(event!.change)).not.toMatch(/exg_\w{20}|digest|CERTIFICATE/);
    expect(Object.keys(event!.change)).not.toEqual([]);
  },
);

test("the trail cannot be changed, not even by the owner of the table", async () => {
  for (const text of ["UPDATE audit_event SET action = 'nothing'", "DELETE FROM audit_event", "TRUNCATE audit_event"]) {
    await expect(api.db.source.query(text)).rejects.toThrow("append-only");
  }
});

test("an organisation reads what was done to its own objects, and by whom, the operator's acts included", async () => {
  const stranger = await api.a("STARTUP", "Stranger");
  const query = `query ($filter: AuditEventFilter) { auditEvents(first: 100, filter: $filter) {
    nodes { id action subject { id } actor { onBehalf } changes { field from to } organisation { id } } } }`;
  interface Line {
    id: string;
    action: string;
    subject: { id: string };
    actor: { onBehalf: boolean };
    changes: { field: string; from: string | null; to: string | null }[];
    organisation: { id: string };
  }
  const linesOf = async (by: Party, filter: unknown = null) => {
    const { data } = await by.text(query, { filter });
    return (data as { auditEvents: { nodes: Line[] } }).auditEvents.nodes;
  };
  const own = await linesOf(stranger);
  expect(own.map(({ action, actor }) => [action, actor.onBehalf])).toEqual([
    ["api-key.create", true],
    ["organisation.create", true],
  ]);
  expect(new Set((await linesOf(startup)).map(({ organisation }) => organisation.id))).toEqual(new Set([startup.id]));
  const roles = await linesOf(startup, { action: "member.change-role" });
  expect(roles[0]!.changes).toEqual([{ field: "role", from: "VIEWER", to: "ADMIN" }]);
  expect(await linesOf(startup, { subjectId: roles[0]!.subject.id })).toHaveLength(2);
  expect((await linesOf(api.operator)).length).toBeGreaterThan((await linesOf(startup)).length);

  const node = "query ($id: ID!) { node(id: $id) { id } }";
  expect((await startup.text(node, { id: roles[0]!.id })).data).toEqual({ node: { id: roles[0]!.id } });
  expect((await stranger.text(node, { id: roles[0]!.id })).data).toEqual({ node: null });
  expect((await stranger.text(query, { filter: { organisationId: startup.id } })).errors?.[0]?.extensions.code).toBe(
    "NOT_FOUND",
  );
});
