/** However a settlement meets the sweep, a release or itself again, one of them counts, and counts once. */
import { newRequestId } from "../../src/metering/metering";
import { SettlementQueue } from "../../src/metering/settlement-queue";
import { countOf, faultsInTheBooks } from "../ledger/books";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

/** One GPU-second at 2.50 USD per GPU-hour, × 1.35 in credits. */
const PRICE = 937_500n;

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

const recordOf = async (id: string) =>
  (await world.db.source.query("SELECT * FROM usage_record WHERE id = $1", [id]))[0];

test("a settlement after the sweep is refused, and nothing is charged", async () => {
  const delivery = await world.heldRequest(1_000_000n, 1_000);
  expect(await world.metering.sweepExpiredHolds()).toBe(0);
  world.clock.advanceMs(1_001);
  expect(await world.metering.sweepExpiredHolds()).toBe(1);
  await expect(world.metering.settle(delivery)).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
  expect(await recordOf(delivery.requestId)).toBeUndefined();
  expect(await world.ledger.balance(delivery.startupId)).toMatchObject({
    availableNanoCredit: 10_000_000n,
    spentNanoCredit: 0n,
  });
  expect(await world.metering.sweepExpiredHolds()).toBe(0);
});

test("a request that was never held, or was released, cannot be settled", async () => {
  const released = await world.heldRequest();
  await world.metering.release(released.requestId, released.startupId);
  await expect(world.metering.settle(released)).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
  await expect(world.metering.settle({ ...released, requestId: newRequestId() })).rejects.toMatchObject({
    code: "SETTLEMENT_REFUSED",
  });
});

test("sweep and settlement in one commit: the first counts, the other comes too late", async () => {
  const queue = new SettlementQueue(world.db, () => undefined);
  const at = world.clock.now();
  for (const order of [
    ["EXPIRED", "CAPTURED"],
    ["CAPTURED", "EXPIRED"],
  ] as const) {
    const delivery = await world.heldRequest();
    const {
      providerId,
      apiKeyId,
      endpointId,
      offeringId,
      model,
      accelerator,
      region,
      outcome,
      attempts,
      streamed,
      ttftMs,
      durationMs,
    } = delivery;
    const served = {
      apiKeyId,
      endpointId,
      offeringId,
      model,
      accelerator,
      region,
      outcome,
      attempts,
      streamed,
      ttftMs,
      durationMs,
    };
    const priced = {
      fixingId: world.quote.fixingId,
      promptTokens: 1,
      completionTokens: 1,
      usageBounded: false,
      gpuNanos: "1",
      accrualSharePpm: "850000",
    };
    const capture = { charge: "500", accrual: "100", providerId, period: "2026-03", usage: { ...served, ...priced } };
    const results = await Promise.all(
      order.map((resolution) =>
        queue.resolve({ holdId: delivery.requestId, resolution, at, ...(resolution === "CAPTURED" ? capture : {}) }),
      ),
    );
    const charged = order[0] === "CAPTURED" ? "500" : "0";
    expect(results).toMatchObject([
      { code: order[0], charged, fresh: true },
      { code: "HOLD_NOT_OPEN", charged, fresh: false },
    ]);
    expect((await recordOf(delivery.requestId))?.charge_nano_credit).toBe(order[0] === "CAPTURED" ? "500" : undefined);
  }
});

test("the same settlement again, at once or later, answers the same and is recorded once", async () => {
  const delivery = await world.heldRequest();
  const spent = { gpuNanos: 1_000_000_000n, chargedNanoCredit: PRICE };
  expect(await Promise.all([1, 2, 3].map(() => world.metering.settle(delivery)))).toEqual([spent, spent, spent]);
  const [transfers, record] = [await countOf(world.db, "transfer"), await recordOf(delivery.requestId)];
  world.clock.advanceMs(60_000);
  // A repeat that claims more changes nothing either.
  const more = { ...delivery, usage: { ...delivery.usage, completionTokens: 2_000 }, heldNanoCredit: 5_000_000n };
  expect((await world.metering.settle(more)).chargedNanoCredit).toBe(PRICE);
  expect(await countOf(world.db, "transfer")).toBe(transfers);
  expect(await recordOf(delivery.requestId)).toEqual(record);
});
