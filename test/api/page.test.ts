/** A door's page as a connection: what is counted, and where counting ends. */
import { connection } from "../../src/api/views/page";
import { COUNT_MAX } from "../../src/platform/page";

const pageOf = (count: number) => ({
  rows: [],
  hasNextPage: false,
  hasPreviousPage: false,
  count: async () => count,
});

it.each([
  [0, { count: 0, precision: "EXACT" }],
  [COUNT_MAX, { count: 10_000, precision: "EXACT" }],
  [COUNT_MAX + 1, { count: 10_000, precision: "AT_LEAST" }],
])("a list of which %d were counted says whether there are more", async (counted, said) => {
  expect(await connection(pageOf(counted), (row) => row).countAll()).toEqual(said);
});

it("nothing is counted that nobody asks for", () => {
  const count = jest.fn();
  connection({ ...pageOf(0), count }, (row) => row);
  expect(count).not.toHaveBeenCalled();
});
