/** Accounts, lots and postings are exact; what the books must never show is refused by PostgreSQL itself. */
import { newRequestId } from "../../src/metering/metering";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { until } from "../support/leftovers";
import { MoneyWorld, plainLot, reportedUsage } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { countersByName, countOf, faultsInTheBooks } from "./books";

let database: TestDatabase;
let world: MoneyWorld;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
});

afterEach(async () => {
  expect(await faultsInTheBooks(world.db)).toEqual([]);
});

afterAll(async () => {
  await world?.close();
  await database?.drop();
});

test("a facility opens with a limited backing account and two open-ended credit accounts, all at zero", async () => {
  const facilityId = await world.facility();
  const rows = await world.db.source.query(
    "SELECT name, ledger, kind, limited FROM ledger_account WHERE facility_id = $1 ORDER BY name",
    [facilityId],
  );
  expect(rows).toEqual([
    { name: `facility:${facilityId}:backing`, ledger: "USD", kind: "FACILITY_BACKING", limited: true },
    { name: `facility:${facilityId}:issuance`, ledger: "CRD", kind: "CREDIT_ISSUANCE", limited: false },
    { name: `facility:${facilityId}:redeemed`, ledger: "CRD", kind: "CREDIT_REDEEMED", limited: false },
  ]);
  const balances = await world.ledger.facilityBalances([facilityId]);
  expect(balances.get(facilityId)).toEqual({
    fundedNanoUsd: 0n,
    backingNanoUsd: 0n,
    issuedNanoCredit: 0n,
    availableNanoCredit: 0n,
    heldNanoCredit: 0n,
    blockedNanoCredit: 0n,
    spentNanoCredit: 0n,
    expiredNanoCredit: 0n,
    assignedNanoCredit: 0n,
  });
});

test("a facility's accounts open once: a second time is refused by their names", async () => {
  const facilityId = await world.facility();
  const again = transaction(world.db, (tx) => world.ledger.openFacilityAccounts(tx, facilityId));
  await expect(again).rejects.toMatchObject({ code: "23505" });
});

test("a drawdown of 1,000 dollars at 1.50× is 1,000 dollars of backing and 1,500 credits in a wallet lot", async () => {
  const [startupId, facilityId] = [await world.startup(), await world.facility(1_500_000n)];
  const lot = await world.lot({ startupId, facilityId, fundedNanoUsd: 1_000n * NANO });
  expect(await world.ledger.balance(startupId)).toEqual({
    issuedNanoCredit: 1_500n * NANO,
    availableNanoCredit: 1_500n * NANO,
    heldNanoCredit: 0n,
    blockedNanoCredit: 0n,
    spentNanoCredit: 0n,
    expiredNanoCredit: 0n,
    assignedNanoCredit: 0n,
    asOf: world.clock.now(),
  });
  expect((await world.ledger.lotBalances([lot.accountId, newId()])).size).toBe(1);
  expect((await world.ledger.facilityBalances([facilityId])).get(facilityId)).toMatchObject({
    fundedNanoUsd: 1_000n * NANO,
    backingNanoUsd: 1_000n * NANO,
    issuedNanoCredit: 1_500n * NANO,
  });
});

test("balances beyond 2^53 nano-units stay exact, and a startup's lots add up", async () => {
  const startupId = await world.startup();
  const odd = 8_007_199_254_740_993n;
  const lots = [];
  for (const multiplierPpm of [1_250_000n, 1_499_999n]) {
    lots.push(await world.lot({ startupId, facilityId: await world.facility(multiplierPpm), fundedNanoUsd: odd }));
  }
  expect(lots.map((lot) => lot.creditNanoCredit)).toEqual([10_008_999_068_426_241n, 12_010_790_874_912_235n]);
  expect((await world.ledger.balance(startupId)).issuedNanoCredit).toBe(22_019_789_943_338_476n);
});

test("a hold moves credit from available to held, pending on both sides; a void moves it back", async () => {
  const startupId = await world.startupWith(1_000n);
  const requestId = await world.hold(startupId, 300n);
  expect(await world.ledger.balance(startupId)).toMatchObject({
    availableNanoCredit: 700n,
    heldNanoCredit: 300n,
    spentNanoCredit: 0n,
  });
  const facility = (
    await world.db.source.query("SELECT facility_id FROM credit_lot WHERE startup_id = $1", [startupId])
  )[0].facility_id;
  expect((await countersByName(world.db)).get(`facility:${facility}:redeemed`)).toMatchObject({
    creditsPending: 300n,
    creditsPosted: 0n,
  });
  await world.metering.release(requestId, startupId);
  await world.metering.release(requestId, startupId);
  expect(await world.ledger.balance(startupId)).toMatchObject({
    availableNanoCredit: 1_000n,
    heldNanoCredit: 0n,
    spentNanoCredit: 0n,
  });
});

test("an unknown startup has nothing", async () => {
  expect(await world.ledger.balance(newId())).toMatchObject({ issuedNanoCredit: 0n, availableNanoCredit: 0n });
});

test("a raw UPDATE that would overdraw a wallet or a backing account fails", async () => {
  await world.startupWith(1_000n);
  for (const kind of ["WALLET_LOT", "FACILITY_BACKING"]) {
    for (const counter of ["debits_posted", "debits_pending"]) {
      const overdraw = world.db.source.query(
        `UPDATE ledger_account SET ${counter} = ${counter} + credits_posted + 1 WHERE kind = $1`,
        [kind],
      );
      await expect(overdraw).rejects.toMatchObject({ constraint: "ledger_account_limit_check" });
    }
  }
});

test("a counter below zero fails, whatever the account", async () => {
  const below = world.db.source.query("UPDATE ledger_account SET debits_pending = -1 WHERE name = 'revenue:spread'");
  await expect(below).rejects.toMatchObject({ constraint: "ledger_account_counters_check" });
});

test("a pending transfer is resolved at most once, even by hand", async () => {
  const startupId = await world.startupWith(1_000n);
  const requestId = await world.hold(startupId, 1_000n);
  await world.metering.release(requestId, startupId);
  const again = world.db.source.query(
    `INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, pending_id, booked_at)
     SELECT $1, group_id, 'POST', code, debit_account_id, credit_account_id, amount, id, booked_at FROM transfer WHERE group_id = $2 AND kind = 'PENDING'`,
    [newId(), requestId],
  );
  await expect(again).rejects.toMatchObject({ constraint: "transfer_pending_key" });
});

test("a transfer of nothing, or from an account to itself, fails, and with it the whole posting", async () => {
  const [cash, spread] = await accountIds(["cash:trust", "revenue:spread"]);
  const before = await countOf(world.db, "transfer");
  const posting = (amount: string, credit: string) => {
    const leg = { groupId: newId(), code: "FUNDING", debit: cash, bookedAt: world.clock.now() };
    const items = [
      { ...leg, id: newId(), credit: spread, amount: "5" },
      { ...leg, id: newId(), credit, amount },
    ];
    return world.db.source.query("SELECT ledger_post($1)", [JSON.stringify(items)]);
  };
  await expect(posting("0", spread!)).rejects.toMatchObject({ constraint: "transfer_amount_check" });
  await expect(posting("-5", spread!)).rejects.toMatchObject({ constraint: "transfer_amount_check" });
  await expect(posting("5", cash!)).rejects.toMatchObject({ constraint: "transfer_accounts_check" });
  expect(await countOf(world.db, "transfer")).toBe(before);
});

test("a posting onto an account that does not exist, or across ledgers, fails as a whole", async () => {
  const [cash, spread] = await accountIds(["cash:trust", "revenue:spread"]);
  const [wallet] = await world.db.source.query("SELECT id FROM ledger_account WHERE kind = 'WALLET_LOT' LIMIT 1");
  const before = await countersByName(world.db);
  for (const credit of [newId(), wallet.id]) {
    const leg = { id: newId(), groupId: newId(), code: "FUNDING", bookedAt: world.clock.now(), amount: "5" };
    const items = JSON.stringify([
      { ...leg, debit: cash, credit: spread },
      { ...leg, id: newId(), debit: cash, credit },
    ]);
    await expect(world.db.source.query("SELECT ledger_post($1)", [items])).rejects.toThrow(
      /two accounts of one ledger/,
    );
  }
  expect(await countersByName(world.db)).toEqual(before);
});

test("the same posting twice is refused by its ids and changes nothing", async () => {
  const [cash, spread] = await accountIds(["cash:trust", "revenue:spread"]);
  const item = {
    id: newId(),
    groupId: newId(),
    code: "FUNDING",
    debit: cash,
    credit: spread,
    amount: "7",
    bookedAt: world.clock.now(),
  };
  const post = () => world.db.source.query("SELECT ledger_post($1)", [JSON.stringify([item])]);
  await post();
  await expect(post()).rejects.toMatchObject({ constraint: "transfer_pkey" });
});

test("a hold reaches over at most 255 lots, and one that does is captured whole", async () => {
  const [startupId, facilityId] = [await world.startup(), await world.facility()];
  await transaction(world.db, async (tx) => {
    for (let lot = 0; lot < 300; lot++) {
      const terms = {
        groupId: newId(),
        lotId: newId(),
        facilityId,
        startupId,
        fundedNanoUsd: 4n,
        creditNanoCredit: 5n,
        multiplierPpm: 1_250_000n,
        ...plainLot,
      };
      await world.ledger.issueLot(tx, { ...terms, bookedAt: world.clock.now() });
    }
  });
  await expect(world.hold(startupId, 1_276n)).rejects.toMatchObject({
    code: "INSUFFICIENT_CREDITS",
    details: { availableNanoCredit: 1_275n },
  });
  const requestId = newRequestId();
  await world.hold(startupId, 1_275n, { requestId });
  const usage = reportedUsage(100_000);
  const settled = await world.metering.settle(world.delivery({ requestId, startupId, heldNanoCredit: 1_275n, usage }));
  expect(settled.chargedNanoCredit).toBe(1_275n);
  expect(await world.ledger.balance(startupId)).toMatchObject({
    availableNanoCredit: 225n,
    heldNanoCredit: 0n,
    spentNanoCredit: 1_275n,
  });
  await world.hold(startupId, 225n);
});

test("commits and postings go one after the other: while one is open the next waits, and then sees what it did", async () => {
  const [startupId, facilityId] = [await world.startupWith(1_000n), await world.facility()];
  const waiting = () =>
    world.db.source.query(
      "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
  const first = world.db.source.createQueryRunner();
  await first.startTransaction();
  await first.query("SELECT ledger_lock()");
  let done = 0;
  const next = [world.hold(startupId, 600n), world.lot({ startupId, facilityId, fundedNanoUsd: 4n })].map((work) =>
    work.then(() => done++),
  );
  await until("both wait for the ledger", async () => (await waiting()).length === 2);
  expect(done).toBe(0);
  await first.commitTransaction();
  await first.release();
  await Promise.all(next);
  expect(await world.ledger.balance(startupId)).toMatchObject({ issuedNanoCredit: 1_005n, heldNanoCredit: 600n });
});

async function accountIds(names: string[]): Promise<string[]> {
  const rows: { id: string; name: string }[] = await world.db.source.query(
    "SELECT id, name FROM ledger_account WHERE name = ANY ($1)",
    [names],
  );
  return names.map((name) => rows.find((row) => row.name === name)!.id);
}
