/** A hard budget is spent to its last nano-credit and never beyond, whoever asks at once and through whichever relay. */
import { MemoryBus } from "../../src/events/event-bus";
import { faultsInTheBooks } from "../ledger/books";
import { until } from "../support/leftovers";
import { BudgetWorld, rush, type Spender } from "./a-budget-world";
import { CHAT, type Lessee } from "./lessee";

const HOLD = 10n;
const AMOUNT = 1_000n;
const LEFT_OVER = 7n;
/** Of this, and of a budget as large, a lease is worth it. */
const PLENTY = 1_000_000n;
/** One GPU-second, as a settlement of this world charges it where the hold allows. */
const PRICE = 937_500n;

let world: BudgetWorld;

beforeAll(async () => {
  world = await BudgetWorld.open();
});

afterEach(async () => {
  expect(await world.endLessees()).toEqual([]);
  expect(await faultsInTheBooks(world.money.db)).toEqual([]);
});

afterAll(async () => {
  await world?.close();
});

/** When the quiet after a change of budgets is over. */
async function borrow(lessee: Lessee, { startupId }: Spender, apiKeyId: string, amount = HOLD): Promise<string> {
  lessee.upMs += 2_000;
  await lessee.metering.beatLeases();
  return lessee.borrow(startupId, amount, CHAT, apiKeyId);
}

const sweepTheDead = async (lessee: Lessee) => {
  await world.money.db.source.query("UPDATE lease SET expires_at = now() - interval '1 second' WHERE instance = $1", [
    lessee.instance,
  ]);
  return lessee.recall.sweep();
};

describe("200 requests at once, through two relay processes", () => {
  it("are ten on a budget for ten, in each of 20 rounds, whatever was borrowed under it before", async () => {
    const pair = [world.lessee(), world.lessee()];
    const spender = await world.spender(PLENTY * 10n);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, 10n * AMOUNT + LEFT_OVER);
    for (let round = 0; round < 20; round++) {
      for (const lessee of pair) {
        if (round % 2 === 1) await borrow(lessee, spender, apiKeyId);
      }
      const { admitted, refusals } = await rush(pair, spender, { apiKeyId, count: 200, amountNanoCredit: AMOUNT });
      expect({ round, admitted: admitted.length }).toEqual({ round, admitted: 10 });
      for (const refusal of refusals) {
        expect(refusal).toMatchObject({
          code: "BUDGET_EXCEEDED",
          details: {
            availableNanoCredit: LEFT_OVER,
            neededNanoCredit: AMOUNT,
            budgetOf: "API_KEY",
            budgetName: "a key",
          },
        });
      }
      expect(await world.figures(budgetId)).toMatchObject({ heldNanoCredit: 10n * AMOUNT });
      await Promise.all(admitted.map(({ lessee, request }) => lessee.release(request)));
    }
  }, 60_000);

  it("are ten on a project's budget, whichever of its keys they come with, and each is charged to it", async () => {
    const pair = [world.lessee(), world.lessee()];
    const spender = await world.spender(PLENTY * 10n);
    const projectId = await world.project(spender);
    const keys = [await world.key(spender, projectId), await world.key(spender, projectId)];
    const budgetId = await world.budget(spender, { projectId }, 10n * AMOUNT + LEFT_OVER);
    const rushes = await Promise.all(
      keys.map((apiKeyId) => rush(pair, spender, { apiKeyId, count: 100, amountNanoCredit: AMOUNT })),
    );
    const admitted = rushes.flatMap((one) => one.admitted);
    expect(admitted).toHaveLength(10);
    await Promise.all(admitted.map(({ lessee, request }) => lessee.settle(request)));
    expect(await world.figures(budgetId)).toMatchObject({
      spentNanoCredit: 10n * AMOUNT,
      heldNanoCredit: 0n,
      remainingNanoCredit: LEFT_OVER,
    });
  });
});

describe("a key under its own budget and its project's", () => {
  it("is held to both, and its refusal names the tighter", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY);
    const projectId = await world.project(spender, "both");
    const [own, other] = [await world.key(spender, projectId), await world.key(spender, projectId)];
    await world.budget(spender, { apiKeyId: own }, 600n);
    await world.budget(spender, { projectId }, 1_000n);
    const ask = (apiKeyId: string, amount: bigint) => lessee.hold(spender.startupId, amount, CHAT, apiKeyId);
    const first = await ask(own, 500n);
    await expect(ask(own, 101n)).rejects.toMatchObject({
      code: "BUDGET_EXCEEDED",
      details: { budgetOf: "API_KEY", availableNanoCredit: 100n, limitNanoCredit: 600n, heldNanoCredit: 500n },
    });
    const second = await ask(other, 450n);
    await expect(ask(own, 51n)).rejects.toMatchObject({
      details: {
        budgetOf: "PROJECT",
        budgetName: "both",
        availableNanoCredit: 50n,
        spentNanoCredit: 0n,
        resetsAt: null,
      },
    });
    const third = await ask(own, 50n);
    for (const request of [first, second, third]) await lessee.release(request);
  });

  it("takes nothing of the one when the other, or the wallet, refuses it", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(1_000n);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, 5_000n);
    const ask = (amount: bigint) => lessee.hold(spender.startupId, amount, CHAT, apiKeyId);
    // In one batch: what the wallet refuses leaves its place in the budget to those behind it.
    const outcomes = await Promise.allSettled([ask(1_500n), ask(4_500n), ask(900n)]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
    expect(await world.figures(budgetId)).toMatchObject({ heldNanoCredit: 900n });
    for (const outcome of outcomes) if (outcome.status === "fulfilled") await lessee.release(outcome.value);
  });
});

describe("a process that has borrowed under a budget", () => {
  it("admits without a statement, and the budget counts what it lent, holds and charges", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(10_000n * PRICE);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, 5_000n * PRICE);
    await borrow(lessee, spender, apiKeyId, PRICE);
    const { heldNanoCredit: lent } = await world.figures(budgetId);
    const requests = [];
    for (let nr = 0; nr < 4; nr++) requests.push(await lessee.hold(spender.startupId, PRICE, CHAT, apiKeyId));
    expect(requests.every(({ leaseId }) => leaseId !== null)).toBe(true);
    for (const request of requests) await lessee.settle(request);
    expect(await world.figures(budgetId)).toMatchObject({
      spentNanoCredit: 4n * PRICE,
      heldNanoCredit: lent - 4n * PRICE,
    });
    await lessee.metering.returnLeases();
    expect(await world.figures(budgetId)).toMatchObject({ spentNanoCredit: 4n * PRICE, heldNanoCredit: 0n });
  });

  it("lets it be spent to the last nano-credit by another", async () => {
    const [one, two] = [world.lessee(), world.lessee()];
    const spender = await world.spender(PLENTY * 10n);
    const apiKeyId = await world.key(spender);
    await world.budget(spender, { apiKeyId }, PLENTY);
    await borrow(one, spender, apiKeyId);
    await borrow(two, spender, apiKeyId);
    const all = await one.hold(spender.startupId, PLENTY, CHAT, apiKeyId);
    expect(all.leaseId).toBeNull();
    await expect(two.hold(spender.startupId, 1n, CHAT, apiKeyId)).rejects.toMatchObject({
      code: "BUDGET_EXCEEDED",
      details: { availableNanoCredit: 0n, neededNanoCredit: 1n },
    });
    await one.release(all);
  });

  it("keeps what it borrowed for the startup's other keys when a budget is called back", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY * 10n);
    const [apiKeyId, free] = [await world.key(spender), await world.key(spender)];
    await world.budget(spender, { apiKeyId }, PLENTY);
    const leaseId = await borrow(lessee, spender, free);
    await borrow(lessee, spender, apiKeyId);
    const all = await lessee.hold(spender.startupId, PLENTY, CHAT, apiKeyId);
    const other = await lessee.hold(spender.startupId, HOLD, CHAT, free);
    expect(other.leaseId).toBe(leaseId);
    for (const request of [all, other]) await lessee.release(request);
  });

  it("strands nothing when it is killed: what was lent is back in wallet and budget after the sweep", async () => {
    const [lessee, dead] = [world.lessee(), world.lessee({ bus: new MemoryBus() })];
    const spender = await world.spender(PLENTY);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, PLENTY / 2n);
    await borrow(dead, spender, apiKeyId);
    await dead.hold(spender.startupId, HOLD, CHAT, apiKeyId);
    expect((await world.figures(budgetId)).heldNanoCredit).toBeGreaterThan(0n);
    expect(await sweepTheDead(dead)).toBe(1);
    expect(await world.figures(budgetId)).toMatchObject({ heldNanoCredit: 0n, spentNanoCredit: 0n });
    const all = await lessee.hold(spender.startupId, PLENTY / 2n, CHAT, apiKeyId);
    await lessee.release(all);
  });
});

describe("a budget that is set, changed or removed", () => {
  it("counts every request from its answer on, although processes had borrowed without it and hear nothing", async () => {
    const deaf = world.lessee({ bus: new MemoryBus() });
    const spender = await world.spender(PLENTY * 10n);
    const apiKeyId = await world.key(spender);
    await borrow(deaf, spender, apiKeyId);
    let beating = true;
    const beats = until("the budget", async () => {
      await deaf.metering.beatLeases();
      return !beating;
    });
    const budgetId = await world.budget(spender, { apiKeyId }, 25n);
    beating = false;
    await beats;
    const { admitted } = await rush([deaf], spender, { apiKeyId, count: 20, amountNanoCredit: HOLD });
    expect(admitted).toHaveLength(2);
    expect(await world.figures(budgetId)).toMatchObject({ heldNanoCredit: 20n });
    await Promise.all(admitted.map(({ lessee, request }) => lessee.release(request)));
  });

  it("refuses whatever is new while less is allowed than is held, takes nothing back, and lets on what is freed", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY * 10n);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, PLENTY);
    await borrow(lessee, spender, apiKeyId);
    const [leased, held] = [
      await lessee.hold(spender.startupId, HOLD, CHAT, apiKeyId),
      await lessee.hold(spender.startupId, 500_000n, CHAT, apiKeyId),
    ];
    expect([leased.leaseId === null, held.leaseId === null]).toEqual([false, true]);
    await world.budgets.change(spender.viewer, budgetId, { amountNanoCredit: 1_000n });
    expect(await world.figures(budgetId)).toMatchObject({ heldNanoCredit: 500_010n, remainingNanoCredit: 0n });
    await expect(lessee.hold(spender.startupId, 1n, CHAT, apiKeyId)).rejects.toMatchObject({
      code: "BUDGET_EXCEEDED",
      details: { availableNanoCredit: 0n, limitNanoCredit: 1_000n, heldNanoCredit: 500_010n },
    });
    expect((await lessee.settle(leased)).chargedNanoCredit).toBe(HOLD);
    await lessee.release(held);
    expect(await world.figures(budgetId)).toMatchObject({ spentNanoCredit: HOLD, remainingNanoCredit: 990n });
    await lessee.release(await lessee.hold(spender.startupId, 990n, CHAT, apiKeyId));
    await expect(lessee.hold(spender.startupId, 991n, CHAT, apiKeyId)).rejects.toMatchObject({
      code: "BUDGET_EXCEEDED",
    });
  });

  it("refuses nothing once it is raised, soft or removed", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, 100n);
    const ask = (amount: bigint) => lessee.hold(spender.startupId, amount, CHAT, apiKeyId);
    await expect(ask(101n)).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });
    await world.budgets.change(spender.viewer, budgetId, { amountNanoCredit: 101n });
    const held = [await ask(101n)];
    await world.budgets.change(spender.viewer, budgetId, { hardStop: false });
    held.push(await ask(200n));
    expect(await world.figures(budgetId)).toMatchObject({ heldNanoCredit: 301n });
    await world.budgets.change(spender.viewer, budgetId, { hardStop: true });
    await expect(ask(1n)).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });
    await world.budgets.remove(spender.viewer, budgetId);
    held.push(await ask(1_000n));
    for (const request of held) await lessee.release(request);
  });

  it("goes on over the key that replaces its key", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY);
    const first = await world.key(spender);
    const second = (await world.accounts.rotateApiKey(spender.viewer, { id: first })).apiKey.id;
    await world.budget(spender, { apiKeyId: second }, 100n);
    const third = (await world.accounts.rotateApiKey(spender.viewer, { id: second })).apiKey.id;
    const held = [await lessee.hold(spender.startupId, 60n, CHAT, first)];
    await expect(lessee.hold(spender.startupId, 41n, CHAT, third)).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });
    held.push(await lessee.hold(spender.startupId, 40n, CHAT, third));
    for (const request of held) await lessee.release(request);
  });

  it("is left behind by a key that moves to another project, with what it holds", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY * 10n);
    const [from, to] = [await world.project(spender, "from"), await world.project(spender, "to")];
    const apiKeyId = await world.key(spender, from);
    const [old, next] = [
      await world.budget(spender, { projectId: from }, PLENTY),
      await world.budget(spender, { projectId: to }, 50n),
    ];
    await borrow(lessee, spender, apiKeyId);
    const before = await lessee.hold(spender.startupId, HOLD, CHAT, apiKeyId);
    expect(before.leaseId).not.toBeNull();
    await world.budgets.moveApiKey(spender.viewer, { id: apiKeyId, projectId: to });
    await expect(lessee.hold(spender.startupId, 51n, CHAT, apiKeyId)).rejects.toMatchObject({
      details: { budgetName: "to" },
    });
    const after = await lessee.hold(spender.startupId, 50n, CHAT, apiKeyId);
    await lessee.settle(before);
    expect(await world.figures(old)).toMatchObject({ spentNanoCredit: HOLD, heldNanoCredit: 0n });
    expect(await world.figures(next)).toMatchObject({ spentNanoCredit: 0n, heldNanoCredit: 50n });
    await lessee.release(after);
  });

  it("cannot be overdrawn by a mistake of ours: the database refuses the row", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, 100n);
    const request = await lessee.hold(spender.startupId, 60n, CHAT, apiKeyId);
    const overdraw = (column: string) =>
      world.money.db.source.query(`UPDATE budget_period SET ${column} = ${column} + 41 WHERE budget_id = $1`, [
        budgetId,
      ]);
    for (const column of ["held_nano_credit", "leased_nano_credit", "spent_nano_credit"])
      await expect(overdraw(column)).rejects.toThrow("budget_period_limit_check");
    await lessee.release(request);
  });
});

describe("a month that ends", () => {
  it("leaves a budget whole for the next, what was held before to its own month, and no lease with an old allowance", async () => {
    world.money.clock.moveTo("2026-03-31T23:59:59Z");
    const lessee = world.lessee();
    const spender = await world.spender(10_000n * PRICE);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, 1_000n * PRICE, { period: "MONTH" });
    await borrow(lessee, spender, apiKeyId, PRICE);
    const leased = await lessee.hold(spender.startupId, PRICE, CHAT, apiKeyId);
    const held = await lessee.hold(spender.startupId, 900n * PRICE, CHAT, apiKeyId);
    expect([leased.leaseId === null, held.leaseId === null]).toEqual([false, true]);
    const march = await world.figures(budgetId);
    expect(march).toMatchObject({ period: "2026-03", resetsAt: new Date("2026-04-01T00:00:00Z") });
    expect(march.heldNanoCredit).toBeGreaterThan(900n * PRICE);
    await expect(lessee.hold(spender.startupId, 200n * PRICE, CHAT, apiKeyId)).rejects.toMatchObject({
      details: { resetsAt: "2026-04-01T00:00:00.000Z" },
      message: expect.stringContaining("for 2026-03"),
    });

    world.money.clock.moveTo("2026-04-01T00:00:00Z");
    expect(await world.figures(budgetId)).toMatchObject({ period: "2026-04", remainingNanoCredit: 1_000n * PRICE });
    const fresh = await lessee.hold(spender.startupId, 999n * PRICE, CHAT, apiKeyId);
    expect(fresh.leaseId).toBeNull();
    const last = await lessee.hold(spender.startupId, PRICE, CHAT, apiKeyId);
    expect(last.leaseId).toBeNull();
    await lessee.settle(leased);
    await lessee.settle(held);
    const rows = await world.money.db.source.query(
      "SELECT period, spent_nano_credit, held_nano_credit FROM budget_period WHERE budget_id = $1 ORDER BY period",
      [budgetId],
    );
    expect(rows).toEqual([
      { period: "2026-03", spent_nano_credit: `${2n * PRICE}`, held_nano_credit: "0" },
      { period: "2026-04", spent_nano_credit: "0", held_nano_credit: `${1_000n * PRICE}` },
    ]);
    for (const request of [fresh, last]) await lessee.release(request);
    await lessee.metering.beatLeases();
    await until("the old lease to be over", () => lessee.metering.leaseFigures.leases === 0);
  });
});

describe("thresholds", () => {
  const alertsOf = async ({ viewer }: Spender, budgetId: string) => {
    const { rows } = await world.budgets.alerts(viewer, { first: 50 }, { budgetId });
    return rows.map(({ period, thresholdPpm }) => `${period} ${thresholdPpm}`).sort();
  };
  const toldOf = async ({ startupId }: Spender) => {
    const rows = await world.money.db.source.query(
      "SELECT payload FROM outbox_event WHERE topic = 'budget.alert.raised' AND organisation_id = $1",
      [startupId],
    );
    return rows.length;
  };

  it("are told once each, however many requests cross them at once, from holds and leases alike", async () => {
    const pair = [world.lessee(), world.lessee()];
    const spender = await world.spender(PLENTY * 10n);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, 100n * AMOUNT, { hardStop: false });
    for (const lessee of pair) await borrow(lessee, spender, apiKeyId);
    const { admitted } = await rush(pair, spender, { apiKeyId, count: 130, amountNanoCredit: AMOUNT });
    expect(admitted).toHaveLength(130);
    await Promise.all(admitted.map(({ lessee, request }) => lessee.settle(request)));
    expect(await world.figures(budgetId)).toMatchObject({ spentNanoCredit: 130n * AMOUNT, remainingNanoCredit: 0n });
    expect(await alertsOf(spender, budgetId)).toEqual(["TOTAL 1000000", "TOTAL 800000", "TOTAL 950000"]);
    expect(await toldOf(spender)).toBe(3);
  });

  it("are told at the nano-credit that reaches them, and again in the next month", async () => {
    world.money.clock.moveTo("2026-05-10T00:00:00Z");
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY);
    const apiKeyId = await world.key(spender);
    const terms = { period: "MONTH" as const, thresholdsPpm: [500_000n] };
    const budgetId = await world.budget(spender, { apiKeyId }, 100n, terms);
    const spend = async (amount: bigint) => lessee.settle(await lessee.hold(spender.startupId, amount, CHAT, apiKeyId));
    await spend(49n);
    expect(await alertsOf(spender, budgetId)).toEqual([]);
    await spend(1n);
    await spend(40n);
    expect(await alertsOf(spender, budgetId)).toEqual(["2026-05 500000"]);
    expect((await world.budgets.standingAlerts(spender.viewer)).map(({ thresholdPpm }) => thresholdPpm)).toEqual([
      500_000,
    ]);
    world.money.clock.moveTo("2026-06-01T00:00:00Z");
    expect(await world.budgets.standingAlerts(spender.viewer)).toEqual([]);
    await spend(100n);
    expect(await alertsOf(spender, budgetId)).toEqual(["2026-05 500000", "2026-06 1000000", "2026-06 500000"]);
    expect(await toldOf(spender)).toBe(3);
  });

  it("that a lower amount has put behind what is spent are told with the change, and not again with a higher one", async () => {
    const lessee = world.lessee();
    const spender = await world.spender(PLENTY);
    const apiKeyId = await world.key(spender);
    const budgetId = await world.budget(spender, { apiKeyId }, 1_000n);
    await lessee.settle(await lessee.hold(spender.startupId, 400n, CHAT, apiKeyId));
    await world.budgets.change(spender.viewer, budgetId, { amountNanoCredit: 420n });
    expect(await alertsOf(spender, budgetId)).toEqual(["TOTAL 800000", "TOTAL 950000"]);
    await world.budgets.change(spender.viewer, budgetId, { amountNanoCredit: 500n });
    await lessee.settle(await lessee.hold(spender.startupId, 100n, CHAT, apiKeyId));
    expect(await alertsOf(spender, budgetId)).toEqual(["TOTAL 1000000", "TOTAL 800000", "TOTAL 950000"]);
    expect(await toldOf(spender)).toBe(3);
  });
});
