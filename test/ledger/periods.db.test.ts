/** Months close in their order, once they are over, for good, and nothing is booked into one any more. */
import { randomUUID } from "node:crypto";
import { Journal } from "../../src/ledger/journal";
import { closedPeriods, closePeriod, lastClosed } from "../../src/ledger/periods";
import { actAs } from "../../src/platform/tenancy";
import { transaction } from "../../src/platform/transaction";
import { until } from "../support/leftovers";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { openBooks, posting } from "./busy-books";

let database: TestDatabase;
let world: MoneyWorld;
const by = randomUUID();

beforeEach(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
});

afterEach(async () => {
  await world.close();
  await database.drop();
});

const close = (period: string) => transaction(world.db, (tx) => closePeriod(tx, period, by, world.clock.now()));
const conflict = (message: string) => ({ code: "STATE_CONFLICT", message: expect.stringContaining(message) });

test("the first month to close is the one of the earliest booking, whether it is written up or not", async () => {
  await posting(world, 1n, new Date("2026-01-31T23:59:59.999Z"));
  await expect(close("2026-02")).rejects.toMatchObject(conflict("2026-01 comes before 2026-02"));
  await new Journal({ db: world.db }).write();
  await posting(world, 1n, new Date("2025-12-31T23:59:59.999Z"));
  await expect(close("2026-01")).rejects.toMatchObject(conflict("2025-12 comes before 2026-01"));
  for (const period of ["2025-12", "2026-01", "2026-02"]) await close(period);
  expect(await lastClosed(world.db)).toBe("2026-02");
  expect((await closedPeriods(world.db, 2)).map(({ period, closedBy }) => [period, closedBy])).toEqual([
    ["2026-02", by],
    ["2026-01", by],
  ]);
});

test("a month that is not over, one that is closed, and what is no month are refused", async () => {
  await openBooks(world); // On 10 March 2026.
  expect(await lastClosed(world.db)).toBeNull();
  await expect(close("2026-03")).rejects.toMatchObject(conflict("not over"));
  world.clock.advanceMs(22 * 86_400_000);
  await close("2026-03");
  await expect(close("2026-03")).rejects.toMatchObject(conflict("closed already"));
  await expect(close("2026-02")).rejects.toMatchObject(conflict("closed already"));
  for (const nonsense of ["2026-13", "2026-3", "March", ""]) {
    await expect(close(nonsense)).rejects.toMatchObject({ code: "BAD_USER_INPUT", field: ["period"] });
  }
});

test("nothing is booked into a closed month, its first and last instants included; the next one is open", async () => {
  await posting(world, 1n, new Date("2026-02-01T00:00:00Z"));
  await close("2026-02");
  for (const at of ["2026-02-01T00:00:00Z", "2026-02-28T23:59:59.999Z", "2025-07-01T00:00:00Z"]) {
    await expect(posting(world, 1n, new Date(at))).rejects.toMatchObject({ code: "PERIOD_CLOSED" });
  }
  await posting(world, 1n, new Date("2026-03-01T00:00:00Z"));
});

test("a posting that is under way lands before its month closes; closing waits for it", async () => {
  await posting(world, 1n, new Date("2026-02-01T00:00:00Z"));
  let closing: Promise<void> | undefined;
  await transaction(world.db, async (tx) => {
    await world.ledger.post(tx, {
      groupId: randomUUID(),
      bookedAt: new Date("2026-02-14T00:00:00Z"),
      postings: [{ id: randomUUID(), code: "SPREAD", debit: "cash:trust", credit: "revenue:spread", amountNano: 9n }],
    });
    closing = close("2026-02");
    await until("closing waits", async () => {
      const [{ waiting }] = await world.db.source.query(
        "SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
      );
      return waiting === 1;
    });
    expect(await lastClosed(world.db)).toBeNull();
  });
  await closing;
  expect(await lastClosed(world.db)).toBe("2026-02");
});

test("in a request only an operator closes a month", async () => {
  await posting(world, 1n, new Date("2026-02-01T00:00:00Z"));
  const as = (seesAll: boolean) =>
    actAs({ tenant: { id: randomUUID(), seesAll }, requestId: randomUUID(), reads: "primary" }, () => close("2026-02"));
  await expect(as(false)).rejects.toMatchObject({ code: "42501" });
  await as(true);
  expect(await lastClosed(world.db)).toBe("2026-02");
});
