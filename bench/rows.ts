/** Lets a list be answered from rows at hand, the same in every entrant: then the GraphQL server is measured, not the driver. */
import type { Services } from "../src/services";

export type RowsAt = "postgres" | "hand";

/** Returns the switch. The door's own answer is what is kept, so the bytes stay the same. */
export function rowsSwitch({ catalog }: Pick<Services, "catalog">): (rows: RowsAt) => void {
  const read = catalog.offerings.bind(catalog);
  let kept: ReturnType<typeof read> | undefined;
  let rowsAt: RowsAt = "postgres";
  catalog.offerings = (...asked) => {
    if (rowsAt === "postgres") return read(...asked);
    kept ??= read(...asked);
    return kept;
  };
  return (rows) => {
    rowsAt = rows;
  };
}
