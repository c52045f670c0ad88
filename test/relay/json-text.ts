/** JSON texts as no serialiser of ours would write them: odd whitespace, needless escapes, duplicate keys. */
import fc from "fast-check";

const whitespace = fc.constantFrom("", "", "", " ", "\n", "\t", " \r\n ");
const piece = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }).map((text) => JSON.stringify(text).slice(1, -1)),
  fc.constantFrom(
    '\\"',
    "\\\\",
    "\\/",
    "\\n",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\u0022",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
  ),
);

/** Long ones too: beyond some length the scanner searches strings natively. */
export const stringText = fc
  .oneof(
    { arbitrary: fc.array(piece, { maxLength: 6 }), weight: 6 },
    { arbitrary: fc.array(piece, { maxLength: 200 }), weight: 1 },
  )
  .map((pieces) => `"${pieces.join("")}"`);

const scalarText = fc.oneof(
  fc.constantFrom("true", "false", "null", "0", "-0", "1e3", "-1.5E-2", "12345678901234567890"),
  fc.integer().map(String),
  stringText,
);

const joined = (open: string, parts: string[], spaces: string[], close: string) =>
  open +
  parts.map((part, i) => `${spaces[i % spaces.length]}${part}${spaces[(i + 1) % spaces.length]}`).join(",") +
  close;
const spaces = fc.array(whitespace, { minLength: 1, maxLength: 5 });

export const valueText: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalarText,
    fc.tuple(fc.array(tie("value"), { maxLength: 4 }), spaces).map(([items, gaps]) => joined("[", items, gaps, "]")),
    fc
      .tuple(fc.array(fc.tuple(stringText, whitespace, tie("value")), { maxLength: 4 }), spaces)
      .map(([members, gaps]) =>
        joined(
          "{",
          members.map(([key, gap, value]) => `${key}${gap}:${gap}${value}`),
          gaps,
          "}",
        ),
      ),
  ),
})).value;

/** Writes an object of the given members, in order, with whitespace around everything. */
export function objectText(members: readonly (readonly [string, string])[]): fc.Arbitrary<string> {
  return fc.tuple(spaces, whitespace, whitespace).map(([gaps, before, after]) => {
    const gap = gaps[0]!;
    return (
      before +
      joined(
        "{",
        members.map(([key, value]) => `${key}${gap}:${gap}${value}`),
        gaps,
        "}",
      ) +
      after
    );
  });
}

/** The same key in another spelling: some of its letters as \uXXXX. */
export function spelt(key: string): fc.Arbitrary<string> {
  return fc.array(fc.boolean(), { minLength: key.length, maxLength: key.length }).map((escaped) => {
    const letters = [...key].map((letter, i) =>
      escaped[i] ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}` : letter,
    );
    return `"${letters.join("")}"`;
  });
}
