/** Whoever asks at once, credit is set aside once: exactly what is there is admitted, and the last nano-credit can be spent. */
import { newRequestId } from "../../src/metering/metering";
import { DomainError } from "../../src/platform/errors";
import { faultsInTheBooks } from "../ledger/books";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

const AMOUNT = 1_000n;
const LEFT_OVER = 5n;

let database: TestDatabase;
let world: MoneyWorld;
/** A second relay process: a metering door of its own on a pool of its own. */
let other: MoneyWorld;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  other = await MoneyWorld.open(database.url);
});

afterEach(async () => {
  expect(await faultsInTheBooks(world.db)).toEqual([]);
});

afterAll(async () => {
  await world?.close();
  await other?.close();
  await database?.drop();
});

/** Asks 200 times at once, in turns through each of the worlds. */
async function rush(startupId: string, worlds: readonly MoneyWorld[]) {
  const asked = Array.from({ length: 200 }, (_, n) => worlds[n % worlds.length]!.hold(startupId, AMOUNT));
  const outcomes = await Promise.allSettled(asked);
  const refusals = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [outcome.reason as DomainError] : [],
  );
  return { refusals, admitted: outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])) };
}

test.each([
  ["one metering door", () => [world]],
  ["two metering doors on pools of their own", () => [world, other]],
])("of 200 requests at once on a balance for 10, %s admits 10 and tells 190 what is left", async (_, worlds) => {
  const startupId = await world.startupWith(10n * AMOUNT + LEFT_OVER);
  for (let round = 0; round < 4; round++) {
    const { admitted, refusals } = await rush(startupId, worlds());
    expect(admitted).toHaveLength(10);
    expect(refusals).toHaveLength(190);
    for (const refusal of refusals) {
      expect(refusal).toBeInstanceOf(DomainError);
      expect(refusal.code).toBe("INSUFFICIENT_CREDITS");
      expect(refusal.details).toEqual({ availableNanoCredit: LEFT_OVER, neededNanoCredit: AMOUNT });
    }
    expect(await world.ledger.balance(startupId)).toMatchObject({
      heldNanoCredit: 10n * AMOUNT,
      availableNanoCredit: LEFT_OVER,
    });
    await Promise.all(admitted.map((requestId) => world.metering.release(requestId, startupId)));
  }
});

test("what one startup lacks is not taken from, or refused to, another in the same commit", async () => {
  const [poor, rich] = [await world.startupWith(5n), await world.startupWith(1_000n)];
  const outcomes = await Promise.allSettled([poor, rich, poor, rich].map((startupId) => world.hold(startupId, 500n)));
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
});

test("a request that does not fit lets a smaller one behind it pass", async () => {
  const startupId = await world.startupWith(100n);
  const [large, small] = await Promise.allSettled([world.hold(startupId, 101n), world.hold(startupId, 100n)]);
  expect(large).toMatchObject({ status: "rejected", reason: { details: { availableNanoCredit: 100n } } });
  expect(small.status).toBe("fulfilled");
});

test("the last nano-credit is spendable, and one more is not there", async () => {
  const startupId = await world.startupWith(5n);
  await world.hold(startupId, 4n);
  await world.hold(startupId, 1n);
  await expect(world.hold(startupId, 1n)).rejects.toMatchObject({
    code: "INSUFFICIENT_CREDITS",
    details: { availableNanoCredit: 0n },
  });
});

test("credit that a commit frees serves a hold of the same commit", async () => {
  const startupId = await world.startupWith(100n);
  const first = await world.hold(startupId, 100n);
  await Promise.all([world.hold(startupId, 100n), world.metering.release(first, startupId)]);
  expect(await world.ledger.balance(startupId)).toMatchObject({ heldNanoCredit: 100n, availableNanoCredit: 0n });
});

test("a hold over several lots draws the oldest first, across facilities, and skips one that is used up", async () => {
  const startupId = await world.startup();
  const [one, two] = [await world.facility(1_250_000n), await world.facility(1_500_000n)];
  const lots = [
    await world.lot({ startupId, facilityId: two, fundedNanoUsd: 100n }),
    await world.lot({ startupId, facilityId: one, fundedNanoUsd: 80n }),
    await world.lot({ startupId, facilityId: two, fundedNanoUsd: 200n }),
  ];
  const held = async () => {
    const balances = await world.ledger.lotBalances(lots.map((lot) => lot.accountId));
    return lots.map((lot) => balances.get(lot.accountId)!.heldNanoCredit);
  };
  const first = await world.hold(startupId, 120n);
  expect(await held()).toEqual([120n, 0n, 0n]);
  await world.hold(startupId, 130n);
  expect(await held()).toEqual([150n, 100n, 0n]);
  await world.metering.release(first, startupId);
  // The lot in the middle is used up: this one spans it.
  await world.hold(startupId, 300n);
  expect(await held()).toEqual([150n, 100n, 180n]);
});

test("the same request authorised twice, at once or later, is held once", async () => {
  const startupId = await world.startupWith(1_000n);
  const requestId = newRequestId();
  await Promise.all([1, 2, 3].map(() => world.hold(startupId, 400n, { requestId })));
  await other.hold(startupId, 400n, { requestId });
  expect(await world.ledger.balance(startupId)).toMatchObject({ heldNanoCredit: 400n });
});

test("a request id that comes again for another amount or startup is refused, and hurts nobody else in its commit", async () => {
  const [startupId, stranger] = [await world.startupWith(1_000n), await world.startupWith(1_000n)];
  const requestId = await world.hold(startupId, 400n);
  const outcomes = await Promise.allSettled([
    world.hold(startupId, 401n, { requestId }),
    world.hold(stranger, 400n, { requestId }),
    world.hold(startupId, 100n),
  ]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected", "fulfilled"]);
  expect(await world.ledger.balance(startupId)).toMatchObject({ heldNanoCredit: 500n });
  expect(await world.ledger.balance(stranger)).toMatchObject({ heldNanoCredit: 0n });
});

test("a hold that PostgreSQL refuses fails alone, not with the commit that it shares", async () => {
  const startupId = await world.startupWith(1_000n);
  const outcomes = await Promise.allSettled([
    world.hold(startupId, 10n),
    world.hold(startupId, 0n),
    world.hold(startupId, -10n),
    world.hold(startupId, 2n ** 63n),
    world.hold(startupId, 20n),
  ]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual([
    "fulfilled",
    "rejected",
    "rejected",
    "rejected",
    "fulfilled",
  ]);
  expect(await world.ledger.balance(startupId)).toMatchObject({ heldNanoCredit: 30n });
});

test("who follows the balance hears of a hold and not of a refusal", async () => {
  const startupId = await world.startupWith(100n);
  const heard: string[] = [];
  const stop = world.bus.on("balance.changed", (event) => heard.push(event.startupId));
  await world.hold(startupId, 1_000n).catch(() => undefined);
  expect(heard).toEqual([]);
  await world.hold(startupId, 10n);
  stop();
  expect(heard).toEqual([startupId]);
});
