/** Payouts on PostgreSQL: each statement paid once, returned money owed again, cents that add up, holds that hold. */
import fc from "fast-check";
import type { Viewer } from "../../src/accounts/viewer";
import { NANO_PER_CENT } from "../../src/payouts/cents";
import { newId } from "../../src/platform/ids";
import { refusal } from "../accounts/a-world";
import { COOLING_MS, HOUR_MS, openPayoutWorld, type PayoutWorld } from "./a-payout-world";
import { RailInMemory } from "./a-rail";

const USD = 1_000_000_000n;

let world: PayoutWorld;
let rail: RailInMemory;
let provider: Viewer;
const run = () => world.payouts.runDue();
const payoutsOf = async (viewer: Viewer) => (await world.payouts.page(viewer, { first: 100 })).rows;
const heldFor = async (id: string) => (await world.payouts.standings([id])).get(id)!.holds;
const bankSays = (state: "SETTLED" | "RETURNED" | "IN_TRANSIT", code: string | null = null) => {
  for (const key of rail.taken.keys()) rail.states.set(key, { state, code, reason: null });
};

beforeAll(async () => {
  rail = new RailInMemory();
  world = await openPayoutWorld(rail, { PAYOUT_APPROVAL_LIMIT_USD: "1000" });
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.again("payout_approval, payout_attempt, payout, payout_account, bank_callback, statement CASCADE");
  await world.db.source.query(
    "DELETE FROM ledger_account WHERE kind = 'STATEMENT_PAYABLE' AND credits_posted = debits_posted",
  );
  rail.taken.clear();
  rail.states.clear();
  rail.batches.length = 0;
  rail.asked = 0;
  Object.assign(rail, { before: () => undefined, after: () => undefined, refusal: () => null });
  world.clock.moveTo("2026-03-10T12:00:00Z");
  provider = await world.provider();
  world.clock.moveTo("2026-04-10T12:00:00Z");
});

test("a final statement is paid when it is due, not before, and the money is booked on its way", async () => {
  const before = await world.totals();
  const statement = await world.statement(provider, "2026-03", 25n * USD);
  await run();
  expect(await payoutsOf(provider)).toEqual([]);
  world.clock.moveTo("2026-04-30T23:59:59Z");
  await run();
  expect(await payoutsOf(provider)).toEqual([]);
  world.clock.moveTo("2026-05-01T00:00:00Z");
  await run();
  expect(await payoutsOf(provider)).toMatchObject([
    { statementId: statement, state: "SUBMITTED", amountNanoUsd: 25n * USD, remainderNanoUsd: 0n, attempt: 1 },
  ]);
  expect([...rail.taken.values()]).toMatchObject([
    {
      key: `${statement}-1`,
      cents: 2_500n,
      currency: "USD",
      creditor: { holder: "Nordic GPU AS", bic: "COBADEFFXXX" },
    },
  ]);
  expect(await world.balance(`statement:${statement}`)).toBe(0n);
  expect((await world.totals()).inTransit - before.inTransit).toBe(25n * USD);
  bankSays("SETTLED");
  await run();
  expect((await payoutsOf(provider))[0]).toMatchObject({ state: "SETTLED" });
  const after = await world.totals();
  expect([after.inTransit - before.inTransit, after.paid - before.paid]).toEqual([0n, 25n * USD]);
});

test("runs at once, in two processes, pay each statement once", async () => {
  const statements = await Promise.all(
    ["2025-10", "2025-11", "2025-12", "2026-01"].map((period) => world.statement(provider, period, 10n * USD)),
  );
  const other = world.another(rail, { PAYOUT_APPROVAL_LIMIT_USD: "1000" });
  await Promise.all([run(), other.runDue(), run(), other.runDue()]);
  expect([...rail.taken.keys()].sort()).toEqual(statements.map((id) => `${id}-1`).sort());
  for (const id of statements) expect(await world.balance(`statement:${id}`)).toBe(0n);
});

test("a payment that came back is owed again, and reissued under another key to the account that was repaired", async () => {
  const statement = await world.statement(provider, "2026-01", 25n * USD);
  await run();
  bankSays("RETURNED", "AC04");
  await run();
  const [returned] = await payoutsOf(provider);
  expect(returned!.state).toBe("RETURNED");
  expect(await world.payouts.attemptsByPayoutIds([returned!.id])).toMatchObject([{ number: 1, returnCode: "AC04" }]);
  expect(await world.balance(`statement:${statement}`)).toBe(25n * USD);
  // It does not leave by itself.
  await run();
  expect(rail.taken.size).toBe(1);

  await world.account(provider, "0000000077");
  const key = newId();
  const [operator] = world.operators;
  const again = () => world.payouts.acts.reissue(operator, returned!.id, key);
  expect((await again()).state).toBe("SCHEDULED");
  await run();
  expect((await again()).state).toBe("SUBMITTED");
  expect([...rail.taken.keys()]).toEqual([`${statement}-1`, `${statement}-2`]);
  expect(rail.taken.get(`${statement}-2`)!.creditor.iban).toMatch(/0000000077$/);
  rail.states.set(`${statement}-2`, { state: "SETTLED", code: null, reason: null });
  await run();
  expect((await payoutsOf(provider))[0]).toMatchObject({ state: "SETTLED", attempt: 2 });
  expect(await world.balance(`statement:${statement}`)).toBe(0n);
  expect(await refusal(world.payouts.acts.reissue(operator, returned!.id, newId()))).toBe("STATE_CONFLICT");
});

test("what the bank refuses to take over is owed again at once", async () => {
  const statement = await world.statement(provider, "2026-01", 25n * USD);
  rail.refusal = () => ({ code: "AC01", reason: "no such account" });
  await run();
  expect((await payoutsOf(provider))[0]).toMatchObject({ state: "RETURNED" });
  expect(await world.balance(`statement:${statement}`)).toBe(25n * USD);
});

test("a bank that is away, before or after it took a payment over, is asked again under the same key", async () => {
  const statement = await world.statement(provider, "2026-01", 25n * USD);
  rail.before = () => {
    throw new Error("connection refused");
  };
  await expect(run()).rejects.toThrow("1 payout(s) wait");
  rail.before = () => undefined;
  rail.after = () => {
    throw new Error("connection reset");
  };
  await expect(run()).rejects.toThrow("1 payout(s) wait");
  rail.after = () => undefined;
  await run();
  await run();
  expect(rail.asked).toBe(3);
  expect([...rail.taken.keys()]).toEqual([`${statement}-1`]);
  expect(rail.batches.map(({ id }) => id)).toEqual(Array.from({ length: 3 }, () => rail.batches[0]!.id));
});

test("a statement that the ledger would not pay keeps no other back", async () => {
  const wrong = await world.statement(provider, "2025-12", 5n * USD);
  const away = { id: newId(), code: "CREDIT_NOTE" as const, debit: `statement:${wrong}`, credit: "expense:claims" };
  await world.ledger.post(world.db.source.manager, {
    groupId: wrong,
    bookedAt: world.clock.now(),
    postings: [{ ...away, amountNano: 1n }],
  });
  const right = await world.statement(provider, "2026-01", 5n * USD);
  await expect(run()).rejects.toThrow("1 payout(s) wait");
  expect([...rail.taken.keys()]).toEqual([`${right}-1`]);
  expect(await world.balance(`statement:${wrong}`)).toBe(5n * USD - 1n);
});

test("without a rail payouts are scheduled and stay, and say so", async () => {
  const none = world.another(null);
  await world.statement(provider, "2026-01", 5n * USD);
  await none.runDue();
  const [payout] = await payoutsOf(provider);
  expect(payout!.state).toBe("SCHEDULED");
  expect([...(await none.standings([payout!.id])).values()][0]!.holds).toEqual(["NO_RAIL"]);
});

describe("what holds a payout", () => {
  test("no account, an account that cools, an operator; and when nothing does it leaves", async () => {
    const bare = await world.provider(null);
    await world.statement(bare, "2026-01", 5n * USD);
    await run();
    const { id } = (await payoutsOf(bare))[0]!;
    expect(await heldFor(id)).toEqual(["NO_ACCOUNT"]);
    await world.account(bare, "0000000005");
    world.clock.advanceMs(-1);
    await run();
    expect(await heldFor(id)).toEqual(["ACCOUNT_COOLING"]);
    expect(rail.taken.size).toBe(0);
    world.clock.advanceMs(1);
    const [operator] = world.operators;
    await world.payouts.acts.hold(operator, id, "a dispute");
    await run();
    expect(await heldFor(id)).toEqual(["FROZEN"]);
    expect(rail.taken.size).toBe(0);
    await world.payouts.acts.release(operator, id);
    await run();
    expect(rail.taken.size).toBe(1);
    expect(await refusal(world.payouts.acts.hold(operator, id, "too late"))).toBe("STATE_CONFLICT");
  });

  test("a change of account holds payouts to the account before it too, until it is over or taken back", async () => {
    await world.statement(provider, "2026-01", 5n * USD);
    const account = await world.account(provider, "0000000009");
    world.clock.advanceMs(-COOLING_MS);
    await run();
    expect(rail.taken.size).toBe(0);
    await world.payouts.accounts.cancel(provider, account);
    await run();
    expect([...rail.taken.values()][0]!.creditor.iban).toMatch(/0000000001$/);
  });

  test("more than the limit needs two operators, for the account that it then goes to", async () => {
    await world.statement(provider, "2026-01", 1_001n * USD);
    await run();
    const { id } = (await payoutsOf(provider))[0]!;
    const [one, two] = world.operators;
    const { approve } = world.payouts.acts;
    const approves = approve.bind(world.payouts.acts);
    await approves(one, id);
    await approves(one, id);
    await run();
    expect(await heldFor(id)).toEqual(["APPROVAL_MISSING"]);
    // Two words for the old account are none for another.
    await approves(two, id);
    await world.account(provider, "0000000031");
    await run();
    expect(await heldFor(id)).toEqual(["APPROVAL_MISSING"]);
    await approves(one, id);
    await approves(two, id);
    await run();
    expect(rail.taken.size).toBe(1);
    expect(await refusal(approves(provider, id))).toBe("FORBIDDEN");
  });

  test("exactly the limit needs nobody", async () => {
    await world.statement(provider, "2026-01", 1_000n * USD);
    await run();
    expect(rail.taken.size).toBe(1);
  });
});

describe("what is less than a cent", () => {
  test("stays owed, and the next payout takes it along", async () => {
    const [first, second] = [
      await world.statement(provider, "2025-12", 3n * USD + NANO_PER_CENT - 1n),
      await world.statement(provider, "2026-01", 4n * USD + 1n),
    ];
    await run();
    const [january, december] = await payoutsOf(provider);
    expect(december).toMatchObject({
      statementId: first,
      amountNanoUsd: 3n * USD,
      remainderNanoUsd: NANO_PER_CENT - 1n,
    });
    expect(january).toMatchObject({
      statementId: second,
      carriedInNanoUsd: NANO_PER_CENT - 1n,
      amountNanoUsd: 4n * USD + NANO_PER_CENT,
      remainderNanoUsd: 0n,
    });
    expect(await world.balance(`statement:${first}`)).toBe(0n);
    expect(await world.balance(`statement:${second}`)).toBe(0n);
  });

  test("is a whole statement at times: nothing is paid, and all of it carried", async () => {
    await world.statement(provider, "2025-12", 7n);
    await run();
    expect((await payoutsOf(provider))[0]).toMatchObject({ state: "CARRIED", amountNanoUsd: 0n, remainderNanoUsd: 7n });
    expect(rail.taken.size).toBe(0);
    await world.statement(provider, "2026-01", NANO_PER_CENT - 7n);
    await run();
    expect([...rail.taken.values()]).toMatchObject([{ cents: 1n }]);
  });

  test("is never lost or paid twice: paid and unpaid add up to what was owed", async () => {
    const nano = fc.bigInt({ min: 1n, max: 30n * NANO_PER_CENT });
    const periods = ["2025-08", "2025-09", "2025-10", "2025-11", "2025-12", "2026-01"];
    await fc.assert(
      fc.asyncProperty(fc.array(nano, { minLength: 1, maxLength: 6 }), fc.boolean(), async (totals, atOnce) => {
        world.clock.moveTo("2026-03-10T12:00:00Z");
        const one = await world.provider();
        world.clock.moveTo("2026-04-10T12:00:00Z");
        const statements: string[] = [];
        for (const [index, total] of totals.entries()) {
          statements.push(await world.statement(one, periods[index]!, total));
          if (!atOnce) await run();
        }
        await run();
        const paidCents = statements.reduce((sum, id) => sum + (rail.taken.get(`${id}-1`)?.cents ?? 0n), 0n);
        let unpaid = 0n;
        for (const id of statements) unpaid += await world.balance(`statement:${id}`);
        expect(paidCents * NANO_PER_CENT + unpaid).toBe(totals.reduce((sum, total) => sum + total, 0n));
        expect(unpaid).toBeLessThan(NANO_PER_CENT);
      }),
      { numRuns: 12 },
    );
  });
});

test("only operators act on payouts, and everybody sees their own alone", async () => {
  await world.statement(provider, "2026-01", 5n * USD);
  await run();
  const [payout] = await payoutsOf(provider);
  const other = await world.provider();
  expect(await payoutsOf(other)).toEqual([]);
  expect(await payoutsOf(world.operator)).toHaveLength(1);
  const { acts } = world.payouts;
  for (const act of [
    acts.hold(provider, payout!.id, "x"),
    acts.release(provider, payout!.id),
    acts.approve(provider, payout!.id),
    acts.reissue(provider, payout!.id, newId()),
    acts.confirm(provider, { id: payout!.id, outcome: "SETTLED" }, newId()),
    world.payouts.runNow(provider, null, newId()),
    world.payouts.page(await world.a("STARTUP"), {}),
  ]) {
    expect(await refusal(act)).toBe("FORBIDDEN");
  }
  expect(await refusal(world.payouts.page(other, {}, { providerId: provider.organisationId }))).toBe("NOT_FOUND");
  expect(await refusal(acts.hold(world.operator, newId(), "x"))).toBe("NOT_FOUND");
  // A bank tells of its payments itself.
  const told = acts.confirm(world.operator, { id: payout!.id, outcome: "SETTLED" }, newId());
  expect(await refusal(told)).toBe("STATE_CONFLICT");
});

test("a run that an operator asks for happens once per key, and says again what it did", async () => {
  await world.statement(provider, "2026-01", 5n * USD);
  const key = newId();
  const [operator] = world.operators;
  expect(await world.payouts.runNow(operator, "month end", key)).toEqual({ submitted: 1, amountNanoUsd: 5n * USD });
  await world.statement(provider, "2025-12", 6n * USD);
  expect(await world.payouts.runNow(operator, "month end", key)).toEqual({ submitted: 1, amountNanoUsd: 5n * USD });
  expect(rail.taken.size).toBe(1);
  expect(await refusal(world.payouts.runNow(operator, "another", key))).toBe("IDEMPOTENCY_KEY_REUSED key");
});

test("every change is a durable event of the provider, in its transaction", async () => {
  await world.statement(provider, "2026-01", 5n * USD);
  await run();
  bankSays("RETURNED", "AC04");
  await run();
  const rows: { topic: string; change: string }[] = await world.db.source.query(
    "SELECT topic, payload->>'change' AS change FROM outbox_event WHERE organisation_id = $1 ORDER BY id",
    [provider.organisationId],
  );
  expect(rows.map(({ topic, change }) => `${topic} ${change}`)).toEqual([
    "payout.account.changed PROPOSED",
    "payout.account.changed CONFIRMED",
    "payout.changed SCHEDULED",
    "payout.changed SUBMITTED",
    "payout.changed RETURNED",
  ]);
});

test("an hour is no cooling period: what was confirmed an hour ago holds", async () => {
  await world.account(provider, "0000000044");
  world.clock.advanceMs(HOUR_MS - COOLING_MS);
  await world.statement(provider, "2026-01", 5n * USD);
  await run();
  expect(rail.taken.size).toBe(0);
});
