/** Whoever is refused for the whole and for all that is narrower could have been served nowhere; and what is narrower is paid for. */
import fc from "fast-check";
import type { KeptCredit } from "../../src/ledger/kept-credit";
import { creditFor, narrowerPurposes } from "../../src/metering/narrower-purposes";
import { type Purpose, purposeOf } from "../../src/metering/purpose";

const lot = (accelerators: string[] | null, freeNanoCredit = 10n, leasedNanoCredit = 0n): KeptCredit => ({
  accelerators,
  freeNanoCredit,
  leasedNanoCredit,
});
const chat = (...accelerators: string[]) => purposeOf("INFERENCE", accelerators);
const setsOf = (whole: Purpose, kept: readonly KeptCredit[]) =>
  narrowerPurposes(whole, kept).map(({ accelerators }) => accelerators.join("+"));
const total = (purpose: Purpose, kept: readonly KeptCredit[]) => {
  const { freeNanoCredit, leasedNanoCredit } = creditFor(purpose, kept);
  return freeNanoCredit + leasedNanoCredit;
};

test("a lot pays only for what can end at none but what it is kept for", () => {
  const kept = [lot(null, 1n), lot(["H100"], 20n, 5n), lot(["A100", "H100"], 300n)];
  expect(creditFor(chat("H100"), kept)).toEqual({ freeNanoCredit: 321n, leasedNanoCredit: 5n });
  expect(creditFor(chat("A100", "H100"), kept)).toEqual({ freeNanoCredit: 301n, leasedNanoCredit: 0n });
  expect(creditFor(chat("H200"), kept)).toEqual({ freeNanoCredit: 1n, leasedNanoCredit: 0n });
});

test.each<[string, string[], KeptCredit[], string[]]>([
  ["nothing is kept for anything", ["A100", "H100"], [lot(null)], []],
  ["a lot is kept for one of them", ["A100", "H100"], [lot(["H100"])], ["H100"]],
  ["a lot is kept for what nobody offers", ["A100", "H100"], [lot(["B200"])], []],
  ["a lot is kept for all of them and more", ["A100", "H100"], [lot(["A100", "B200", "H100"])], []],
  ["two lots are kept for one each", ["A100", "H100"], [lot(["H100"]), lot(["A100"])], ["A100", "H100"]],
  ["lots overlap: the widest first", ["A", "B", "C"], [lot(["A", "B"]), lot(["B", "C"])], ["A+B", "B+C", "B"]],
  ["one lot lies in another", ["A", "B", "C"], [lot(["A", "B"]), lot(["A"])], ["A+B", "A"]],
])("where %s", (_where, accelerators, kept, sets) => {
  expect(setsOf(chat(...accelerators), kept)).toEqual(sets);
});

const names = ["A", "B", "C", "D", "E"];
const someNames = fc.subarray(names, { minLength: 1 });
const someLots = fc.array(
  fc.record({
    accelerators: fc.option(someNames, { nil: null }),
    freeNanoCredit: fc.bigInt({ min: 0n, max: 50n }),
    leasedNanoCredit: fc.bigInt({ min: 0n, max: 50n }),
  }),
  { maxLength: 6 },
);

test("what credit pays for at some set of the accelerators, it pays for at the whole or at one that is narrower", () => {
  fc.assert(
    fc.property(someNames, someLots, fc.bigInt({ min: 1n, max: 300n }), (accelerators, kept, price) => {
      const whole = chat(...accelerators);
      const isPaid = (one: Purpose) => total(one, kept) >= price;
      const sets = Array.from({ length: 2 ** accelerators.length - 1 }, (_, bits) =>
        chat(...accelerators.filter((_name, index) => (bits + 1) & (1 << index))),
      );
      expect([whole, ...narrowerPurposes(whole, kept)].some(isPaid)).toBe(sets.some(isPaid));
    }),
  );
});

test("what is narrower is within the whole, smaller, paid by more, and told once", () => {
  fc.assert(
    fc.property(someNames, someLots, (accelerators, kept) => {
      const whole = chat(...accelerators);
      const credited = kept.filter((one) => one.freeNanoCredit + one.leasedNanoCredit > 0n);
      const narrower = narrowerPurposes(whole, credited);
      expect(new Set(narrower.map(({ key }) => key)).size).toBe(narrower.length);
      for (const one of narrower) {
        expect(one.accelerators.every((name) => accelerators.includes(name))).toBe(true);
        expect(one.accelerators.length).toBeLessThan(accelerators.length);
        expect(total(one, credited)).toBeGreaterThan(total(whole, credited));
      }
    }),
  );
});
