/** Keyset pages over a unique, time-ordered id (UUIDv7), newest first; opaque cursors that belong to one list. */
import type { ObjectLiteral, SelectQueryBuilder } from "typeorm";
import type { Database } from "./database";
import { DomainError } from "./errors";
import { isId } from "./ids";
import { countQuery, readQuery } from "./rows";

export const PAGE_SIZE_MAX = 100;
export const PAGE_SIZE_DEFAULT = 50;
/** Counting reads every row: up to here it takes some milliseconds, whatever the list. */
export const COUNT_MAX = 10_000;

export interface PageRequest {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** How many rows the whole list has, COUNT_MAX + 1 for more than that; asks the database when it is called. */
  readonly count: () => Promise<number>;
}

const PREFIX = "id:";

export const cursorOf = (id: string): string => Buffer.from(PREFIX + id).toString("base64url");

function idOf(cursor: string, argument: string): string {
  const text = Buffer.from(cursor, "base64url").toString();
  const id = text.slice(PREFIX.length);
  if (!text.startsWith(PREFIX) || !isId(id)) {
    throw new DomainError(
      "BAD_USER_INPUT",
      `${argument} is not a cursor of this list: pass on a cursor exactly as it was received.`,
      { field: argument },
    );
  }
  return id;
}

/** Errors: BAD_USER_INPUT when neither or both of first and last are given, or the size is not 1–100. */
export function checkPage(page: PageRequest): {
  size: number;
  backwards: boolean;
  after: string | null;
  before: string | null;
} {
  if (page.first != null && page.last != null) {
    throw new DomainError("BAD_USER_INPUT", "Give first or last, not both.", { field: "last" });
  }
  const size = page.first ?? page.last ?? PAGE_SIZE_DEFAULT;
  if (!Number.isInteger(size) || size < 1 || size > PAGE_SIZE_MAX) {
    throw new DomainError("BAD_USER_INPUT", `A page has 1 to ${PAGE_SIZE_MAX} items; ${size} was asked for.`, {
      field: page.last == null ? "first" : "last",
    });
  }
  return {
    size,
    backwards: page.last != null,
    after: page.after == null ? null : idOf(page.after, "after"),
    before: page.before == null ? null : idOf(page.before, "before"),
  };
}

/** Runs `query` (without order or limit of its own) for one page over `alias.id`, newest first. */
export async function fetchPage<Row extends ObjectLiteral & { id: string }>(
  db: Database,
  query: SelectQueryBuilder<Row>,
  request: PageRequest,
): Promise<Page<Row>> {
  const asked = checkPage(request);
  const { size, backwards, after, before } = asked;
  const whole = query.clone();
  const id = `${query.alias}.id`;
  if (after !== null) query.andWhere(`${id} < :pageAfter`, { pageAfter: after });
  if (before !== null) query.andWhere(`${id} > :pageBefore`, { pageBefore: before });
  const found = await readQuery(db, query.orderBy(id, backwards ? "ASC" : "DESC").limit(size + 1));
  return pageFrom(found, asked, () => countQuery(db, whole, COUNT_MAX + 1));
}

/** Of rows read in the order of asking, one more than the page has: that one tells whether there is another page, without a count. */
export function pageFrom<Row>(
  found: readonly Row[],
  { size, backwards, after, before }: ReturnType<typeof checkPage>,
  count: Page<Row>["count"],
): Page<Row> {
  const more = found.length > size;
  const rows = found.slice(0, size);
  if (backwards) rows.reverse();
  return {
    rows,
    hasNextPage: backwards ? before !== null : more,
    hasPreviousPage: backwards ? more : after !== null,
    count,
  };
}
