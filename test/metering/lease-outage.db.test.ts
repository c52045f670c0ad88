/** Without the database a process serves what it has borrowed and no more; what it then cannot say, the ledger says afterwards. */
import { faultsInTheBooks } from "../ledger/books";
import { until } from "../support/leftovers";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { Lessee } from "./lessee";
import { LossyProxy } from "./lossy-proxy";

/** One GPU-second at 2.50 USD per GPU-hour, × 1.35 in credits. */
const PRICE = 937_500n;
const WALLET = 1_000n * PRICE;
const COMMIT = /metering.commit/;

let database: TestDatabase;
let proxy: LossyProxy;
/** Sees the database through the proxy. */
let world: MoneyWorld;
/** Sees it directly. */
let auditor: MoneyWorld;
let lessee: Lessee;
let startupId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = new LossyProxy(database.url);
  await proxy.listen();
  world = await MoneyWorld.open(proxy.url);
  auditor = await MoneyWorld.open(database.url);
  // A pool says so when an idle connection is cut; nobody is asked to do anything about it.
  (world.db.source.driver as unknown as { master: NodeJS.EventEmitter }).master.on("error", () => undefined);
});

beforeEach(async () => {
  lessee = new Lessee(world);
  startupId = await auditor.startupWith(WALLET);
});

afterEach(async () => {
  await lessee.metering.drain();
  expect(lessee.faults).toEqual([]);
  expect(await faultsInTheBooks(auditor.db)).toEqual([]);
  expect(await auditor.db.source.query("SELECT id FROM lease WHERE state = 'ACTIVE'")).toEqual([]);
});

afterAll(async () => {
  await world?.close();
  await auditor?.close();
  await proxy?.close();
  await database?.drop();
});

const balance = () => auditor.ledger.balance(startupId);
const records = (id: string) => auditor.db.source.query("SELECT id FROM usage_record WHERE id = $1", [id]);

test("with the database gone requests are admitted from the lease while its last renewal is fresh, and none after that", async () => {
  await lessee.borrow(startupId, PRICE);
  await lessee.settle(await lessee.hold(startupId, PRICE));
  await proxy.close();
  const running = await lessee.hold(startupId, PRICE);
  expect(running.leaseId).not.toBeNull();
  await expect(lessee.settle(running)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await lessee.metering.beatLeases().catch(() => undefined);
  lessee.upMs += 5_000;
  await expect(lessee.hold(startupId, PRICE)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await proxy.listen();
  await lessee.metering.beatLeases();
  await until("what was not charged to be back", async () => {
    // The request that was refused has asked for the next lease, which comes now.
    await lessee.metering.returnLeases();
    return (await balance()).availableNanoCredit === 999n * PRICE;
  });
  expect(await records(running.requestId)).toEqual([]);
  await lessee.borrow(startupId, PRICE);
});

test("a charge whose reply is lost for good is booked or not, and the rest of the lease is back to the nano", async () => {
  await lessee.borrow(startupId, PRICE);
  await lessee.settle(await lessee.hold(startupId, PRICE));
  const request = await lessee.hold(startupId, 2n * PRICE);
  // Every attempt is booked, and not one of them is answered.
  proxy.loseAnswersTo(COMMIT, 1_000);
  await expect(lessee.settle(request)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  proxy.loseAnswersTo(COMMIT, 0);
  await until("the lease to be over", () => lessee.metering.leaseFigures.leases === 0);
  expect(await records(request.requestId)).toHaveLength(1);
  expect(await balance()).toMatchObject({
    availableNanoCredit: 998n * PRICE,
    spentNanoCredit: 2n * PRICE,
    heldNanoCredit: 0n,
  });
  // Whoever tries again is told what was booked.
  expect((await lessee.settle(request)).chargedNanoCredit).toBe(PRICE);
});

test("a tranche whose commit was answered into the void is asked for again, and granted once", async () => {
  proxy.loseAnswersTo(COMMIT, 3);
  await lessee.borrow(startupId, PRICE);
  const [lease, ...others] = await lessee.leases();
  expect(others).toEqual([]);
  expect(lease!.balance).toBe(lessee.metering.leaseFigures.freeNanoCredit);
  expect((await balance()).availableNanoCredit).toBe(WALLET - lease!.balance);
});

test("a tranche that was granted unheard, for longer than a request would wait, is granted once all the same", async () => {
  // The first request learns under which budgets it is; the next one asks for credit to borrow.
  await lessee.release(await lessee.hold(startupId, PRICE));
  // More than the queue tries by itself: then the same tranche is asked for anew.
  proxy.loseAnswersTo(COMMIT, 8);
  await expect(lessee.hold(startupId, PRICE)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await until("the tranche", () => lessee.metering.leaseFigures.freeNanoCredit > 0n);
  expect(await lessee.leases()).toMatchObject([{ balance: lessee.metering.leaseFigures.freeNanoCredit }]);
});

test("a return whose commit was answered into the void is made again, and booked once", async () => {
  await lessee.borrow(startupId, PRICE);
  proxy.loseAnswersTo(COMMIT, 3);
  await lessee.metering.returnLeases();
  expect(await lessee.leases()).toMatchObject([{ state: "RETURNED", balance: 0n }]);
  expect(await balance()).toMatchObject({ availableNanoCredit: WALLET });
});

test("a process that ends without the database leaves its lease to the sweep", async () => {
  await lessee.borrow(startupId, PRICE);
  await proxy.close();
  await lessee.metering.drain();
  await proxy.listen();
  await auditor.db.source.query("UPDATE lease SET expires_at = now() - interval '1 second' WHERE state = 'ACTIVE'");
  expect(await lessee.recall.sweep()).toBe(1);
  expect(await balance()).toMatchObject({ availableNanoCredit: WALLET, heldNanoCredit: 0n });
});
