/** A tranche lasts a minute, covers several requests, and is capped; a wallet too small for that is not leased at all. */
import fc from "fast-check";
import { BurnMeter, isLow, trancheOf } from "../../src/metering/lease-size";
import { NANO } from "../../src/money/nano";

const CAP = 1_000n * NANO;

const wanted = (burn: bigint, free = 0n, hold = 1n) =>
  trancheOf({ burnNanoCreditPerSecond: burn, freeNanoCredit: free, holdNanoCredit: hold });

test("a minute of the burn is asked for, less what is there", () => {
  expect(wanted(1_000n)).toEqual({ amountNanoCredit: 60_000n, minimumNanoCredit: 8n });
  expect(wanted(1_000n, 20_000n)).toEqual({ amountNanoCredit: 40_000n, minimumNanoCredit: 8n });
});

test("a burn that is not known yet is sixteen requests like the one that asks; fewer than eight are not worth a lease", () => {
  expect(wanted(0n, 0n, 100n)).toEqual({ amountNanoCredit: 1_600n, minimumNanoCredit: 800n });
});

test("more than the cap is never wanted, and a request of which the cap covers no eight is not leased for", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 15n }),
      fc.bigInt({ min: 0n, max: CAP }),
      fc.bigInt({ min: 1n, max: CAP }),
      (burn, free, hold) => {
        const tranche = wanted(burn, free, hold);
        if (tranche === null) return 8n * hold > CAP;
        return tranche.amountNanoCredit <= CAP && tranche.amountNanoCredit >= tranche.minimumNanoCredit;
      },
    ),
  );
});

test("it is topped up below thirty per cent, not at thirty", () => {
  expect(isLow(30n, 100n)).toBe(false);
  expect(isLow(29n, 100n)).toBe(true);
  expect(isLow(0n, 0n)).toBe(false);
});

describe("the burn", () => {
  it("is that of the busiest seconds, a single outlier in a hundred left out", () => {
    const meter = new BurnMeter(0);
    for (let second = 0; second < 100; second++) meter.add(10n, second * 1_000);
    meter.add(990n, 50_000 + 99_000);
    for (let second = 101; second < 150; second++) meter.add(10n, second * 1_000);
    expect(meter.p99NanoCreditPerSecond(149_000)).toBe(10n);
    meter.add(500n, 149_000);
    meter.add(500n, 150_000);
    expect(meter.p99NanoCreditPerSecond(150_000)).toBe(500n);
  });

  it("is known from the first second on, and forgotten after a hundred quiet ones", () => {
    const meter = new BurnMeter(7_300);
    meter.add(40n, 7_300);
    meter.add(2n, 7_999);
    expect(meter.p99NanoCreditPerSecond(7_999)).toBe(42n);
    meter.add(1n, 8_000);
    expect(meter.p99NanoCreditPerSecond(8_000)).toBe(42n);
    expect(meter.p99NanoCreditPerSecond(7_300 + 200_000)).toBe(0n);
  });

  it("equals that of a plain list of seconds, whenever it is asked", () => {
    const use = fc.tuple(fc.nat(30_000), fc.bigInt({ min: 1n, max: 1_000n }));
    fc.assert(
      fc.property(fc.array(use, { minLength: 1, maxLength: 200 }), (uses) => {
        const meter = new BurnMeter(0);
        const seconds = new Map<number, bigint>();
        let nowMs = 0;
        for (const [laterMs, amount] of uses) {
          nowMs += laterMs;
          meter.add(amount, nowMs);
          const second = Math.floor(nowMs / 1_000);
          seconds.set(second, (seconds.get(second) ?? 0n) + amount);
        }
        const last = Math.floor(nowMs / 1_000);
        const observed = Math.min(100, last + 1);
        const list = Array.from({ length: observed }, (_, back) => seconds.get(last - back) ?? 0n);
        list.sort((a, b) => Number(a - b));
        return meter.p99NanoCreditPerSecond(nowMs) === list[Math.ceil(0.99 * observed) - 1];
      }),
    );
  });
});
