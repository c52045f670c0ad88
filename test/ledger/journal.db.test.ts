/** Every transfer is written up once, in order, with balances that are the account's, on pages that anybody can recompute. */
import { createHash } from "node:crypto";
import { Journal } from "../../src/ledger/journal";
import { transaction } from "../../src/platform/transaction";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { faultsInTheBooks } from "./books";
import { type BusyBooks, openBooks, posting, someRequests } from "./busy-books";

let database: TestDatabase;
let world: MoneyWorld;
let books: BusyBooks;
let journal: Journal;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  journal = new Journal({ db: world.db });
  books = await openBooks(world);
});

afterAll(async () => {
  await world?.close();
  await database?.drop();
});

const query = (text: string, values: unknown[] = []) => world.db.source.query(text, values);

async function expectWrittenUp(): Promise<void> {
  expect(await faultsInTheBooks(world.db)).toEqual([]);
  const [{ transfers, entries, waiting }] = await query(
    `SELECT (SELECT count(*)::int FROM transfer) AS transfers, (SELECT count(*)::int FROM entry) AS entries,
            (SELECT count(*)::int FROM transfer WHERE seq > (SELECT max(last_seq) FROM journal_page)) AS waiting`,
  );
  expect([entries, waiting]).toEqual([2 * transfers, 0]);
  const off = await query(`
    SELECT a.name FROM ledger_account a
      LEFT JOIN LATERAL (SELECT * FROM entry e WHERE e.account_id = a.id ORDER BY e.version DESC LIMIT 1) e ON true
     WHERE (a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted) <>
           (coalesce(e.debits_pending, 0), coalesce(e.debits_posted, 0), coalesce(e.credits_pending, 0), coalesce(e.credits_posted, 0))
        OR coalesce(e.version, 0) <> (SELECT count(*) FROM entry n WHERE n.account_id = a.id)`);
  expect(off).toEqual([]);
}

test("after holds, charges and returns every account's last entry is its counters, and its versions count from 1 without a gap", async () => {
  await someRequests(books, 60);
  expect(await journal.write(50)).toBeGreaterThan(100);
  await expectWrittenUp();
  const [{ pages }] = await query("SELECT count(*)::int AS pages FROM journal_page");
  expect(pages).toBeGreaterThan(2);
});

test("every entry is the one before it and its own movement", async () => {
  const wrong = await query(`
    SELECT account_id, version FROM (
      SELECT e.*, lag(e.debits_pending, 1, 0::bigint) OVER w AS dp, lag(e.debits_posted, 1, 0::bigint) OVER w AS dd,
             lag(e.credits_pending, 1, 0::bigint) OVER w AS cp, lag(e.credits_posted, 1, 0::bigint) OVER w AS cd
        FROM entry e WINDOW w AS (PARTITION BY account_id ORDER BY version)) e
     WHERE (debits_pending - dp, debits_posted - dd, credits_pending - cp, credits_posted - cd)
           <> (CASE side WHEN 'DEBIT' THEN pending ELSE 0 END, CASE side WHEN 'DEBIT' THEN posted ELSE 0 END,
               CASE side WHEN 'CREDIT' THEN pending ELSE 0 END, CASE side WHEN 'CREDIT' THEN posted ELSE 0 END)`);
  expect(wrong).toEqual([]);
});

test("a page is written when there is something to write, and never for nothing", async () => {
  const before = await journal.head();
  expect(await journal.write()).toBe(0);
  expect(await journal.head()).toEqual(before);
  await posting(world, 5n, world.clock.now());
  expect((await journal.head()).waiting).toBe(1);
  expect(await journal.write()).toBe(1);
  expect(await journal.head()).toMatchObject({ number: before.number + 1, waiting: 0 });
  await expectWrittenUp();
});

test("a rolled-back transaction leaves a hole in the order and none in the journal", async () => {
  const lost = transaction(world.db, async (tx) => {
    const postings = [
      { id: books.startupId, code: "SPREAD" as const, debit: "cash:trust", credit: "revenue:spread", amountNano: 1n },
    ];
    await world.ledger.post(tx, { groupId: books.startupId, bookedAt: world.clock.now(), postings });
    throw new Error("not after all");
  });
  await expect(lost).rejects.toThrow("not after all");
  await posting(world, 7n, world.clock.now());
  expect(await journal.write()).toBe(1);
  const [{ hole }] = await query(
    "SELECT first_seq - lag(last_seq) OVER (ORDER BY number) AS hole FROM journal_page ORDER BY number DESC LIMIT 1",
  );
  expect(Number(hole)).toBe(2);
  await expectWrittenUp();
});

test("several processes that write at once, while the ledger is written, take turns: no transfer is missed or written twice", async () => {
  const writers = async () => {
    for (let n = 0; n < 6; n++) await journal.write(13);
  };
  await Promise.all([writers(), writers(), someRequests(books, 90), posting(world, 3n, world.clock.now()), writers()]);
  await journal.write(13);
  await expectWrittenUp();
});

test("whoever knows the format recomputes every digest and every hash without this database's functions", async () => {
  const micros = (column: string) => `(EXTRACT(epoch FROM ${column}) * 1000000)::bigint::text`;
  const transfers =
    await query(`SELECT seq::text, concat_ws('|', id, group_id, kind, code, debit_account_id, credit_account_id, amount, coalesce(pending_id::text, ''),
      ${micros("booked_at")}, ${micros("recorded_at")}) AS rest FROM transfer`);
  const restOf = new Map(transfers.map(({ seq, rest }: { seq: string; rest: string }) => [seq, rest]));
  const sha = (...parts: (string | Buffer)[]) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const hex = (digests: Buffer[]) => digests.map((digest) => `\\x${digest.toString("hex")}`).join(",");
  const pages =
    await query(`SELECT *, ${["booked_from", "booked_to", "booked_high", "recorded_high", "written_at"].map((c) => `${micros(c)} AS ${c}_us`).join(", ")}
      FROM journal_page ORDER BY number`);
  let previous = Buffer.alloc(32);
  for (const page of pages) {
    const digests = page.seqs.map((seq: string) => sha(`transfer 1|${seq}|${restOf.get(seq)}`));
    expect(page.transfer_digests).toEqual(digests);
    const fields = [
      "page 1",
      page.number,
      page.first_seq,
      page.last_seq,
      page.transfers,
      page.booked_from_us,
      page.booked_to_us,
      page.booked_high_us,
      page.recorded_high_us,
      page.written_at_us,
      page.seqs.join(","),
      page.transfer_ids.join(","),
      hex(page.transfer_digests),
      hex(page.debit_digests),
      hex(page.credit_digests),
    ];
    expect(page.previous_hash).toEqual(previous);
    previous = sha(previous, fields.join("|"));
    expect(page.hash).toEqual(previous);
  }
  expect(pages.length).toBeGreaterThan(5);
});
