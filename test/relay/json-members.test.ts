/** Goal: the scanner finds what JSON.parse finds, and never refuses what JSON.parse accepts. */
import fc from "fast-check";
import { MalformedBody, NESTING_MAX, scanDocument, scanItems } from "../../src/relay/json-members";
import { objectText, stringText, valueText } from "./json-text";

const document = fc
  .array(fc.tuple(fc.oneof(stringText, fc.constantFrom('"a"', '"\\u0061"', '"__proto__"')), valueText), {
    maxLength: 8,
  })
  .chain(objectText)
  .map((text) => Buffer.from(text));

/** What the scanner found, read the way JSON.parse would have: the last of duplicates wins. */
function read(body: Buffer): Map<string, unknown> {
  const { members } = scanDocument(body);
  return new Map(members.map(({ key, start, end }) => [key, JSON.parse(body.toString("utf8", start, end))]));
}

function parse(body: Buffer): Map<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : null;
  } catch {
    return null;
  }
}

/** Maps compare without order here: JSON.parse moves keys that look like numbers to the front. */
const sorted = (map: Map<string, unknown>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

test("members and values are those of JSON.parse", () => {
  fc.assert(
    fc.property(document, (body) => {
      expect(sorted(read(body))).toEqual(sorted(parse(body)!));
    }),
    { numRuns: 500 },
  );
});

test("every beginning of a document is found to be cut off", () => {
  fc.assert(
    fc.property(document, fc.nat(), (body, cut) => {
      const whole = body.toString().trimEnd();
      const bytes = Buffer.from(whole);
      expect(() => scanDocument(bytes.subarray(0, cut % bytes.length))).toThrow(MalformedBody);
    }),
    { numRuns: 500 },
  );
});

test("with any byte changed, what JSON.parse still accepts is still read alike, and nothing but MalformedBody is thrown", () => {
  const bytes = fc.oneof(fc.constantFrom(...Buffer.from('"\\{}[],: 0-eE.tu')), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(document, fc.nat(), bytes, (body, position, byte) => {
      const changed = Buffer.from(body);
      changed[position % body.length] = byte;
      const expected = parse(changed);
      if (expected !== null) {
        expect(sorted(read(changed))).toEqual(sorted(expected));
        return;
      }
      try {
        scanDocument(changed);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedBody);
      }
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ["nothing", "", 0],
  ["whitespace", " \n", 2],
  ["an array", "[]", 0],
  ["a string", '"a"', 0],
  ["a number", "1", 0],
  ["a byte order mark", "\ufeff{}", 0],
  ["an open brace", "{", 1],
  ["a key without quotes", "{a:1}", 1],
  ["a key in single quotes", "{'a':1}", 1],
  ["a key alone", '{"a"}', 4],
  ["no value", '{"a":}', 5],
  ["no colon", '{"a" 1}', 5],
  ["a trailing comma", '{"a":1,}', 7],
  ["a leading comma", '{,"a":1}', 1],
  ["a missing comma", '{"a":1 "b":2}', 7],
  ["two commas", '{"a":1,,"b":2}', 7],
  ["a comment", '{/* no */"a":1}', 1],
  ["a second object", '{"a":1}{"b":2}', 7],
  ["a letter behind", '{"a":1} x', 8],
  ["a second closing brace", '{"a":1}}', 7],
  ["a half literal", '{"a":tru}', 5],
  ["NaN", '{"a":NaN}', 5],
  ["a leading zero", '{"a":01}', 5],
  ["a leading plus", '{"a":+1}', 5],
  ["a point without digits", '{"a":1.}', 5],
  ["an exponent without digits", '{"a":1e}', 5],
  ["an open string", '{"a":"b', 7],
  ["an escaped last quote", '{"a":"b\\"', 9],
  ["a lone backslash at the end", '{"a":"\\', 7],
  ["an open array", '{"a":[1', 7],
  ["brackets that cross", '{"a":[{]}}', 7],
  ["a bracket closed by a brace", '{"a":[1}}', 7],
  ["a bad escape in a key", '{"\\x":1}', 1],
  ["a control character in a key", '{"a\nb":1}', 1],
])("%s is malformed, and the position is named", (_what, text, position) => {
  expect(() => scanDocument(Buffer.from(text))).toThrow(MalformedBody);
  expect(() => scanDocument(Buffer.from(text))).toThrow(`at byte ${position}.`);
});

test("nesting is followed to its limit and no further", () => {
  const nested = (depth: number) => Buffer.from(`{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`);
  expect(scanDocument(nested(NESTING_MAX)).members).toHaveLength(1);
  expect(() => scanDocument(nested(NESTING_MAX + 1))).toThrow(MalformedBody);
});

test("a megabyte of backslashes or quotes is read in one pass", () => {
  const texts = ["\\\\".repeat(500_000), '\\"'.repeat(500_000), `${"x".repeat(1_000_000)}\\\\`];
  for (const text of texts) {
    const body = Buffer.from(`{"a":"${text}","b":1}`);
    expect(scanDocument(body).members.map(({ key }) => key)).toEqual(["a", "b"]);
  }
});

const gap = fc.constantFrom("", " ", "\n\t");
const arrayText = fc.array(fc.tuple(gap, valueText, gap), { maxLength: 8 }).map((items) => ({
  text: `[${items.map((item) => item.join("")).join()}]`,
  values: items.map(([, value]) => value),
}));

test("the items of an array are counted, and the longest found", () => {
  fc.assert(
    fc.property(arrayText, gap, ({ text, values }, inner) => {
      const body = Buffer.from(values.length === 0 ? `[${inner}]` : text);
      const { count, longest, numbers } = scanItems(body, 0);
      expect(count).toBe(values.length);
      expect(numbers).toBe(values.every((value) => typeof JSON.parse(value) === "number"));
      const sizes = values.map((value) => Buffer.byteLength(value.trim()));
      if (count > 0) expect(longest.end - longest.start).toBe(Math.max(...sizes));
    }),
    { numRuns: 300 },
  );
});

test.each([["[1 2]"], ["[1,]"], ["[,1]"], ["[1,,2]"], ["[1"], ["[a]"]])("%s is malformed", (text) => {
  expect(() => scanItems(Buffer.from(text), 0)).toThrow(MalformedBody);
});
