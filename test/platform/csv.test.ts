/** Files that spreadsheets open: every cell comes back as it went in, and none of them runs. */
import fc from "fast-check";
import { csv } from "../../src/platform/csv";

/** By RFC 4180, as a spreadsheet reads it. */
function parse(text: string): string[][] {
  const rows: string[][] = [[]];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quoted && char === '"' && text[at + 1] === '"') cell += text[++at]!;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && (char === "," || char === "\r")) {
      rows.at(-1)!.push(cell);
      cell = "";
      if (char === "\r") {
        at++;
        rows.push([]);
      }
    } else cell += char;
  }
  return rows.slice(0, -1);
}

test("commas, quotes and line breaks stay within their cell", () => {
  expect(csv(["name", "note"], [['Firefly, "the" startup', "two\r\nlines"]])).toBe(
    'name,note\r\n"Firefly, ""the"" startup","two\r\nlines"\r\n',
  );
});

test("a name that is a formula is text, and a negative number stays a number", () => {
  const rows = [["=HYPERLINK(1)", "@SUM", "+1+1", "-2", "-2.5", "-x", "\tcmd", "  =1"]];
  expect(parse(csv(["a"], rows))[1]).toEqual([
    "'=HYPERLINK(1)",
    "'@SUM",
    "'+1+1",
    "-2",
    "-2.5",
    "'-x",
    "'\tcmd",
    "'  =1",
  ]);
});

test("instants, exact numbers and what is missing", () => {
  expect(csv(["at", "n", "none"], [[new Date("2026-01-15T12:00:00Z"), 9_007_199_254_740_993n, null]])).toBe(
    "at,n,none\r\n2026-01-15T12:00:00.000Z,9007199254740993,\r\n",
  );
});

test("any table comes back as it went in, but for the mark before a formula", () => {
  const cell = fc.oneof(fc.string(), fc.constantFrom("=1", '"', ",", "\r\n", "a\nb", "-", "'"));
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 5 }), (rows) => {
      const back = parse(csv(["x", "y"], rows));
      const unmarked = back
        .slice(1)
        .map((row, y) => row.map((text, x) => (text === `'${rows[y]![x]}` ? text.slice(1) : text)));
      expect(unmarked).toEqual(rows);
      for (const text of back.flat()) expect(text).not.toMatch(/^\s*[=+@]/);
    }),
  );
});
