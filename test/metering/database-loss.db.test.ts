/** A lost answer, a lost database, a mute one: nothing is booked twice, nobody waits for ever, and all goes on afterwards. */
import { faultsInTheBooks } from "../ledger/books";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { LossyProxy } from "./lossy-proxy";

/** The patience of a request, with room for a slow machine. */
const WITHIN_MS = 3_000;
const COMMIT = /metering.commit/;

let database: TestDatabase;
let proxy: LossyProxy;
/** Sees the database through the proxy. */
let world: MoneyWorld;
/** Sees it directly. */
let auditor: MoneyWorld;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = new LossyProxy(database.url);
  await proxy.listen();
  world = await MoneyWorld.open(proxy.url);
  auditor = await MoneyWorld.open(database.url);
  // A pool says so when an idle connection is cut; nobody is asked to do anything about it.
  (world.db.source.driver as unknown as { master: NodeJS.EventEmitter }).master.on("error", () => undefined);
});

afterEach(async () => {
  expect(await faultsInTheBooks(auditor.db)).toEqual([]);
});

afterAll(async () => {
  await world?.close();
  await auditor?.close();
  await proxy?.close();
  await database?.drop();
});

async function timed<T>(work: () => Promise<T>) {
  const startedMs = performance.now();
  const outcome = await work().then(
    (value) => ({ value, reason: undefined }),
    (reason) => ({ value: undefined, reason }),
  );
  return { ...outcome, tookMs: performance.now() - startedMs };
}

const transfersOf = async (id: string) =>
  Number((await auditor.db.source.query("SELECT count(*) AS n FROM transfer WHERE group_id = $1", [id]))[0].n);

test("holds whose commit was answered into the void are repeated, and held once", async () => {
  const startupId = await auditor.startupWith(1_000n);
  proxy.loseAnswersTo(COMMIT, 2);
  const lostBefore = proxy.lost;
  const requestIds = await Promise.all([10n, 20n, 30n].map((amount) => world.hold(startupId, amount)));
  expect(proxy.lost - lostBefore).toBe(2);
  expect(await auditor.ledger.balance(startupId)).toMatchObject({ heldNanoCredit: 60n, availableNanoCredit: 940n });
  expect(await Promise.all(requestIds.map(transfersOf))).toEqual([1, 1, 1]);
});

test("a refusal that was lost is a refusal again, with the same figure", async () => {
  const startupId = await auditor.startupWith(100n);
  proxy.loseAnswersTo(COMMIT);
  const outcomes = await Promise.allSettled([world.hold(startupId, 60n), world.hold(startupId, 60n)]);
  expect(outcomes).toMatchObject([
    { status: "fulfilled" },
    { status: "rejected", reason: { details: { availableNanoCredit: 40n } } },
  ]);
});

test("a settlement whose commit was answered into the void is charged, recorded and accrued once", async () => {
  const startupId = await auditor.startupWith(5_000_000n);
  const requestId = await world.hold(startupId, 1_000_000n);
  const delivery = world.delivery({ requestId, startupId, heldNanoCredit: 1_000_000n });
  proxy.loseAnswersTo(COMMIT);
  const lostBefore = proxy.lost;
  expect(await world.metering.settle(delivery)).toEqual({ gpuNanos: 1_000_000_000n, chargedNanoCredit: 937_500n });
  expect(proxy.lost - lostBefore).toBe(1);
  expect(await transfersOf(requestId)).toBe(4);
  expect(await auditor.ledger.balance(startupId)).toMatchObject({ spentNanoCredit: 937_500n, heldNanoCredit: 0n });
});

test("a settlement outlasts a restart of the database, whether or not its provider was settled for before", async () => {
  const startupId = await auditor.startupWith(5_000_000n);
  const deliveries = [];
  for (const providerId of [world.providerId, await auditor.provider()]) {
    const requestId = await world.hold(startupId, 1_000_000n);
    deliveries.push(world.delivery({ requestId, startupId, providerId, heldNanoCredit: 1_000_000n }));
  }
  for (const delivery of deliveries) {
    proxy.hangUp(3);
    expect((await world.metering.settle(delivery)).chargedNanoCredit).toBe(937_500n);
    expect(proxy.hungUp).toBe(3);
  }
  expect(await auditor.ledger.balance(startupId)).toMatchObject({ spentNanoCredit: 1_875_000n, heldNanoCredit: 0n });
});

test("with the database gone a hold is refused in time, the next ones at once, and admitted again when it is back", async () => {
  const startupId = await auditor.startupWith(1_000n);
  await proxy.close();
  const first = timed(() => world.hold(startupId, 10n));
  // The first one is still trying when these come; those that queued behind it are refused together with it.
  const queued = [timed(() => world.hold(startupId, 10n)), timed(() => world.hold(startupId, 10n))];
  for (const { reason, tookMs } of await Promise.all([first, ...queued])) {
    expect(reason).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(tookMs).toBeLessThan(WITHIN_MS);
  }
  const trying = timed(() => world.hold(startupId, 10n));
  await Promise.resolve();
  const late = await timed(() => world.hold(startupId, 10n));
  expect(late.reason).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  expect(late.tookMs).toBeLessThan(200);
  await trying;

  await proxy.listen();
  // Nobody is trying any more: it has to be a hold that finds out.
  await world.hold(startupId, 10n);
  expect(await auditor.ledger.balance(startupId)).toMatchObject({ heldNanoCredit: 10n });
});

test("with the database gone a settlement gives up with a reason; the hold stays, and can be settled when it is back", async () => {
  const startupId = await auditor.startupWith(5_000_000n);
  const requestId = await world.hold(startupId, 1_000_000n);
  const delivery = world.delivery({ requestId, startupId, heldNanoCredit: 1_000_000n });
  await proxy.close();
  const stranger = await auditor.provider();
  const settle = (providerId: string) => timed(() => world.metering.settle({ ...delivery, providerId }));
  for (const { reason, tookMs } of await Promise.all([settle(world.providerId), settle(stranger)])) {
    expect(reason).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(tookMs).toBeLessThan(WITHIN_MS);
  }
  await proxy.listen();
  expect(await auditor.ledger.balance(startupId)).toMatchObject({ heldNanoCredit: 1_000_000n, spentNanoCredit: 0n });
  expect((await world.metering.settle(delivery)).chargedNanoCredit).toBe(937_500n);
});

test("a database that takes the statement and never answers does not keep a request for ever", async () => {
  const startupId = await auditor.startupWith(1_000n);
  await world.hold(startupId, 10n);
  proxy.swallow();
  const { reason, tookMs } = await timed(() => world.hold(startupId, 10n));
  expect(reason).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  expect(tookMs).toBeLessThan(WITHIN_MS);
  await proxy.close();
  await proxy.listen();
  await world.hold(startupId, 10n);
  expect(await auditor.ledger.balance(startupId)).toMatchObject({ heldNanoCredit: 20n });
});
