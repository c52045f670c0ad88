import { type Column, tableOf } from "../../demo/table";

interface Row {
  name: string;
  amount: string;
}

const columns: Column<Row>[] = [
  { title: "name", align: "left", cell: ({ name }) => name },
  { title: "amount", align: "right", cell: ({ amount }) => amount },
];

test("columns are as wide as their widest cell, numbers end under each other", () => {
  const rows = [
    { name: "a", amount: "1.5" },
    { name: "longer", amount: "1,000.25" },
  ];
  expect(tableOf(columns, rows)).toEqual([
    "name      amount",
    "──────  ────────",
    "a            1.5",
    "longer  1,000.25",
  ]);
});

test("a table without rows has its titles and a rule", () => {
  expect(tableOf(columns, [])).toEqual(["name  amount", "────  ──────"]);
});
