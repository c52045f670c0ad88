/** The ledger over GraphQL: one's own accounts and what happened to them, how they stood, and the operator's proof that nothing was altered. */
import {
  AccountingPeriodsDocument,
  DrawdownCreateDocument,
  LedgerAccountsDocument,
  LedgerBalanceDocument,
  LedgerEntriesDocument,
  LedgerVerificationDocument,
  NodeDocument,
} from "../../codegen/generated/graphql";
import { closePeriod } from "../../src/ledger/periods";
import { transaction } from "../../src/platform/transaction";
import { openApi, opened, type Party, type TestApi } from "./an-api";

let api: TestApi;
let partner: Party;
let startup: Party;
let rival: Party;
let facilityId: string;
let before: Date;

beforeAll(async () => {
  api = await openApi();
  partner = await api.a("CAPITAL_PARTNER", "Ada Capital");
  rival = await api.a("CAPITAL_PARTNER", "Bea Capital");
  startup = await api.a("STARTUP", "Firefly");
  facilityId = await opened(partner, "1000");
  before = new Date();
  for (const [index, amount] of ["100", "200"].entries()) {
    const input = { facilityId, startupId: startup.id, amount };
    const { drawdownCreate } = await partner.read(DrawdownCreateDocument, { input, idempotencyKey: `drawn-${index}` });
    expect(drawdownCreate.userErrors).toEqual([]);
  }
  await api.services.journal.write();
}, 60_000);

afterAll(() => api.close());

const accountsOf = async (who: Pick<Party, "read">, filter: object | null = null) =>
  (await who.read(LedgerAccountsDocument, { filter })).ledgerAccounts.nodes;

it("shows an operator every account, narrowed by kind, organisation and facility", async () => {
  const names = (await accountsOf(api.operator)).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["cash:trust", "revenue:spread"]));
  const backing = await accountsOf(api.operator, { kind: "FACILITY_BACKING", facilityId });
  expect(backing).toHaveLength(1);
  expect(backing[0]).toMatchObject({
    currency: "USD",
    limited: true,
    facility: { id: facilityId },
    organisation: null,
  });
  const wallets = await accountsOf(api.operator, { organisationId: startup.id, kind: "WALLET_LOT" });
  expect(wallets.map(({ organisation }) => organisation!.id)).toEqual([startup.id, startup.id]);
});

it("shows a startup its wallet without the facility, a partner its facility without the wallets, a rival nothing", async () => {
  const own = await accountsOf(startup);
  expect(own.map(({ kind, facility }) => [kind, facility])).toEqual([
    ["WALLET_LOT", null],
    ["WALLET_LOT", null],
  ]);
  const kinds = (await accountsOf(partner)).map(({ kind }) => kind).sort();
  expect(kinds).toEqual(["CREDIT_ISSUANCE", "CREDIT_REDEEMED", "FACILITY_BACKING"]);
  expect(await accountsOf(rival, { facilityId })).toEqual([]);
  expect(await rival.codes(LedgerAccountsDocument, { filter: { organisationId: startup.id } })).toEqual(["NOT_FOUND"]);
  const { id } = own[0]!;
  expect((await startup.read(NodeDocument, { id })).node).toEqual({ __typename: "LedgerAccount", id });
  for (const other of [partner, rival]) {
    expect((await other.read(NodeDocument, { id })).node).toBeNull();
    expect(await other.codes(LedgerEntriesDocument, { accountId: id })).toEqual(["NOT_FOUND"]);
    expect(await other.codes(LedgerBalanceDocument, { accountId: id })).toEqual(["NOT_FOUND"]);
  }
});

it("shows what happened to an account, the newest first, page by page, with its balance after each", async () => {
  const [backing] = await accountsOf(partner, { kind: "FACILITY_BACKING" });
  const accountId = backing!.id;
  const page = (await partner.read(LedgerEntriesDocument, { accountId, first: 1 })).ledgerEntries;
  expect(page.nodes).toEqual([
    expect.objectContaining({
      version: "2",
      code: "FUNDING",
      side: "CREDIT",
      posted: { amount: "200", currency: "USD" },
      counters: expect.objectContaining({ balance: { amount: "300", currency: "USD" } }),
    }),
  ]);
  const next = await partner.read(LedgerEntriesDocument, { accountId, first: 1, after: page.pageInfo.endCursor });
  expect(next.ledgerEntries.nodes[0]).toMatchObject({ version: "1", counters: { balance: { amount: "100" } } });
  expect(next.ledgerEntries.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  const none = await partner.read(LedgerEntriesDocument, { accountId, filter: { to: before.toISOString() } });
  expect(none.ledgerEntries.nodes).toEqual([]);
});

it("says how an account stood, and keeps two questions apart: when it counts from and when it was known", async () => {
  const [backing] = await accountsOf(partner, { kind: "FACILITY_BACKING" });
  const accountId = backing!.id;
  const balance = async (asOf: object) =>
    (await partner.read(LedgerBalanceDocument, { accountId, ...asOf })).ledgerBalance.counters.balance.amount;
  expect(await balance({})).toBe("300");
  expect(await balance({ bookedAt: before.toISOString() })).toBe("0");
  expect(await balance({ recordedAt: before.toISOString() })).toBe("0");
  expect(await balance({ bookedAt: new Date().toISOString(), recordedAt: new Date().toISOString() })).toBe("300");
});

it("proves to an operator that nothing was altered, and names what was", async () => {
  const verify = async (range: object = {}) =>
    (await api.operator.read(LedgerVerificationDocument, range)).ledgerVerification;
  const { headHash } = await api.services.journal.head().then(({ hash }) => ({ headHash: hash }));
  expect(await verify()).toMatchObject({ pagesChecked: 1, transfersChecked: 4, headPage: 1, headHash, faults: [] });
  await api.db.source.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query("UPDATE transfer SET amount = amount + 1 WHERE code = 'FUNDING'");
  });
  const faults = (await verify()).faults.map(({ kind }) => kind);
  expect(faults).toEqual(["TRANSFER_ALTERED", "TRANSFER_ALTERED"]);
  expect(await api.operator.codes(LedgerVerificationDocument, { fromPage: 1, toPage: 21 })).toEqual(["BAD_USER_INPUT"]);
  for (const other of [partner, startup])
    expect(await other.codes(LedgerVerificationDocument, {})).toEqual(["FORBIDDEN"]);
});

it("lists closed months", async () => {
  const months = async () => (await startup.read(AccountingPeriodsDocument, {})).accountingPeriods;
  const known = await months();
  const at = new Date();
  const next = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 2));
  const period = at.toISOString().slice(0, 7);
  await transaction(api.db, (tx) => closePeriod(tx, period, null, next));
  expect(await months()).toEqual([{ period, closedAt: next.toISOString() }, ...known]);
});
