/** Lays figures out in columns that a terminal of a hundred columns can show. */

export interface Column<Row> {
  readonly title: string;
  readonly align: "left" | "right";
  readonly cell: (row: Row) => string;
}

const GAP = "  ";

/** Lines without their ends; a rule under the titles. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const pad = (text: string, index: number) => {
    const width = widths[index] ?? 0;
    return columns[index]?.align === "right" ? text.padStart(width) : text.padEnd(width);
  };
  const lineOf = (line: readonly string[]) => line.map(pad).join(GAP).trimEnd();
  return [
    lineOf(columns.map(({ title }) => title)),
    widths.map((width) => "─".repeat(width)).join(GAP),
    ...cells.map(lineOf),
  ];
}
