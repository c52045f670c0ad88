/** What becomes of credit that nobody spent in time, on the real ledger: free, blocked, held, and the dollars behind it. */
import fc from "fast-check";
import { refusal } from "../accounts/a-world";
import { aFund, type Fund, usd } from "./a-fund";
import { acting, aLender, type Lender } from "./a-lender";

const DAY_MS = 86_400_000;
let fund: Fund;
let lender: Lender;

beforeAll(async () => {
  fund = await aFund();
  lender = await aLender(fund.world);
});
afterAll(() => fund.close());

const inDays = (days: number) => new Date(fund.world.clock.nowMs() + days * DAY_MS);
const passDays = (days: number) => fund.world.clock.advanceMs(days * DAY_MS);
const balance = (startupId: string) => fund.world.ledger.balance(startupId);
const breakage = async (): Promise<bigint> => {
  const [row] = await fund.world.db.source.query(
    "SELECT credits_posted FROM ledger_account WHERE name = 'revenue:breakage'",
  );
  return BigInt(row.credits_posted);
};
const backing = async (facilityId: string) =>
  (await fund.world.ledger.facilityBalances([facilityId])).get(facilityId)!.backingNanoUsd;

test("what is free at the expiry is gone from it on, and the dollars behind it are breakage once it is taken", async () => {
  const facility = await fund.facility({ multiplierPpm: 1_250_000n });
  const { lot } = await fund.draw(facility, usd(100), { expiresAt: inDays(10) });
  await fund.spend(lot.startupId, usd(25));
  const before = await breakage();
  passDays(10);
  expect(await balance(lot.startupId)).toMatchObject({ availableNanoCredit: 0n, expiredNanoCredit: usd(100) });
  expect(await refusal(fund.world.hold(lot.startupId, 1n))).toBe("INSUFFICIENT_CREDITS");
  expect(await breakage()).toBe(before);
  expect(await fund.funding.expireLots()).toEqual({ creditNanoCredit: usd(100), backingNanoUsd: usd(80) });
  expect(await balance(lot.startupId)).toMatchObject({
    issuedNanoCredit: usd(125),
    availableNanoCredit: 0n,
    spentNanoCredit: usd(25),
    expiredNanoCredit: usd(100),
  });
  expect([await breakage(), await backing(facility.id)]).toEqual([before + usd(80), 0n]);
});

test("taking it again takes nothing, also when several do it at once", async () => {
  const facility = await fund.facility();
  const { lot } = await fund.draw(facility, usd(10), { expiresAt: inDays(1) });
  const before = await breakage();
  passDays(1);
  const taken = await Promise.all(Array.from({ length: 4 }, () => fund.funding.expireLots()));
  expect(taken.map(({ creditNanoCredit }) => creditNanoCredit).sort()).toEqual([0n, 0n, 0n, lot.issuedNanoCredit]);
  expect(await fund.funding.expireLots()).toEqual({ creditNanoCredit: 0n, backingNanoUsd: 0n });
  expect(await breakage()).toBe(before + usd(10));
});

test("what a request holds is charged after the expiry, and what of it comes back unspent follows the rest", async () => {
  const facility = await fund.facility({ multiplierPpm: 1_250_000n });
  const { lot } = await fund.draw(facility, usd(10), { expiresAt: inDays(1) });
  const requests = [
    await fund.world.hold(lot.startupId, usd(5)),
    await fund.world.hold(lot.startupId, usd(3)),
  ] as const;
  passDays(1);
  expect((await fund.funding.expireLots()).creditNanoCredit).toBe(usd(4.5));
  expect(await balance(lot.startupId)).toMatchObject({ heldNanoCredit: usd(8), expiredNanoCredit: usd(4.5) });
  await fund.world.metering.settle(
    fund.world.delivery({ requestId: requests[0], startupId: lot.startupId, heldNanoCredit: usd(5) }),
  );
  await fund.world.metering.release(requests[1], lot.startupId);
  const { spentNanoCredit } = await balance(lot.startupId);
  expect(spentNanoCredit).toBeGreaterThan(0n);
  await fund.funding.expireLots();
  const parts = await balance(lot.startupId);
  expect(parts).toMatchObject({ availableNanoCredit: 0n, heldNanoCredit: 0n, spentNanoCredit });
  expect(parts.expiredNanoCredit).toBe(lot.issuedNanoCredit - spentNanoCredit);
  // Nothing but the roundings of one charge and one expiry stays behind.
  expect(await backing(facility.id)).toBeLessThanOrEqual(2n);
});

test("blocked credit expires too, and lifting the block afterwards restores nothing", async () => {
  const facility = await fund.facility({ multiplierPpm: 1_250_000n });
  const { lot } = await fund.draw(facility, usd(10), { expiresAt: inDays(1) });
  const part = await lender.block({ lotId: lot.id }, { amount: usd(4) });
  const whole = await lender.block({ lotId: lot.id });
  expect(await balance(lot.startupId)).toMatchObject({ blockedNanoCredit: usd(12.5), availableNanoCredit: 0n });
  passDays(1);
  expect(await fund.funding.expireLots()).toEqual({ creditNanoCredit: usd(12.5), backingNanoUsd: usd(10) });
  const gone = { availableNanoCredit: 0n, blockedNanoCredit: 0n, expiredNanoCredit: usd(12.5) };
  expect(await balance(lot.startupId)).toMatchObject(gone);
  for (const { id } of [part, whole]) await lender.lift(id);
  expect(await balance(lot.startupId)).toMatchObject(gone);
});

test("a fee's lot gives what stood behind it, not what was funded", async () => {
  const facility = await fund.facility({ originationFeePpm: 50_000n });
  const { lot } = await fund.draw(facility, usd(100), { expiresAt: inDays(1) });
  passDays(1);
  const { backingNanoUsd, creditNanoCredit } = await fund.funding.expireLots();
  expect(creditNanoCredit).toBe(lot.issuedNanoCredit);
  expect(backingNanoUsd).toBeLessThanOrEqual(usd(95));
  expect(await backing(facility.id)).toBe(usd(95) - backingNanoUsd);
  expect(await backing(facility.id)).toBeLessThanOrEqual(usd(95) / 1_000_000n);
});

test("however spending and expiry take turns, a lot never gives more dollars than stand behind it, and ends empty", async () => {
  const step = fc.record({ spend: fc.integer({ min: 1, max: 99 }), void: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1_250_000, max: 1_330_000 }),
      fc.integer({ min: 0, max: 50_000 }),
      fc.bigInt({ min: 1_000n, max: 1_000_000n }),
      fc.array(step, { minLength: 1, maxLength: 4 }),
      async (multiplier, fee, amount, steps) => {
        const facility = await fund.facility({ multiplierPpm: BigInt(multiplier), originationFeePpm: BigInt(fee) });
        const { drawdown, lot } = await fund.draw(facility, amount, { expiresAt: inDays(1) });
        const held: { requestId: string; amount: bigint; spent: boolean }[] = [];
        let left = lot.issuedNanoCredit;
        for (const { spend, void: isVoid } of steps) {
          const part = (left * BigInt(spend)) / 100n || 1n;
          if (part > left) break;
          left -= part;
          held.push({ requestId: await fund.world.hold(lot.startupId, part), amount: part, spent: !isVoid });
        }
        passDays(1);
        await fund.funding.expireLots();
        for (const { requestId, amount: heldNanoCredit, spent } of held) {
          const { startupId } = lot;
          if (spent) await fund.world.metering.settle(fund.world.delivery({ requestId, startupId, heldNanoCredit }));
          else await fund.world.metering.release(requestId, startupId);
          await fund.funding.expireLots();
        }
        const parts = await balance(lot.startupId);
        expect(parts).toMatchObject({ availableNanoCredit: 0n, heldNanoCredit: 0n });
        expect(parts.spentNanoCredit + parts.expiredNanoCredit).toBe(lot.issuedNanoCredit);
        const rest = await backing(facility.id);
        expect(rest >= 0n).toBe(true);
        const net = drawdown.fundedNanoUsd - drawdown.originationFeeNanoUsd;
        expect(rest <= net / 1_000_000n + BigInt(held.length) + 2n).toBe(true);
      },
    ),
    { numRuns: 12 },
  );
});

test("lots of a startup expire each at its own time, and the others stay", async () => {
  const facility = await fund.facility();
  const first = await fund.draw(facility, usd(10), { expiresAt: inDays(1) });
  const { startupId } = first.lot;
  await fund.draw(facility, usd(20), { startupId, expiresAt: inDays(2) });
  await fund.draw(facility, usd(40), { startupId });
  passDays(1);
  expect((await fund.funding.expireLots()).creditNanoCredit).toBe(usd(13.5));
  passDays(1);
  expect((await fund.funding.expireLots()).creditNanoCredit).toBe(usd(27));
  passDays(400);
  expect((await fund.funding.expireLots()).creditNanoCredit).toBe(0n);
  expect(await balance(startupId)).toMatchObject({ availableNanoCredit: usd(54), expiredNanoCredit: usd(40.5) });
});

test("the startup is told, and no request may expire anything", async () => {
  const facility = await fund.facility();
  const { lot } = await fund.draw(facility, usd(1), { expiresAt: inDays(1) });
  passDays(1);
  for (const viewer of [fund.partner, fund.operator]) {
    const attempt = acting(viewer, () => fund.world.db.source.query("SELECT * FROM funding_expire_lots(now(), 1)"));
    await expect(attempt).rejects.toMatchObject({ code: "42501" });
  }
  const told: string[] = [];
  const off = fund.world.bus.on("balance.changed", ({ startupId }) => void told.push(startupId));
  await fund.funding.expireLots();
  off();
  expect(told).toEqual([lot.startupId]);
});

test("after all that the books balance: every counter is what the transfers say, in both ledgers", async () => {
  const rows = await fund.world.db.source.query(`
    SELECT a.name FROM ledger_account a
      LEFT JOIN LATERAL (SELECT coalesce(sum(t.amount), 0) AS sum FROM transfer t WHERE t.debit_account_id = a.id AND t.kind IN ('POSTED', 'POST')) d ON true
      LEFT JOIN LATERAL (SELECT coalesce(sum(t.amount), 0) AS sum FROM transfer t WHERE t.credit_account_id = a.id AND t.kind IN ('POSTED', 'POST')) c ON true
     WHERE d.sum <> a.debits_posted OR c.sum <> a.credits_posted`);
  expect(rows).toEqual([]);
});
