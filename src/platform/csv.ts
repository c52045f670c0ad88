/** Writes a table as CSV by RFC 4180, so that spreadsheets read it and run nothing of it. */

export type Cell = string | bigint | number | boolean | Date | null;

/** A cell that begins with one of these, blanks before it or not, is a formula to a spreadsheet, also when a stranger chose the text. */
const FORMULA = /^\s*[=+\-@\t\r]/;
const NUMBER = /^-?\d+(\.\d+)?$/;

export function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

function field(cell: Cell): string {
  if (cell === null) return "";
  const text = cell instanceof Date ? cell.toISOString() : `${cell}`;
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
