/** What accounts stood at, by when it was booked and by when it was known, whether the journal has written it up or not. */
import fc from "fast-check";
import { AsOfBalances } from "../../src/ledger/as-of";
import type { Counters } from "../../src/ledger/counters";
import { Journal } from "../../src/ledger/journal";
import { NANO } from "../../src/money/nano";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { type BusyBooks, openBooks, posting, someRequests } from "./busy-books";

let database: TestDatabase;
let world: MoneyWorld;
let books: BusyBooks;
let journal: Journal;
let balances: AsOfBalances;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  journal = new Journal({ db: world.db });
  balances = new AsOfBalances(world.db);
  books = await openBooks(world);
});

afterAll(async () => {
  await world?.close();
  await database?.drop();
});

const query = (text: string, values: unknown[] = []) => world.db.source.query(text, values);
const idOf = async (name: string): Promise<string> =>
  (await query("SELECT id FROM ledger_account WHERE name = $1", [name]))[0].id;
const minutesFromNow = (minutes: number) => new Date(world.clock.nowMs() + minutes * 60_000);

/** The same, from every transfer that there is. */
async function replay(bookedAt: Date | null, recordedAt: Date | null): Promise<Map<string, Counters>> {
  const rows = await query(
    `SELECT t.*, p.amount AS pending_amount, t.recorded_at::text AS recorded FROM transfer t LEFT JOIN transfer p ON p.id = t.pending_id ORDER BY t.seq`,
  );
  const accounts = await query("SELECT id FROM ledger_account");
  const found = new Map<string, { -readonly [K in keyof Counters]: bigint }>(
    accounts.map(({ id }: { id: string }) => [
      id,
      { debitsPending: 0n, debitsPosted: 0n, creditsPending: 0n, creditsPosted: 0n },
    ]),
  );
  const [{ micros }] = await query("SELECT $1::timestamptz AS micros", [recordedAt ?? "infinity"]);
  for (const row of rows) {
    if (recordedAt !== null && row.recorded_at > micros) break;
    if (bookedAt !== null && row.booked_at > bookedAt) continue;
    const posted = ["POSTED", "POST"].includes(row.kind) ? BigInt(row.amount) : 0n;
    const resolved = row.pending_amount === null ? 0n : -BigInt(row.pending_amount);
    const pending = row.kind === "PENDING" ? BigInt(row.amount) : resolved;
    const [debit, credit] = [found.get(row.debit_account_id)!, found.get(row.credit_account_id)!];
    debit.debitsPosted += posted;
    debit.debitsPending += pending;
    credit.creditsPosted += posted;
    credit.creditsPending += pending;
  }
  return found;
}

/** Instants between two recordings, so that milliseconds decide. */
async function momentOfRecord(): Promise<Date> {
  await query("SELECT pg_sleep(0.003)");
  const [{ now }] = await query("SELECT clock_timestamp() AS now");
  await query("SELECT pg_sleep(0.003)");
  return now;
}

test("by any two instants, whatever was booked out of order or ahead, and however much is written up, it is what a replay says", async () => {
  const moments: Date[] = [];
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ post: fc.integer({ min: -3_000, max: 3_000 }) }) },
    { weight: 2, arbitrary: fc.record({ requests: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 2, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 1, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 600 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 14 }),
      fc.array(fc.tuple(fc.option(fc.integer({ min: -4_000, max: 4_000 })), fc.option(fc.nat(1_000))), {
        minLength: 4,
        maxLength: 4,
      }),
      async (steps, questions) => {
        for (const one of steps) {
          if ("post" in one) await posting(world, 1n + BigInt(Math.abs(one.post)), minutesFromNow(one.post));
          else if ("requests" in one) await someRequests(books, one.requests);
          else if ("write" in one) await journal.write(one.write);
          else world.clock.advanceMs(one.pass * 60_000);
          moments.push(await momentOfRecord());
        }
        for (const [minutes, moment] of questions) {
          const bookedAt = minutes === null ? null : minutesFromNow(minutes);
          const recordedAt = moment === null ? null : moments[moment % moments.length]!;
          const expected = await replay(bookedAt, recordedAt);
          expect(await balances.counters([...expected.keys()], { bookedAt, recordedAt })).toEqual(expected);
        }
      },
    ),
    { numRuns: 40 },
  );
}, 120_000);

test("as of now it is the account's own counters", async () => {
  const rows = await query(
    "SELECT id, debits_pending, debits_posted, credits_pending, credits_posted FROM ledger_account",
  );
  const now = await balances.counters(rows.map(({ id }: { id: string }) => id));
  for (const row of rows) {
    expect(now.get(row.id)).toEqual({
      debitsPending: BigInt(row.debits_pending),
      debitsPosted: BigInt(row.debits_posted),
      creditsPending: BigInt(row.credits_pending),
      creditsPosted: BigInt(row.credits_posted),
    });
  }
});

test("what is booked ahead does not show before its day, and what is booked late shows on its own day, once it is known", async () => {
  const cash = await idOf("cash:trust");
  const at = async (bookedAt: Date, recordedAt?: Date) =>
    (await balances.counters([cash], { bookedAt, recordedAt })).get(cash)!.debitsPosted;
  const [today, nextYear, lastHour] = [world.clock.now(), minutesFromNow(525_600), minutesFromNow(-60)];
  const [before, beforeLate] = [await at(today), await at(lastHour)];
  await posting(world, 1_000n, nextYear);
  expect(await at(today)).toBe(before);
  const known = await momentOfRecord();
  await posting(world, 77n, lastHour);
  for (let written = 0; written < 2; written++) {
    expect(await at(today)).toBe(before + 77n);
    expect(await at(lastHour)).toBe(beforeLate + 77n);
    expect(await at(lastHour, known)).toBe(beforeLate);
    expect(await at(nextYear)).toBeGreaterThanOrEqual(before + 1_077n);
    await journal.write();
  }
});

test("a startup's credit as of a moment adds up, and as of now it is what the ledger's door says", async () => {
  await someRequests(books, 9);
  const { asOf: _, ...now } = await world.ledger.balance(books.startupId);
  expect(await balances.creditOfStartup(books.startupId)).toEqual(now);
  const earlier = await momentOfRecord();
  await world.lot({ startupId: books.startupId, facilityId: books.facilityId, fundedNanoUsd: 8n * NANO });
  expect(await balances.creditOfStartup(books.startupId, { recordedAt: earlier })).toEqual(now);
  const { issuedNanoCredit } = await balances.creditOfStartup(books.startupId);
  expect(issuedNanoCredit).toBe(now.issuedNanoCredit + 10n * NANO);
  const facility = await balances.creditOfFacility(books.facilityId);
  expect(facility).toEqual(await balances.creditOfStartup(books.startupId));
});
