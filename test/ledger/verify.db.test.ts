/** Whoever changes history behind the triggers' back is found out, row by row. */
import { Client } from "pg";
import { Journal } from "../../src/ledger/journal";
import { verifyLedger } from "../../src/ledger/verify";
import { newId } from "../../src/platform/ids";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { openBooks, posting, someRequests } from "./busy-books";

let database: TestDatabase;
let world: MoneyWorld;
let intruder: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  const books = await openBooks(world);
  await someRequests(books, 120);
  await new Journal({ db: world.db }).write(37);
  expect(await faults()).toEqual([]);
  intruder = new Client({ connectionString: database.url });
  await intruder.connect();
  // A superuser's way around every trigger.
  await intruder.query("SET session_replication_role = replica");
});

afterEach(async () => {
  await intruder.end();
  await world.close();
  await database.drop();
});

const faults = async (range = {}) =>
  (await verifyLedger(world.db, range)).faults.map(({ kind, subject }) => `${kind} ${subject}`);
const change = async (text: string, values: unknown[] = []) => (await intruder.query(text, values)).rows;
const some = async (text: string, values: unknown[] = []) => (await change(text, values))[0];

/** What each column may be turned into without a constraint noticing. */
const flips: Readonly<
  Record<"transfer" | "entry" | "journal_page" | "ledger_account", Readonly<Record<string, string>>>
> = {
  transfer: {
    group_id: "gen_random_uuid()",
    code: "'GIFT'",
    amount: "amount + 1",
    debit_account_id: "gen_random_uuid()",
    credit_account_id: "gen_random_uuid()",
    booked_at: "booked_at - interval '1 day'",
    recorded_at: "recorded_at + interval '1 microsecond'",
    id: "gen_random_uuid()",
  },
  entry: {
    account_id: "gen_random_uuid()",
    version: "version + 1",
    transfer_id: "gen_random_uuid()",
    group_id: "gen_random_uuid()",
    code: "'GIFT'",
    side: "CASE side WHEN 'DEBIT' THEN 'CREDIT' ELSE 'DEBIT' END",
    posted: "posted + 1",
    pending: "pending + 1000000",
    debits_pending: "debits_pending + 1",
    debits_posted: "debits_posted + 1",
    credits_pending: "credits_pending + 1",
    credits_posted: "credits_posted + 1",
    booked_at: "booked_at + interval '1 second'",
    recorded_at: "recorded_at - interval '1 microsecond'",
  },
  journal_page: {
    transfers: "transfers + 1",
    booked_from: "booked_from - interval '1 day'",
    booked_high: "booked_high + interval '1 day'",
    previous_hash: "sha256(previous_hash)",
    hash: "sha256(hash)",
    written_at: "written_at + interval '1 day'",
  },
  ledger_account: {
    debits_pending: "debits_pending + 1",
    debits_posted: "debits_posted + 1",
    credits_pending: "credits_pending + 1",
    credits_posted: "credits_posted + 1000",
  },
};

/** How the verifier calls a row, before it was changed and after: an entry is called by the account that it is under. */
const nameOf = {
  transfer: "'transfer ' || id",
  entry: "'entry ' || account_id || '/' || seq",
  journal_page: "'page ' || number",
  ledger_account: "'account ' || name",
};

test("fifty random fields of fifty rows, changed by a superuser without triggers: all fifty are named, and nothing else", async () => {
  const counts = { transfer: 22, entry: 18, journal_page: 6, ledger_account: 4 };
  const names = new Map<string, string>();
  // Random by the ids of this run; no account whose last entry was altered, which is what its counters are held against.
  for (const table of ["transfer", "entry", "journal_page", "ledger_account"] as const) {
    const columns = Object.entries(flips[table]);
    const untouched =
      table === "ledger_account"
        ? "WHERE (NOT limited OR credits_posted - debits_posted - debits_pending > 0) AND id NOT IN (SELECT e.account_id FROM entry e WHERE e.seq = (SELECT max(l.seq) FROM entry l WHERE l.account_id = e.account_id) AND 'entry ' || e.account_id || '/' || e.seq = ANY ($2))"
        : "WHERE $2::text[] IS NOT NULL";
    const rows = await change(
      `SELECT ctid::text AS place, ${nameOf[table]} AS name FROM ${table} ${untouched} ORDER BY random() LIMIT $1`,
      [counts[table], [...names.keys()]],
    );
    for (const [index, { place, name }] of rows.entries()) {
      const [column, value] = columns[index % columns.length]!;
      const changed = await some(
        `UPDATE ${table} SET ${column} = ${value} WHERE ctid = $1::tid RETURNING ${nameOf[table]} AS name`,
        [place],
      );
      // The journal knows a transfer by the id that it had.
      names.set(table === "transfer" ? name : changed.name, `${table}.${column}`);
    }
  }
  expect(names.size).toBe(50);
  const found = new Set((await verifyLedger(world.db)).faults.map(({ subject }) => subject));
  expect([...names].filter(([name]) => !found.has(name))).toEqual([]);
  expect([...found].filter((subject) => !names.has(subject))).toEqual([]);
});

test("a transfer that was taken away, and one that was slipped into a hole of the order, are named", async () => {
  const gone = await some(
    "DELETE FROM transfer WHERE seq = (SELECT seq FROM transfer ORDER BY random() LIMIT 1) RETURNING id, seq, debit_account_id, credit_account_id",
  );
  expect(await faults()).toEqual([`TRANSFER_MISSING transfer ${gone.id}`]);
  const id = newId();
  await change(
    `INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at, seq) VALUES ($1, $1, 'POSTED', 'SPREAD', $2, $3, 5, now(), $4)`,
    [id, gone.debit_account_id, gone.credit_account_id, gone.seq],
  );
  // In another's place it is that other one that is not as it was.
  const replaced = `TRANSFER_ALTERED transfer ${gone.id}`;
  expect(await faults()).toEqual([replaced]);
  await change("SELECT nextval(pg_get_serial_sequence('transfer', 'seq'))");
  await posting(world, 3n, world.clock.now());
  await new Journal({ db: world.db }).write();
  const hole = await some("SELECT first_seq - 1 AS seq FROM journal_page ORDER BY number DESC LIMIT 1");
  const slipped = newId();
  await change(
    `INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at, seq) VALUES ($1, $1, 'POSTED', 'SPREAD', $2, $3, 5, now(), $4)`,
    [slipped, gone.debit_account_id, gone.credit_account_id, hole.seq],
  );
  expect(await faults()).toEqual([replaced, `TRANSFER_ADDED transfer ${slipped}`]);
});

test("an entry that was taken away, and one that was added, are named", async () => {
  const gone = await some(
    "DELETE FROM entry WHERE ctid = (SELECT ctid FROM entry WHERE side = 'DEBIT' AND version = 3 LIMIT 1) RETURNING *",
  );
  const missing = `ENTRY_MISSING entry of transfer ${gone.transfer_id}, debit side`;
  expect(await faults()).toEqual([missing]);
  const other = await some(
    "INSERT INTO entry SELECT (jsonb_populate_record(NULL::entry, to_jsonb(e) || jsonb_build_object('account_id', gen_random_uuid(), 'version', 1))).* FROM entry e WHERE seq = (SELECT max(seq) FROM entry) LIMIT 1 RETURNING account_id, seq",
  );
  expect(await faults()).toContain(`ENTRY_ADDED entry ${other.account_id}/${other.seq}`);
});

test("a page in the middle, the newest pages, or the last ones with their entries: whichever are taken away, it shows", async () => {
  const { n } = await some("SELECT max(number)::int AS n FROM journal_page");
  await change("DELETE FROM journal_page WHERE number = 3");
  expect(await faults()).toEqual(["PAGE_MISSING page 3"]);
  await change("DELETE FROM journal_page WHERE number = $1", [n]);
  expect((await faults()).filter((fault) => fault.startsWith("PAGE_MISSING account"))).not.toEqual([]);
  const { head } = await verifyLedger(world.db, { fromPage: n - 1 });
  await change("DELETE FROM entry WHERE seq > (SELECT max(last_seq) FROM journal_page)");
  await change("DELETE FROM journal_page WHERE number = $1", [n - 1]);
  await change("DELETE FROM entry WHERE seq > (SELECT max(last_seq) FROM journal_page)");
  const anchor = { page: head!.page, hash: head!.hash };
  expect(await faults({ fromPage: 4, anchor })).toEqual([`CHAIN_BROKEN page ${anchor.page}`]);
});

test("one who writes the whole chain anew after a change is found out by a hash that was noted elsewhere, and by it alone", async () => {
  const journal = new Journal({ db: world.db });
  const { number, hash } = await journal.head();
  await change("TRUNCATE entry, journal_page");
  await change(
    "UPDATE transfer SET booked_at = booked_at - interval '1 day' WHERE seq = (SELECT max(seq) FROM transfer)",
  );
  await journal.write(37);
  expect(await faults()).toEqual([]);
  expect(await faults({ anchor: { page: number, hash } })).toEqual([`CHAIN_BROKEN page ${number}`]);
});

test("a page that was altered together with its hash is given away by the page after it", async () => {
  const [{ function: text }] = await change(
    "SELECT pg_get_functiondef('journal_append(integer)'::regprocedure) AS function",
  );
  const hash =
    /hash, written_at\)\s+SELECT.*?previous_hash, (pg_catalog\.sha256\(.*?'UTF8'\)\)), written_at FROM page/s.exec(
      text,
    )![1]!;
  await change(
    `WITH p AS (UPDATE journal_page SET written_at = written_at - interval '1 day' WHERE number = 2 RETURNING *) SELECT 1 FROM p`,
  );
  await change(`UPDATE journal_page page SET hash = ${hash} WHERE number = 2`);
  expect(await faults()).toEqual(["CHAIN_BROKEN page 2"]);
});

test("a range of pages is checked by itself, and says where it ended", async () => {
  const {
    pagesChecked,
    transfersChecked,
    head,
    faults: none,
  } = await verifyLedger(world.db, { fromPage: 2, toPage: 4 });
  expect([pagesChecked, transfersChecked, head!.page, none]).toEqual([3, 111, 4, []]);
  const altered = await some(
    "UPDATE transfer SET amount = amount + 1 WHERE seq = (SELECT min(seq) FROM transfer) RETURNING id",
  );
  expect(await faults({ fromPage: 2, toPage: 4 })).toEqual([]);
  expect(await faults({ fromPage: 1, toPage: 1 })).toEqual([`TRANSFER_ALTERED transfer ${altered.id}`]);
});
