/** The scalars: what they accept, and that nothing is lost between the wire and the rules. */
import fc from "fast-check";
import { BigIntText, DateTime, Decimal, Duration } from "../../schema/scalars";
import { gpuSeconds, ratio, readNano, readPpm, usd } from "../../src/api/views/money";

test("a Decimal is a plain number in a string", () => {
  for (const text of ["0", "-1", "12.50", "0.000000001"]) expect(Decimal.parseValue(text)).toBe(text);
  for (const value of ["", "1e3", ".5", "1.", "+1", " 1", "NaN", "1,5", "1".repeat(41), 1.5, 1n, null]) {
    expect(() => Decimal.parseValue(value)).toThrow(/Decimal/);
  }
});

test("a BigInt is a whole number in a string, of any size", () => {
  expect(BigIntText.parseValue("90071992547409931")).toBe(90071992547409931n);
  expect(BigIntText.serialize(90071992547409931n)).toBe("90071992547409931");
  for (const value of ["1.0", "", "0x1", 1]) expect(() => BigIntText.parseValue(value)).toThrow(/BigInt/);
});

test("a DateTime goes out in UTC with milliseconds and comes in with any offset", () => {
  expect(DateTime.serialize(new Date(0))).toBe("1970-01-01T00:00:00.000Z");
  expect(DateTime.parseValue("2026-01-31T12:00:00+02:00")).toEqual(new Date("2026-01-31T10:00:00Z"));
  for (const value of ["2026-01-31", "2026-13-01T00:00:00Z", "yesterday", "2026-01-31T12:00:00", 0]) {
    expect(() => DateTime.parseValue(value)).toThrow(/DateTime/);
  }
});

test("money and ratios come back as the integers that they went out as", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (nano) => {
      expect(readNano(usd(nano).amount, "amount")).toBe(nano);
      expect(readNano(gpuSeconds(nano), "seconds")).toBe(nano);
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), (ppm) => expect(readPpm(ratio(ppm), "share")).toBe(ppm)),
  );
});

test("an amount that is too fine or too large names its field", () => {
  expect(() => readNano("0.0000000001", "amount")).toThrow(
    expect.objectContaining({ code: "BAD_USER_INPUT", field: ["amount"] }),
  );
  expect(() => readNano("9".repeat(30), ["observations", "0", "price"])).toThrow(
    expect.objectContaining({ field: ["observations", "0", "price"] }),
  );
  expect(() => readPpm("0.1234567", "share")).toThrow(/six decimals/);
});

test("a duration is a length of days to milliseconds, never of months or years, and comes back as it went", () => {
  expect(Duration.parseValue("PT24H")).toBe(86_400_000);
  expect(Duration.parseValue("P7D")).toBe(604_800_000);
  expect(Duration.parseValue("P1DT2H3M4.05S")).toBe(93_784_050);
  expect(Duration.parseValue("PT0S")).toBe(0);
  for (const durationMs of [0, 1, 999, 1_500, 604_800_000]) {
    expect(Duration.parseValue(Duration.serialize(durationMs))).toBe(durationMs);
  }
  for (const text of ["", "P", "PT", "P1DT", "P1M", "P1Y", "P1W", "-PT1S", "PT1.5H", "24h", "PT1S "]) {
    expect(() => Duration.parseValue(text)).toThrow("Duration");
  }
  expect(() => Duration.parseValue(3)).toThrow("string");
  expect(() => Duration.serialize(-1)).toThrow("Duration");
});
