/** What a slip of the pen in an account's number or bank is caught by. */
import fc from "fast-check";
import { checkBic, checkIban } from "../../src/payouts/iban";

const known = [
  "DE89 3704 0044 0532 0130 00",
  "GB29 NWBK 6016 1331 9268 19",
  "FR14 2004 1010 0505 0001 3M02 606",
  "NO93 8601 1117 947",
  "CH93 0076 2011 6238 5295 7",
  "NL91 ABNA 0417 1643 00",
  "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
  "SA03 8000 0000 6080 1016 7519",
  "FO62 6460 0001 6316 34",
];

test.each(known)("%s is an IBAN, written in any way", (text) => {
  const iban = text.replaceAll(" ", "");
  for (const written of [text, iban, iban.toLowerCase(), text.replaceAll(" ", "-"), text.replaceAll(" ", "\u00a0")]) {
    expect(checkIban(written)).toBe(iban);
  }
});

test("any one digit mistyped, and any two neighbouring digits swapped, are noticed", () => {
  const ibans = fc.constantFrom(...known.map((text) => text.replaceAll(" ", "")));
  fc.assert(
    fc.property(ibans, fc.nat(33), fc.constantFrom(..."0123456789"), (iban, place, other) => {
      const at = place % iban.length;
      fc.pre(/\d/.test(iban[at]!) && iban[at] !== other);
      expect(() => checkIban(iban.slice(0, at) + other + iban.slice(at + 1))).toThrow("iban:");
    }),
    { numRuns: 2_000 },
  );
  fc.assert(
    fc.property(ibans, fc.nat(33), (iban, place) => {
      const at = 4 + (place % (iban.length - 5));
      fc.pre(/^\d\d$/.test(iban.slice(at, at + 2)) && iban[at] !== iban[at + 1]);
      expect(() => checkIban(iban.slice(0, at) + iban[at + 1] + iban[at] + iban.slice(at + 2))).toThrow("iban:");
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["", "is no IBAN"],
  ["hello", "is no IBAN"],
  ["US64SVBKUS6S3300958879", "US has no IBANs"],
  ["DE8937040044053201300", "has 22 characters, this has 21"],
  ["DE893704004405320130000", "has 22 characters, this has 23"],
  ["DE88370400440532013000", "check digits"],
  ["DE00370400440532013000", "check digits"],
  ["DE8937040044053201300Ö", "is no IBAN"],
  ["'; DROP TABLE payout_account; --", "is no IBAN"],
])("%j is refused: %s", (text, why) => {
  expect(() => checkIban(text)).toThrow(why);
});

test("a refusal does not repeat the number, which would go to logs", () => {
  expect(() => checkIban("DE88370400440532013000")).toThrow(/^(?!.*37040044)/);
});

test("a bank has 8 or 11 characters", () => {
  expect([checkBic("cobadeff"), checkBic(" COBADEFFXXX ")]).toEqual(["COBADEFF", "COBADEFFXXX"]);
  for (const wrong of ["", "COBADEF", "COBADEFFX", "COBADEFFXXXX", "COBA1EFF", "COBADE F"]) {
    expect(() => checkBic(wrong)).toThrow("bic:");
  }
});
