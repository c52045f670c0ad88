/** Every minute the books are held against themselves; whatever does not add up is named, counted and told. */
import { Client } from "pg";
import { Journal } from "../../src/ledger/journal";
import { watchLedger } from "../../src/ledger/ledger-metrics";
import { Reconciliation } from "../../src/ledger/reconciliation";
import { createLog } from "../../src/platform/log";
import { createMetrics } from "../../src/platform/metrics";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { type BusyBooks, openBooks, posting, someRequests } from "./busy-books";

let database: TestDatabase;
let world: MoneyWorld;
let books: BusyBooks;
let journal: Journal;
let reconciliation: Reconciliation;
let intruder: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  books = await openBooks(world);
  journal = new Journal({ db: world.db });
  reconciliation = new Reconciliation({ db: world.db, clock: world.clock, log });
  await someRequests(books, 30);
  await journal.write(25);
  expect(await reconciliation.run()).toMatchObject({ driftNano: 0n, faults: [], whole: false });
  intruder = new Client({ connectionString: database.url });
  await intruder.connect();
  await intruder.query("SET session_replication_role = replica");
});

afterEach(async () => {
  await intruder.end();
  await world.close();
  await database.drop();
});

const log = createLog({ level: "silent" });
const change = async (text: string, values: unknown[] = []) => (await intruder.query(text, values)).rows[0];

test("books that are written, written up or not, add up to the last nano-unit, and the gauges say so", async () => {
  const own = createMetrics();
  watchLedger(own, { journal, reconciliation });
  await someRequests(books, 20);
  await posting(world, 9n, world.clock.now());
  for (const whole of [false, true]) {
    expect(whole ? await reconciliation.runWhole() : await reconciliation.run()).toMatchObject({
      driftNano: 0n,
      faults: [],
    });
    await journal.write();
  }
  const text = await own.text();
  expect(text).toMatch(/^exergy_ledger_drift_nano 0$/m);
  expect(text).toMatch(/^exergy_ledger_faults 0$/m);
  expect(text).toMatch(/^exergy_journal_lag_transfers 0$/m);
});

test("one nano-unit too much on one account is drift of one, with the account's name, until it is put right", async () => {
  const own = createMetrics();
  watchLedger(own, { journal, reconciliation });
  await change("UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE name = 'revenue:spread'");
  const { driftNano, faults } = await reconciliation.run();
  expect([driftNano, faults]).toEqual([1n, ["counters of revenue:spread are off by 1", "debits and credits of USD"]]);
  expect(await own.text()).toMatch(/^exergy_ledger_drift_nano 1$/m);
  expect(await own.text()).toMatch(/^exergy_ledger_faults 2$/m);
  await change("UPDATE ledger_account SET credits_posted = credits_posted - 1 WHERE name = 'revenue:spread'");
  expect((await reconciliation.run()).faults).toEqual([]);
});

test("what was not posted but moved on two accounts, so that all sums agree, is drift all the same", async () => {
  await change(
    "UPDATE ledger_account SET credits_posted = credits_posted + CASE name WHEN 'revenue:spread' THEN 7 ELSE -7 END WHERE name = 'revenue:spread' OR kind = 'FACILITY_BACKING'",
  );
  const { driftNano, faults } = await reconciliation.run();
  expect(driftNano).toBe(14n);
  expect(faults).toContain("counters of revenue:spread are off by 7");
});

test("a posting that the journal has not written up yet is no drift, and an altered one is", async () => {
  const id = await posting(world, 100n, world.clock.now());
  expect((await reconciliation.run()).faults).toEqual([]);
  await change("UPDATE transfer SET amount = 101 WHERE id = $1", [id]);
  expect((await reconciliation.run()).driftNano).toBe(2n);
});

test("a charge that was paid from a lot which is kept for something else is named", async () => {
  const { id, accelerator } = await change(
    "SELECT id, accelerator FROM usage_record WHERE charge_nano_credit > 0 ORDER BY id DESC LIMIT 1",
  );
  const lots =
    "kind = 'WALLET_LOT' AND lot_id IN (SELECT d.lot_id FROM transfer t JOIN ledger_account d ON d.id = t.debit_account_id WHERE t.group_id = $1)";
  await change(`UPDATE ledger_account SET accelerators = ARRAY[$2] WHERE ${lots}`, [id, accelerator]);
  expect((await reconciliation.runWhole()).faults).toEqual([]);
  await change(`UPDATE ledger_account SET accelerators = ARRAY['B200'] WHERE ${lots}`, [id]);
  expect((await reconciliation.runWhole()).faults).toContain(`lot that paid for usage record ${id}`);
});

test("a charge without its usage record, and one that was recorded otherwise than charged, are named", async () => {
  await someRequests(books, 6);
  const gone = await change(
    "DELETE FROM usage_record WHERE id = (SELECT max(id::text)::uuid FROM usage_record) RETURNING id",
  );
  expect((await reconciliation.run()).faults).toEqual([`usage record ${gone.id}`]);
  await someRequests(books, 6);
  const dearer = await change(
    "UPDATE usage_record SET charge_nano_credit = charge_nano_credit + 1 WHERE id = (SELECT max(id::text)::uuid FROM usage_record) RETURNING id",
  );
  expect((await reconciliation.run()).faults).toEqual([`usage record ${dearer.id}`]);
});

test("a hold that outlived its time by more than a sweep, and history without its guard, are named", async () => {
  const held = await world.hold(books.startupId, 1_000n, { ttlMs: 1_000 });
  world.clock.advanceMs(30_000);
  expect((await reconciliation.run()).faults).toEqual([]);
  world.clock.advanceMs(40_000);
  expect((await reconciliation.run()).faults).toEqual([`hold ${held} has expired and still holds`]);
  await change("ALTER TABLE transfer DISABLE TRIGGER transfer_is_final");
  expect((await reconciliation.run()).faults).toContain("history of transfer can be changed");
});

test("what was altered long ago is found by the first run after midnight, which reads everything", async () => {
  for (let page = 0; page < 30; page++) {
    await posting(world, 1n, world.clock.now());
    await journal.write();
  }
  await reconciliation.run();
  const altered = await change(
    "UPDATE transfer SET amount = amount + 1 WHERE seq = (SELECT min(seq) FROM transfer) RETURNING id",
  );
  expect(await reconciliation.run()).toMatchObject({ whole: false, faults: [] });
  world.clock.advanceMs(86_400_000);
  const night = await reconciliation.run();
  expect(night.whole).toBe(true);
  expect(night.faults).toContain(`TRANSFER_ALTERED: transfer ${altered.id}`);
  expect(await reconciliation.run()).toMatchObject({ whole: false });
});

test("a chain that was written anew between two runs has not the hash that the first one saw", async () => {
  await change("TRUNCATE entry, journal_page");
  await change(
    "UPDATE transfer SET booked_at = booked_at - interval '1 day' WHERE seq = (SELECT max(seq) FROM transfer)",
  );
  await journal.write(25);
  const { faults } = await reconciliation.run();
  expect(faults).toEqual([expect.stringMatching(/^CHAIN_BROKEN: page \d+$/)]);
});

test("another room's rule is held as well", async () => {
  const invariants = [
    { name: "rooms", text: "SELECT 'there is a startup' AS fault FROM organisation WHERE kind = 'STARTUP'" },
  ];
  const strict = new Reconciliation({ db: world.db, clock: world.clock, log, invariants });
  expect((await strict.run()).faults).toEqual(["rooms: there is a startup"]);
});
