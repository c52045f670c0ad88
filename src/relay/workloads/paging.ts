/** OpenAI's lists: how much of one is asked for, and how it is answered. */
import { DomainError } from "../../platform/errors";
import type { ListPage, ListRequest } from "../../workloads/workloads";
import { ownId, type PublicKind } from "./public-ids";

export const queryOf = (url: string | undefined): URLSearchParams =>
  new URLSearchParams((url ?? "").split("?")[1] ?? "");

/** Errors: BAD_USER_INPUT, NOT_FOUND. */
export function listRequest(query: URLSearchParams, kind: PublicKind, most = 100): ListRequest {
  const given = query.get("limit");
  const limit = given === null ? Math.min(20, most) : Number(given);
  if (!Number.isInteger(limit) || limit < 1 || limit > most)
    throw new DomainError("BAD_USER_INPUT", `\`limit\` must be a whole number from 1 to ${most}.`, { field: "limit" });
  const after = query.get("after");
  return { limit, after: after === null ? null : ownId(kind, after, "after") };
}

export function listBody<Row>(page: ListPage<Row>, shown: (row: Row) => { id: string }): string {
  const objects = page.rows.map(shown);
  return JSON.stringify({
    object: "list",
    data: objects,
    first_id: objects[0]?.id ?? null,
    last_id: objects.at(-1)?.id ?? null,
    has_more: page.hasMore,
  });
}
