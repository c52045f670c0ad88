import fc from "fast-check";
import { nanoOf, releasedNanoUsd, shown, sum } from "../../demo/exact";

test.each([
  ["0", 0n],
  ["1.25", 1_250_000_000n],
  ["-0.000000001", -1n],
  ["6749.998248735", 6_749_998_248_735n],
])("%s is read as %s nano-units", (text, nano) => {
  expect(nanoOf(text)).toBe(nano);
});

test.each(["", "1.", ".5", "1e3", "1,000", "0.0000000001", " 1"])("%p is no amount", (text) => {
  expect(() => nanoOf(text)).toThrow(RangeError);
});

test("what is shown is never rounded: decimals are cut only where they are zeros", () => {
  expect(shown(6_750_000_000_000n, 2)).toBe("6,750.00");
  expect(shown(6_749_998_248_735n, 2)).toBe("6,749.998248735");
  expect(shown(0n, 0)).toBe("0");
  expect(shown(-1n)).toBe("-0.000000001");
});

test("any amount reads back from how it is shown", () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 18n), 10n ** 18n), (nano) => nanoOf(shown(nano).replaceAll(",", "")) === nano),
  );
});

test("a charge releases what it cost in dollars, cut off, so that all charges of a lot never release more than was funded", () => {
  const multiplier = nanoOf("1.35");
  const charge = fc.bigInt(0n, 10n ** 12n);
  fc.assert(
    fc.property(fc.array(charge, { maxLength: 20 }), (charges) => {
      const released = sum(charges.map((one) => releasedNanoUsd(one, multiplier)));
      return (
        released * 135n <= sum(charges) * 100n &&
        released + BigInt(charges.length) >= releasedNanoUsd(sum(charges), multiplier)
      );
    }),
  );
});
