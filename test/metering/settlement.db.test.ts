/** A settlement charges what was delivered, within the hold, and books all of it or nothing, once. */

import { Metering } from "../../src/metering/metering";
import { GPU_HOUR_NANOS } from "../../src/pricing/tier";
import { countersByName, countOf, faultsInTheBooks } from "../ledger/books";
import { MoneyWorld, reportedUsage } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

/** One GPU-second at 2.50 USD per GPU-hour: × 1.35 in credits, × 0.85 in dollars owed. */
const PRICE = 937_500n;
const ACCRUAL = 590_278n;

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
const stateOf = async (id: string) =>
  (await world.db.source.query("SELECT state FROM hold WHERE id = $1", [id]))[0].state;
const hoursOf = (hours: number) => reportedUsage(hours * 3_600);
/** One token is one GPU-second. */
const slowQuote = () => ({ ...world.quote, throughput: { prefillTokensPerGpuSecond: 1, decodeTokensPerGpuSecond: 1 } });

test("below the hold the price is charged, and what is left over is free again", async () => {
  const delivery = await world.heldRequest();
  expect(await world.metering.settle(delivery)).toEqual({ gpuNanos: 1_000_000_000n, chargedNanoCredit: PRICE });
  expect(await world.ledger.balance(delivery.startupId)).toMatchObject({
    availableNanoCredit: 10_000_000n - PRICE,
    heldNanoCredit: 0n,
    spentNanoCredit: PRICE,
  });
});

test("above the hold the hold is charged: a startup never pays more than was set aside", async () => {
  const delivery = await world.heldRequest(900_000n);
  expect((await world.metering.settle(delivery)).chargedNanoCredit).toBe(900_000n);
  // Even when the relay believes that more was held.
  const other = await world.heldRequest(900_000n);
  expect((await world.metering.settle({ ...other, heldNanoCredit: 5_000_000n })).chargedNanoCredit).toBe(900_000n);
});

test("the record names the card of whoever delivered, whatever card its hold was reckoned with", async () => {
  const delivery = await world.heldRequest();
  const card = { ...world.quote.card, id: "019a0000-0000-7000-8000-00000000c0de", baseSharePpm: 860_000n };
  await world.metering.settle({ ...delivery, quote: { ...world.quote, card } });
  expect(await recordOf(delivery.requestId)).toMatchObject({ rate_card_id: card.id, accrual_share_ppm: "860000" });
});

test("usage record, capture, accrual and spread are there together", async () => {
  const delivery = await world.heldRequest();
  await world.metering.settle(delivery);
  // 937,500 credits at 1.25× release 750,000 dollars: the provider's share first, the rest is spread.
  expect(await recordOf(delivery.requestId)).toMatchObject({
    startup_id: delivery.startupId,
    provider_id: delivery.providerId,
    fixing_id: world.quote.fixingId,
    rate_card_id: world.quote.card.id,
    period: "2026-03",
    gpu_nanos: "1000000000",
    charge_nano_credit: `${PRICE}`,
    accrual_nano_usd: `${ACCRUAL}`,
    spread_nano_usd: `${750_000n - ACCRUAL}`,
    accrual_share_ppm: "850000",
    completed_at: world.clock.now(),
  });
  const codes = await world.db.source.query("SELECT kind, code, amount FROM transfer WHERE group_id = $1 ORDER BY id", [
    delivery.requestId,
  ]);
  expect(codes).toEqual([
    { kind: "PENDING", code: "USAGE", amount: "1000000" },
    { kind: "POST", code: "USAGE", amount: `${PRICE}` },
    { kind: "POSTED", code: "ACCRUAL", amount: `${ACCRUAL}` },
    { kind: "POSTED", code: "SPREAD", amount: `${750_000n - ACCRUAL}` },
  ]);
  const counters = await countersByName(world.db);
  expect(counters.get(`payable:${delivery.providerId}:2026-03`)).toMatchObject({ creditsPosted: ACCRUAL });
});

test("where one part cannot be booked nothing is, and the rest of the commit is", async () => {
  const [good, bad, alsoGood] = [await world.heldRequest(), await world.heldRequest(), await world.heldRequest()];
  const transfers = await countOf(world.db, "transfer");
  const outcomes = await Promise.allSettled([
    world.metering.settle(good),
    world.metering.settle({ ...bad, outcome: "NEVER_HEARD_OF" as never }),
    world.metering.settle(alsoGood),
  ]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(await countOf(world.db, "transfer")).toBe(transfers + 6);
  expect(await stateOf(bad.requestId)).toBe("HELD");
  expect(await recordOf(bad.requestId)).toBeUndefined();
  expect((await world.metering.settle(bad)).chargedNanoCredit).toBe(PRICE);
});

test("a charge over two lots releases each at its own cost, and the release is accrual plus spread to the nano", async () => {
  const [startupId, providerId] = [await world.startup(), await world.provider()];
  const facilities = [await world.facility(1_500_000n), await world.facility(1_333_333n)] as const;
  await world.lot({ startupId, facilityId: facilities[0], fundedNanoUsd: 333_333n });
  await world.lot({ startupId, facilityId: facilities[1], fundedNanoUsd: 10_000_000n });
  const requestId = await world.hold(startupId, PRICE);
  await world.metering.settle(world.delivery({ requestId, startupId, heldNanoCredit: PRICE, providerId }));
  const balances = await world.ledger.facilityBalances(facilities);
  const released = facilities.map((id) => balances.get(id)!.fundedNanoUsd - balances.get(id)!.backingNanoUsd);
  // Half a nano-credit was rounded away at issue: 500,000 credits for 333,333 dollars.
  expect(released).toEqual([333_333n, ((PRICE - 500_000n) * 1_000_000n) / 1_333_333n]);
  const record = await recordOf(requestId);
  expect(BigInt(record.accrual_nano_usd) + BigInt(record.spread_nano_usd)).toBe(released[0]! + released[1]!);
});

test("many odd charges leave less than a nano-dollar of dust each, always in the backing", async () => {
  const [startupId, providerId] = [await world.startup(), await world.provider()];
  const facilityId = await world.facility(1_499_999n);
  await world.lot({ startupId, facilityId, fundedNanoUsd: 10_000_000n });
  const amounts = Array.from({ length: 100 }, (_, n) => BigInt(70_001 + n * 37));
  const deliveries = await Promise.all(
    amounts.map(async (amount) =>
      world.delivery({ requestId: await world.hold(startupId, amount), startupId, heldNanoCredit: amount, providerId }),
    ),
  );
  await Promise.all(deliveries.map((delivery) => world.metering.settle(delivery)));
  const { fundedNanoUsd, backingNanoUsd, spentNanoCredit } = (await world.ledger.facilityBalances([facilityId])).get(
    facilityId,
  )!;
  const dust = (spentNanoCredit * 1_000_000n) / 1_499_999n - (fundedNanoUsd - backingNanoUsd);
  expect(dust >= 0n && dust < 100n).toBe(true);
  expect(spentNanoCredit).toBe(amounts.reduce((sum, amount) => sum + amount, 0n));
});

test("a charge too small to release what the provider earned is made up out of spread", async () => {
  const delivery = await world.heldRequest(1n);
  const revenue = async () => {
    const { creditsPosted, debitsPosted } = (await countersByName(world.db)).get("revenue:spread")!;
    return creditsPosted - debitsPosted;
  };
  const before = await revenue();
  expect((await world.metering.settle(delivery)).chargedNanoCredit).toBe(1n);
  expect(await recordOf(delivery.requestId)).toMatchObject({
    charge_nano_credit: "1",
    accrual_nano_usd: `${ACCRUAL}`,
    spread_nano_usd: `${-ACCRUAL}`,
  });
  expect((await revenue()) - before).toBe(-ACCRUAL);
  expect((await countersByName(world.db)).get(`payable:${delivery.providerId}:2026-03`)).toMatchObject({
    creditsPosted: ACCRUAL,
  });
});

test("an answer that used nothing is recorded, charged nothing, and frees its hold", async () => {
  const delivery = await world.heldRequest();
  const usage = { ...reportedUsage(0), source: "ESTIMATED" as const };
  expect((await world.metering.settle({ ...delivery, usage, outcome: "ABORTED" })).chargedNanoCredit).toBe(0n);
  expect(await recordOf(delivery.requestId)).toMatchObject({
    charge_nano_credit: "0",
    outcome: "ABORTED",
    usage_bounded: true,
  });
  expect(await world.ledger.balance(delivery.startupId)).toMatchObject({ availableNanoCredit: 10_000_000n });
});

test("10,000 GPU-hours in a month are still base; the record after is paid at the next tier, by any relay; a new month starts over", async () => {
  const providerId = await world.provider();
  const startupId = await world.startupWith(100_000_000_000_000n);
  const share = async (hours: number, metering = world.metering) => {
    const amount = BigInt(hours) * 3_375_000_000n;
    const requestId = await world.hold(startupId, amount);
    const delivery = world.delivery({
      requestId,
      startupId,
      heldNanoCredit: amount,
      providerId,
      quote: slowQuote(),
      usage: hoursOf(hours),
    });
    await metering.settle(delivery);
    // Whatever is settled twice counts once.
    await metering.settle(delivery);
    const record = await recordOf(requestId);
    expect(record.gpu_nanos).toBe(`${BigInt(hours) * GPU_HOUR_NANOS}`);
    return record.accrual_share_ppm;
  };
  expect(await share(6_000)).toBe("850000");
  expect(await share(4_000)).toBe("850000");
  expect(await share(1)).toBe("867000");
  const otherRelay = new Metering({ db: world.db, bus: world.bus, clock: world.clock });
  expect(await share(1, otherRelay)).toBe("867000");
  world.clock.moveTo("2026-04-01T00:00:00Z");
  expect(await share(1)).toBe("850000");
});
