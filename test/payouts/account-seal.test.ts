/** Sealed values: unreadable without the key, useless in another place, and changed by nobody unnoticed. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { AccountSeal } from "../../src/payouts/account-seal";

const seal = new AccountSeal(randomBytes(32));
const place = { rowId: "019a0000-0000-7000-8000-000000000001", column: "iban" } as const;
const IBAN = "DE89370400440532013000";

test("what is sealed opens again, whatever it is, and looks different each time", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => expect(seal.open(seal.seal(text, place), place)).toBe(text)),
  );
  const [one, two] = [seal.seal(IBAN, place), seal.seal(IBAN, place)];
  expect(one.equals(two)).toBe(false);
  expect(one.includes("DE89")).toBe(false);
});

test("it opens neither in another row, nor in another column, nor with another key", () => {
  const sealed = seal.seal(IBAN, place);
  expect(() => seal.open(sealed, { ...place, rowId: place.rowId.replace(/1$/, "2") })).toThrow();
  expect(() => seal.open(sealed, { ...place, column: "holder" })).toThrow();
  expect(() => new AccountSeal(randomBytes(32)).open(sealed, place)).toThrow();
});

test("one bit changed anywhere, or an end cut off, and it does not open", () => {
  const sealed = seal.seal(IBAN, place);
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => seal.open(changed, place)).toThrow();
  }
  for (let length = 0; length < sealed.length; length++)
    expect(() => seal.open(sealed.subarray(0, length), place)).toThrow();
});

test("a key of the wrong length is refused at the start", () => {
  expect(() => new AccountSeal(randomBytes(16))).toThrow("32 bytes");
});
