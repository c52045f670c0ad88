/** A door's page as a Relay connection. */
import type { Connection } from "../../../schema/page";
import { COUNT_MAX, cursorOf, type Page } from "../../platform/page";

export function connection<Row extends { id: string }, Item>(
  page: Page<Row>,
  view: (row: Row) => Item,
): Connection<Item> {
  const edges = page.rows.map((row) => ({ cursor: cursorOf(row.id), node: view(row) }));
  return {
    edges,
    nodes: edges.map((edge) => edge.node),
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage: page.hasPreviousPage,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    async countAll() {
      const count = await page.count();
      return count > COUNT_MAX ? { count: COUNT_MAX, precision: "AT_LEAST" } : { count, precision: "EXACT" };
    },
  };
}
