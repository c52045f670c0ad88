/** A hold that is charged in stages: what a stage leaves stays set aside on its own lots, and all stages together are no more than the hold. */
import fc from "fast-check";
import { newRequestId } from "../../src/metering/metering";
import { transaction } from "../../src/platform/transaction";
import { countOf, faultsInTheBooks } from "../ledger/books";
import { MoneyWorld, reportedUsage } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

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

/** A startup whose credit lies in three lots of 100,000 nano-credits, and a hold over `amount` of it. */
async function aHold(amountNanoCredit: bigint) {
  const startupId = await world.startup();
  const facilityId = await world.facility();
  for (let lot = 0; lot < 3; lot++) await world.lot({ startupId, facilityId, fundedNanoUsd: 80_000n });
  const requestId = await world.hold(startupId, amountNanoCredit);
  return world.delivery({ requestId, startupId, heldNanoCredit: amountNanoCredit, providerId: await world.provider() });
}

const balance = (startupId: string) => world.ledger.balance(startupId);

/** Output tokens whose price is a little below or above what is asked for: 937.5 nano-credits each. */
const tokensFor = (nanoCredit: number) => Math.max(1, Math.round(nanoCredit / 937.5));

test("a stage charges its part, and the rest is held on", async () => {
  const first = await aHold(200_000n);
  const nextHoldId = newRequestId();
  const settled = await transaction(world.db, (tx) =>
    world.metering.settleStage(tx, { ...first, usage: reportedUsage(80) }, nextHoldId),
  );
  expect(settled).toEqual({ gpuNanos: 80_000_000n, chargedNanoCredit: 75_000n, carriedNanoCredit: 125_000n });
  expect(await balance(first.startupId)).toMatchObject({
    availableNanoCredit: 100_000n,
    heldNanoCredit: 125_000n,
    spentNanoCredit: 75_000n,
  });
});

test("the last stage frees what is left in the commit that charges it", async () => {
  const first = await aHold(200_000n);
  await transaction(world.db, (tx) => world.metering.settleStage(tx, { ...first, usage: reportedUsage(80) }, null));
  expect(await balance(first.startupId)).toMatchObject({ availableNanoCredit: 225_000n, heldNanoCredit: 0n });
});

test("a transaction that is rolled back leaves the hold as it was", async () => {
  const first = await aHold(200_000n);
  const records = await countOf(world.db, "usage_record");
  const failing = transaction(world.db, async (tx) => {
    await world.metering.settleStage(tx, first, newRequestId());
    throw new Error("what else was to be written could not be");
  });
  await expect(failing).rejects.toThrow("could not be");
  expect(await countOf(world.db, "usage_record")).toBe(records);
  expect(await balance(first.startupId)).toMatchObject({ heldNanoCredit: 200_000n, spentNanoCredit: 0n });
});

test("a stage that was booked is not booked again", async () => {
  const first = await aHold(200_000n);
  const [usage, nextHoldId] = [reportedUsage(80), newRequestId()];
  const stage = () => transaction(world.db, (tx) => world.metering.settleStage(tx, { ...first, usage }, nextHoldId));
  const settled = await stage();
  expect(await stage()).toEqual(settled);
  expect(await balance(first.startupId)).toMatchObject({ heldNanoCredit: 125_000n, spentNanoCredit: 75_000n });
});

test("credit that was blocked while a job runs does not uncover what is left of it", async () => {
  const first = await aHold(200_000n);
  await world.db.source.query(
    "UPDATE ledger_account SET frozen = 1 WHERE kind = 'WALLET_LOT' AND organisation_id = $1",
    [first.startupId],
  );
  const usage = reportedUsage(80);
  const nextHoldId = newRequestId();
  await transaction(world.db, (tx) => world.metering.settleStage(tx, { ...first, usage }, nextHoldId));
  const rest = { ...first, requestId: nextHoldId, heldNanoCredit: 125_000n, usage: reportedUsage(1_000) };
  const last = await transaction(world.db, (tx) => world.metering.settleStage(tx, rest, newRequestId()));
  // All of the hold, and not a nano-credit of what was frozen.
  expect(last).toMatchObject({ chargedNanoCredit: 125_000n, carriedNanoCredit: 0n });
  await world.db.source.query("UPDATE ledger_account SET frozen = 0 WHERE organisation_id = $1", [first.startupId]);
});

test("a stage of a hold that was swept is refused", async () => {
  const first = await aHold(200_000n);
  await world.metering.release(first.requestId, first.startupId);
  const late = transaction(world.db, (tx) => world.metering.settleStage(tx, first, newRequestId()));
  await expect(late).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
  const release = transaction(world.db, (tx) => world.metering.prolong(tx, first.requestId, world.clock.now()));
  await expect(release).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
});

test("however a hold is cut into stages, they come to no more than it, and nothing is left held", async () => {
  const amounts = fc.array(fc.integer({ min: 1, max: 120_000 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 300_000 }), amounts, async (heldNanoCredit, stages) => {
      const first = await aHold(BigInt(heldNanoCredit));
      let hold = { id: first.requestId, left: first.heldNanoCredit };
      let charged = 0n;
      for (const [index, wanted] of stages.entries()) {
        if (hold.left === 0n) break;
        const next = index === stages.length - 1 ? null : newRequestId();
        const part = {
          ...first,
          requestId: hold.id,
          heldNanoCredit: hold.left,
          usage: reportedUsage(tokensFor(wanted)),
        };
        const settled = await transaction(world.db, (tx) => world.metering.settleStage(tx, part, next));
        charged += settled.chargedNanoCredit;
        expect((await balance(first.startupId)).heldNanoCredit).toBe(settled.carriedNanoCredit);
        hold = { id: next ?? "", left: settled.carriedNanoCredit };
      }
      expect(charged <= first.heldNanoCredit).toBe(true);
      expect(await balance(first.startupId)).toMatchObject({ heldNanoCredit: 0n, spentNanoCredit: charged });
      expect(await faultsInTheBooks(world.db)).toEqual([]);
    }),
    { numRuns: 15 },
  );
});
