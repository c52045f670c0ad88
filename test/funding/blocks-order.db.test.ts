/** A partial block takes what would be spent first, for any lots and any amount; and lifting it leaves no trace. */
import fc from "fast-check";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { aLender, type Lender } from "./a-lender";

let database: TestDatabase;
let world: MoneyWorld;
let lender: Lender;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  lender = await aLender(world);
});
afterAll(async () => {
  await world?.close();
  await database?.drop();
});

const aLot = fc.record({
  credit: fc.integer({ min: 1, max: 40 }).map((n) => BigInt(n) * 5n),
  priority: fc.integer({ min: 1, max: 3 }),
  /** Days from now; 0 is long gone, null never. */
  expires: fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }),
});

const DAY_MS = 86_400_000;

test("the split is that of the draw order, sums to the amount, and is undone exactly", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aLot, { minLength: 1, maxLength: 6 }), fc.nat(), async (terms, seed) => {
      const [startupId, facilityId] = [await world.startup(), await world.facility()];
      const lots = [];
      for (const { credit, priority, expires } of terms) {
        const expiresAt =
          expires === null ? null : new Date(world.clock.nowMs() + (expires === 0 ? -DAY_MS : expires * DAY_MS));
        const lot = await world.lot({ startupId, facilityId, fundedNanoUsd: (credit * 4n) / 5n, priority, expiresAt });
        lots.push({
          ...lot,
          priority,
          expiresMs: expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
          expired: expires === 0,
        });
      }
      const drawable = lots
        .filter(({ expired }) => !expired)
        .sort((a, b) => a.priority - b.priority || a.expiresMs - b.expiresMs || (a.accountId < b.accountId ? -1 : 1));
      const free = drawable.reduce((sum, { creditNanoCredit }) => sum + creditNanoCredit, 0n);
      if (free === 0n) return;
      const wanted = 1n + (BigInt(seed) % free);
      let rest = wanted;
      const expected = new Map<string, bigint>();
      for (const { accountId, creditNanoCredit } of drawable) {
        const taken = rest < creditNanoCredit ? rest : creditNanoCredit;
        if (taken > 0n) expected.set(accountId, taken);
        rest -= taken;
      }
      const before = await counters(startupId);
      const block = await lender.block({ startupId }, { amount: wanted });
      const rows: { id: string; taken: string }[] = await world.db.source.query(
        "SELECT lot_account_id AS id, blocked_nano_credit AS taken FROM block_lot WHERE block_id = $1 AND blocked_nano_credit > 0",
        [block.id],
      );
      expect(new Map(rows.map(({ id, taken }) => [id, BigInt(taken)]))).toEqual(expected);
      expect((await world.ledger.balance(startupId)).blockedNanoCredit).toBe(wanted);
      await lender.lift(block.id);
      expect(await counters(startupId)).toEqual(before);
    }),
    { numRuns: 40 },
  );
});

async function counters(startupId: string): Promise<unknown> {
  return world.db.source.query(
    `SELECT id, frozen, credits_posted - debits_posted - debits_pending AS free FROM ledger_account
      WHERE kind = 'WALLET_LOT' AND organisation_id = $1 ORDER BY id`,
    [startupId],
  );
}
