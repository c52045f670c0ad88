/** Credit that a relay borrows: requests draw on it without the database, and it is back whenever anybody else needs it. */
import { newRequestId } from "../../src/metering/metering";
import { purposeOf } from "../../src/metering/purpose";
import type { Database } from "../../src/platform/database";
import { faultsInTheBooks } from "../ledger/books";
import { until } from "../support/leftovers";
import { MoneyWorld, reportedUsage } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { CHAT, Lessee } from "./lessee";

const HOLD = 10n;
/** Of this a lease is worth it: eight holds are less than the share that one process may have. */
const WALLET = 100_000n;
/** One GPU-second at 2.50 USD per GPU-hour, × 1.35 in credits. */
const PRICE = 937_500n;

let database: TestDatabase;
let world: MoneyWorld;
let lessees: Lessee[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
});

afterEach(async () => {
  await Promise.all(lessees.map(({ metering }) => metering.drain()));
  expect(lessees.flatMap(({ faults }) => faults)).toEqual([]);
  lessees = [];
  expect(await faultsInTheBooks(world.db)).toEqual([]);
  expect(await world.db.source.query("SELECT id FROM lease WHERE state = 'ACTIVE'")).toEqual([]);
});

afterAll(async () => {
  await world?.close();
  await database?.drop();
});

function aLessee(options: ConstructorParameters<typeof Lessee>[1] = {}): Lessee {
  const lessee = new Lessee(world, options);
  lessees.push(lessee);
  return lessee;
}

const available = async (startupId: string) => (await world.ledger.balance(startupId)).availableNanoCredit;
const everythingIsBack = (startupId: string, nanoCredit: bigint) =>
  until("all of it to be back", async () => (await available(startupId)) === nanoCredit);

/** Counts what goes to the database through it. */
function counted(db: Database): { db: Database; statements: () => number } {
  let statements = 0;
  const counting = <Q extends Pick<Database, "query">>(queryable: Q): Q =>
    new Proxy(queryable, {
      get(target, name) {
        if (name === "query")
          return (...args: Parameters<Database["query"]>) => {
            statements += 1;
            return target.query(...args);
          };
        if (name === "dedicated") return (label: string) => counting((target as unknown as Database).dedicated(label));
        return Reflect.get(target, name);
      },
    });
  return { db: counting(db), statements: () => statements };
}

describe("a process that has borrowed", () => {
  it("is charged for the startup that it was lent for, and for nobody else's request that names its lease", async () => {
    const [lessee, stranger] = [aLessee(), aLessee()];
    const owner = await world.startupWith(1_000n * PRICE);
    const other = await world.startupWith(1_000n * PRICE);
    await lessee.borrow(owner, PRICE);
    // From here on the provider's month is open, and nothing else is out of the ordinary.
    await lessee.settle(await lessee.hold(owner, PRICE));
    const request = await lessee.hold(owner, PRICE);
    expect(request.leaseId).not.toBeNull();
    const foreign = { ...request, requestId: newRequestId(), startupId: other };
    await expect(stranger.settle(foreign)).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
    expect((await world.ledger.balance(owner)).spentNanoCredit).toBe(PRICE);
    expect((await world.ledger.balance(other)).spentNanoCredit).toBe(0n);
    await lessee.settle(request);
    expect((await world.ledger.balance(owner)).spentNanoCredit).toBe(2n * PRICE);
  });

  it("admits without a statement, charges with one, and releases without any", async () => {
    const { db, statements } = counted(world.db);
    const lessee = aLessee({ db });
    const startupId = await world.startupWith(1_000n * PRICE);
    await lessee.borrow(startupId, PRICE);
    // The provider's volume of the month is read once.
    await lessee.settle(await lessee.hold(startupId, PRICE));
    const before = statements();
    const requests = [];
    for (let n = 0; n < 5; n++) requests.push(await lessee.hold(startupId, PRICE));
    expect(requests.every(({ leaseId }) => leaseId !== null)).toBe(true);
    expect(statements() - before).toBe(0);
    for (const request of requests.slice(0, 3)) expect((await lessee.settle(request)).chargedNanoCredit).toBe(PRICE);
    expect(statements() - before).toBe(3);
    for (const request of requests.slice(3)) await lessee.release(request);
    expect(statements() - before).toBe(3);
    expect(await world.ledger.balance(startupId)).toMatchObject({ spentNanoCredit: 4n * PRICE });
  });

  it("charges what was delivered, and what was set aside beyond it serves the next request", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(1_000n * PRICE);
    await lessee.borrow(startupId, PRICE);
    const free = () => lessee.metering.leaseFigures.freeNanoCredit;
    const before = free();
    const request = await lessee.hold(startupId, 2n * PRICE);
    expect(before - free()).toBe(2n * PRICE);
    await lessee.settle(request);
    expect(before - free()).toBe(PRICE);
    const [record] = await world.db.source.query("SELECT * FROM usage_record WHERE id = $1", [request.requestId]);
    expect(record).toMatchObject({
      lease_id: request.leaseId,
      held_nano_credit: `${2n * PRICE}`,
      charge_nano_credit: `${PRICE}`,
      workload: "INFERENCE",
    });
  });

  it("charges the same settlement once, at once or again, and never more than was set aside", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(1_000n * PRICE);
    await lessee.borrow(startupId, PRICE);
    const before = lessee.metering.leaseFigures;
    const request = await lessee.hold(startupId, 900_000n);
    const charged = await Promise.all([1, 2, 3].map(() => lessee.settle(request)));
    expect(charged.map(({ chargedNanoCredit }) => chargedNanoCredit)).toEqual([900_000n, 900_000n, 900_000n]);
    expect((await lessee.settle(request)).chargedNanoCredit).toBe(900_000n);
    expect(lessee.metering.leaseFigures).toEqual({
      ...before,
      freeNanoCredit: before.freeNanoCredit - 900_000n,
      setAsideNanoCredit: 0n,
    });
    expect(await world.ledger.balance(startupId)).toMatchObject({ spentNanoCredit: 900_000n });
  });

  it("is topped up while it serves: of a thousand requests nearly none waits for the ledger", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(10_000n * PRICE);
    await lessee.borrow(startupId, PRICE);
    let waited = 0;
    for (let n = 0; n < 200; n++) {
      const requests = await Promise.all([1, 2, 3, 4, 5].map(() => lessee.hold(startupId, PRICE)));
      waited += requests.filter(({ leaseId }) => leaseId === null).length;
      await Promise.all(requests.map((request) => lessee.settle(request)));
    }
    expect(waited).toBeLessThan(50);
    expect(await world.ledger.balance(startupId)).toMatchObject({ spentNanoCredit: 1_000n * PRICE });
  });

  it("shows the operator what a provider claimed beside what was charged", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(1_000n * PRICE);
    await lessee.borrow(startupId, PRICE);
    const request = await lessee.hold(startupId, PRICE);
    const usage = { ...reportedUsage(10), clamped: true, claimedCompletionTokens: 9_000_000_000_000_000 };
    await lessee.settle(request, { usage });
    const [record] = await world.db.source.query("SELECT * FROM usage_record WHERE id = $1", [request.requestId]);
    expect(record).toMatchObject({
      completion_tokens: 10,
      usage_bounded: true,
      claimed_prompt_tokens: "0",
      claimed_completion_tokens: "9000000000000000",
    });
  });

  it("serves a purpose from what was borrowed for it alone", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(WALLET);
    await lessee.borrow(startupId, HOLD);
    const other = purposeOf("INFERENCE", ["H100", "A100"]);
    expect(await lessee.hold(startupId, HOLD, other)).toMatchObject({ leaseId: null });
  });

  it("borrows nothing that is kept for other accelerators", async () => {
    const [lessee, startupId, facilityId] = [aLessee(), await world.startup(), await world.facility()];
    await world.lot({ startupId, facilityId, fundedNanoUsd: WALLET, accelerators: ["A100"] });
    await expect(lessee.hold(startupId, HOLD)).rejects.toMatchObject({ code: "INSUFFICIENT_CREDITS" });
    const fits = purposeOf("INFERENCE", ["A100"]);
    await lessee.borrow(startupId, HOLD, fits);
    await expect(lessee.hold(startupId, HOLD)).rejects.toMatchObject({
      code: "INSUFFICIENT_CREDITS",
      details: { availableNanoCredit: 0n },
    });
  });
});

describe("what is lent", () => {
  it("is not called back for a request that it may not pay for", async () => {
    const [one, two] = [aLessee(), aLessee()];
    const [startupId, facilityId] = [await world.startup(), await world.facility()];
    await world.lot({ startupId, facilityId, fundedNanoUsd: WALLET, accelerators: ["A100"] });
    const kept = purposeOf("INFERENCE", ["A100"]);
    await one.borrow(startupId, HOLD, kept);
    const before = await one.leases();
    await expect(two.hold(startupId, HOLD)).rejects.toMatchObject({ details: { availableNanoCredit: 0n } });
    expect(await one.leases()).toEqual(before);
    const request = await one.hold(startupId, HOLD, kept);
    expect(request.leaseId).not.toBeNull();
    await one.release(request);
  });

  it("is called back for a request that could be made otherwise only where that is enough", async () => {
    const [one, two] = [aLessee(), aLessee()];
    const startupId = await world.startupWith(WALLET);
    await one.borrow(startupId, HOLD);
    const before = await one.leases();
    const otherwise = (amountNanoCredit: bigint) => two.hold(startupId, amountNanoCredit, CHAT, null, true);
    await expect(otherwise(WALLET + 1n)).rejects.toMatchObject({ code: "INSUFFICIENT_CREDITS" });
    expect(await one.leases()).toEqual(before);
    await two.release(await otherwise(WALLET));
    expect(await one.leases()).not.toEqual(before);
  });
});

describe("a wallet that is nearly spent", () => {
  it("is not lent: below eight requests in the share of one process every hold is the ledger's", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(1_595n);
    for (let n = 0; n < 5; n++) {
      lessee.upMs += 1_000;
      const request = await lessee.hold(startupId, HOLD);
      expect(request.leaseId).toBeNull();
      await lessee.release(request);
    }
    expect(await lessee.leases()).toEqual([]);
    const richer = await world.startupWith(1_700n);
    await lessee.borrow(richer, HOLD);
    expect((await lessee.leases()).length).toBe(1);
  });

  const AMOUNT = 1_000n;
  const LEFT_OVER = 5n;

  it("serves ten of 200 requests at once over two processes, in each of 50 rounds, whatever they had borrowed before", async () => {
    const pair = [aLessee(), aLessee()];
    const startupId = await world.startupWith(10n * AMOUNT + LEFT_OVER);
    for (let round = 0; round < 50; round++) {
      for (const lessee of pair) {
        lessee.upMs += 3_000;
        await lessee.metering.beatLeases();
        // Small enough for a lease: the rush has to call it back.
        if (round % 2 === 1) await lessee.borrow(startupId, HOLD);
      }
      const outcomes = await Promise.allSettled(
        Array.from({ length: 200 }, (_, n) => pair[n % 2]!.hold(startupId, AMOUNT)),
      );
      const admitted = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
      expect({ round, admitted: admitted.length }).toEqual({ round, admitted: 10 });
      for (const outcome of outcomes) {
        if (outcome.status === "rejected")
          expect(outcome.reason).toMatchObject({
            code: "INSUFFICIENT_CREDITS",
            details: { availableNanoCredit: LEFT_OVER },
          });
      }
      await Promise.all(admitted.map((request, n) => pair[n % 2]!.release(request)));
    }
  }, 60_000);

  it("can be spent to the last nano-credit by one process while another has borrowed of it", async () => {
    const [one, two] = [aLessee(), aLessee()];
    const startupId = await world.startupWith(WALLET);
    await one.borrow(startupId, HOLD);
    await two.borrow(startupId, HOLD);
    expect(await available(startupId)).toBeLessThan(WALLET);
    const all = await one.hold(startupId, WALLET);
    expect(all.leaseId).toBeNull();
    await expect(two.hold(startupId, 1n)).rejects.toMatchObject({
      code: "INSUFFICIENT_CREDITS",
      details: { availableNanoCredit: 0n, neededNanoCredit: 1n },
    });
    await one.release(all);
    await two.release(await two.hold(startupId, WALLET));
  });

  it("can be spent to the last nano-credit when the bus is away, as soon as the other process's heart beats", async () => {
    const [one, two] = [aLessee(), aLessee({ bus: new (world.bus.constructor as new () => typeof world.bus)() })];
    const startupId = await world.startupWith(WALLET);
    await two.borrow(startupId, HOLD);
    let admitted = false;
    const all = one.hold(startupId, WALLET).then((request) => {
      admitted = true;
      return request;
    });
    await until("the recall", async () => (await two.leases()).some(({ acknowledged }) => !acknowledged));
    expect(admitted).toBe(false);
    await two.metering.beatLeases();
    await one.release(await all);
  });

  it("is refused with what there is when the rest of it is really in use, and never a moment earlier", async () => {
    const [one, two] = [aLessee(), aLessee()];
    const startupId = await world.startupWith(WALLET);
    await two.borrow(startupId, HOLD);
    const running = await two.hold(startupId, 7n);
    expect(running.leaseId).not.toBeNull();
    await expect(one.hold(startupId, WALLET)).rejects.toMatchObject({
      details: { availableNanoCredit: WALLET - 7n, neededNanoCredit: WALLET },
    });
    await two.release(running);
    await one.release(await one.hold(startupId, WALLET));
  });

  it("calls back once for all that are refused together", async () => {
    const [one, two] = [aLessee(), aLessee()];
    const startupId = await world.startupWith(WALLET);
    await two.borrow(startupId, HOLD);
    let recalls = 0;
    const off = world.bus.on("lease.recalled", () => {
      recalls += 1;
    });
    const held = await Promise.all([
      one.hold(startupId, WALLET - 10n),
      one.hold(startupId, 2n),
      one.hold(startupId, 8n),
    ]);
    off();
    expect(recalls).toBe(1);
    await Promise.all(held.map((request) => one.release(request)));
  });
});

describe("a recall", () => {
  it("resolves when all is back that was not set aside; what was is still charged, and the rest follows", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(1_000n * PRICE);
    await lessee.borrow(startupId, PRICE);
    const [charged, released] = [await lessee.hold(startupId, 2n * PRICE), await lessee.hold(startupId, PRICE)];
    expect(await lessee.recall.recall({ startupId })).toMatchObject({ leases: 1, outstanding: 0 });
    expect(await available(startupId)).toBe(997n * PRICE);
    expect(await lessee.leases()).toMatchObject([{ state: "ACTIVE", balance: 3n * PRICE, acknowledged: true }]);
    await lessee.settle(charged);
    await everythingIsBack(startupId, 998n * PRICE);
    await lessee.release(released);
    await everythingIsBack(startupId, 999n * PRICE);
    await until("the end of the lease", async () => (await lessee.leases())[0]!.state === "RETURNED");
    expect(lessee.metering.leaseFigures.leases).toBe(0);
  });

  it("is followed by two seconds in which nothing of that startup is borrowed", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(WALLET);
    await lessee.borrow(startupId, HOLD);
    await lessee.recall.recall({ startupId });
    lessee.upMs += 1_999;
    for (let n = 0; n < 3; n++) expect((await lessee.hold(startupId, HOLD)).leaseId).toBeNull();
    expect(await lessee.leases()).toHaveLength(1);
    lessee.upMs += 1;
    await lessee.borrow(startupId, HOLD);
  });

  it("of a lot or a facility asks for the leases that have credit of it, and for no others", async () => {
    const lessee = aLessee();
    const [startupId, other, facilityId] = [
      await world.startup(),
      await world.startupWith(WALLET),
      await world.facility(),
    ];
    const lot = await world.lot({ startupId, facilityId, fundedNanoUsd: WALLET });
    for (const scope of [{ facilityId }, { lotId: lot.lotId }]) {
      await lessee.borrow(startupId, HOLD);
      await lessee.borrow(other, HOLD);
      expect(await lessee.recall.recall(scope)).toMatchObject({ leases: 1, outstanding: 0 });
      expect(await available(startupId)).toBe(lot.creditNanoCredit);
      expect(await available(other)).toBeLessThan(WALLET);
      lessee.upMs += 2_000;
      await lessee.metering.beatLeases();
    }
  });

  it("of a hundred leases is answered at once while the process's heart beats: nobody waits in a circle", async () => {
    const [lessee, facilityId] = [aLessee(), await world.facility()];
    const startups = await Promise.all(Array.from({ length: 100 }, () => world.startup()));
    for (const startupId of startups) await world.lot({ startupId, facilityId, fundedNanoUsd: WALLET });
    for (let round = 0; round < 6; round++) {
      lessee.upMs += 2_000;
      await lessee.metering.beatLeases();
      // Opened in another order each time, as traffic has it.
      startups.sort(() => Math.random() - 0.5);
      await Promise.all(startups.map((startupId) => lessee.borrow(startupId, HOLD)));
      let beating = true;
      const beats = until("the end of the round", async () => {
        await lessee.metering.beatLeases();
        return !beating;
      });
      const { waitedMs, ...rest } = await lessee.recall.recall({ facilityId });
      beating = false;
      await beats;
      expect(rest).toEqual({ leases: 100, outstanding: 0 });
      // PostgreSQL takes a second to find a circle.
      expect(waitedMs).toBeLessThan(900);
    }
  }, 30_000);

  it("does not wait for a process that is dead, whose credit it takes", async () => {
    const [lessee, dead] = [aLessee(), aLessee({ bus: new (world.bus.constructor as new () => typeof world.bus)() })];
    const startupId = await world.startupWith(WALLET);
    await dead.borrow(startupId, HOLD);
    await world.db.source.query("UPDATE lease SET expires_at = now() - interval '1 second' WHERE instance = $1", [
      dead.instance,
    ]);
    const { waitedMs, ...rest } = await lessee.recall.recall({ startupId });
    expect(rest).toEqual({ leases: 1, outstanding: 0 });
    expect(waitedMs).toBeLessThan(2_000);
    expect(await available(startupId)).toBe(WALLET);
  });
});

describe("a process that was paused past its lease", () => {
  it("cannot settle, and its credit is back once, not twice", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(1_000n * PRICE);
    await lessee.borrow(startupId, PRICE);
    const request = await lessee.hold(startupId, PRICE);
    await world.db.source.query("UPDATE lease SET expires_at = now() - interval '1 second' WHERE instance = $1", [
      lessee.instance,
    ]);
    expect(await lessee.recall.sweep()).toBe(1);
    expect(await available(startupId)).toBe(1_000n * PRICE);
    await expect(lessee.settle(request)).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
    expect(await world.db.source.query("SELECT id FROM usage_record WHERE id = $1", [request.requestId])).toEqual([]);
    expect(await lessee.recall.sweep()).toBe(0);
    await lessee.release(request);
    await lessee.metering.drain();
    expect(await world.ledger.balance(startupId)).toMatchObject({
      availableNanoCredit: 1_000n * PRICE,
      spentNanoCredit: 0n,
      heldNanoCredit: 0n,
    });
  });

  it("sets nothing aside when it wakes, and finds out at its next beat", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(WALLET);
    await lessee.borrow(startupId, HOLD);
    await world.db.source.query("UPDATE lease SET expires_at = now() - interval '1 second' WHERE instance = $1", [
      lessee.instance,
    ]);
    await lessee.recall.sweep();
    lessee.upMs += 5_000;
    expect(await lessee.hold(startupId, HOLD)).toMatchObject({ leaseId: null });
    await lessee.metering.beatLeases();
    expect(lessee.metering.leaseFigures.leases).toBe(0);
    await lessee.borrow(startupId, HOLD);
  });

  it("goes on where it was when it was not swept yet", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(WALLET);
    const leaseId = await lessee.borrow(startupId, HOLD);
    lessee.upMs += 5_000;
    expect(await lessee.hold(startupId, HOLD)).toMatchObject({ leaseId: null });
    await lessee.metering.beatLeases();
    const request = await lessee.hold(startupId, HOLD);
    expect(request).toMatchObject({ leaseId });
    await lessee.release(request);
  });
});

describe("borrowed credit goes back", () => {
  it("when the process ends, all of it, and nothing is borrowed afterwards", async () => {
    const lessee = aLessee();
    const startups = [await world.startupWith(WALLET), await world.startupWith(WALLET)];
    for (const startupId of startups) await lessee.borrow(startupId, HOLD);
    await lessee.metering.drain();
    for (const startupId of startups) {
      expect(await available(startupId)).toBe(WALLET);
      const late = await lessee.hold(startupId, HOLD);
      expect(late.leaseId).toBeNull();
      await lessee.release(late);
    }
    expect(await lessee.leases()).toMatchObject([{ state: "RETURNED" }, { state: "RETURNED" }]);
  });

  it("when the process ends while a tranche is on its way", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(WALLET);
    const [request] = await Promise.all([lessee.hold(startupId, HOLD), lessee.metering.drain()]);
    await lessee.release(request);
    expect(await available(startupId)).toBe(WALLET);
  });

  it("when nobody has asked for it for half a minute", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(WALLET);
    await lessee.borrow(startupId, HOLD);
    lessee.upMs += 29_999;
    await lessee.metering.beatLeases();
    expect(lessee.metering.leaseFigures.leases).toBe(1);
    lessee.upMs += 1;
    await lessee.metering.beatLeases();
    await everythingIsBack(startupId, WALLET);
  });

  it("when a lot that it came from expires, and a request that was admitted before is still charged", async () => {
    const [lessee, startupId, facilityId] = [aLessee(), await world.startup(), await world.facility()];
    const expiresAt = new Date(world.clock.nowMs() + 60_000);
    await world.lot({ startupId, facilityId, fundedNanoUsd: 1_000n * PRICE, expiresAt });
    await lessee.borrow(startupId, PRICE);
    const before = await lessee.hold(startupId, PRICE);
    world.clock.moveTo(expiresAt);
    await expect(lessee.hold(startupId, PRICE)).rejects.toMatchObject({ code: "INSUFFICIENT_CREDITS" });
    await lessee.metering.beatLeases();
    expect((await lessee.settle(before)).chargedNanoCredit).toBe(PRICE);
    await until("the lease to be over", () => lessee.metering.leaseFigures.leases === 0);
    expect((await lessee.leases()).map(({ balance }) => balance)).toEqual([0n]);
  });

  it("when a request of it never ended: what it had set aside too", async () => {
    const lessee = aLessee();
    const startupId = await world.startupWith(WALLET);
    await lessee.borrow(startupId, HOLD);
    await lessee.hold(startupId, HOLD);
    lessee.upMs += 600_000;
    await lessee.metering.beatLeases();
    await everythingIsBack(startupId, WALLET);
  });
});

test("who follows the balance hears of a tranche and of its return", async () => {
  const lessee = aLessee();
  const startupId = await world.startupWith(WALLET);
  const heard: string[] = [];
  const off = world.bus.on("balance.changed", (event) => heard.push(event.startupId));
  await lessee.borrow(startupId, HOLD);
  const before = heard.length;
  await lessee.release(await lessee.hold(startupId, HOLD, CHAT));
  expect(heard).toHaveLength(before);
  await lessee.metering.returnLeases();
  off();
  expect(heard.length).toBeGreaterThan(before);
});
