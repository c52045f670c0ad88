/** Which viewers that were let in before may stay: asked for open sockets every two seconds, in one statement. */
import type { MemberRole } from "../../schema/enums";
import type { Database } from "../platform/database";
import { scopesOf } from "./roles";
import { SESSION_IDLE_MS } from "./sessions";
import type { Viewer } from "./viewer";

const statement = {
  name: "accounts-still-valid",
  text: `
    SELECT asked.place::int - 1 AS place, m.role
      FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS asked (key_id, member_id, session_id, place)
      LEFT JOIN api_key k ON k.id = asked.key_id
      LEFT JOIN member m ON m.id = asked.member_id
      LEFT JOIN session s ON s.id = asked.session_id
     WHERE (asked.key_id IS NULL OR (k.id IS NOT NULL AND k.revoked_at IS NULL AND coalesce(k.expires_at > $4, true)))
       AND (asked.member_id IS NULL OR (m.id IS NOT NULL AND m.removed_at IS NULL))
       AND (asked.session_id IS NULL
            OR (s.id IS NOT NULL AND s.revoked_at IS NULL AND s.expires_at > $4 AND s.last_seen_at > $5))`,
};

/** Nobody stays of whom the scopes are more than their role has now. Errors: only the database's. */
export async function stillValid(db: Database, viewers: Iterable<Viewer>, now: Date): Promise<Set<Viewer>> {
  const alike = new Map<string, Viewer[]>();
  for (const viewer of viewers) {
    const origin = `${viewer.keyId}/${viewer.memberId}/${viewer.sessionId}`;
    const others = alike.get(origin);
    if (others === undefined) alike.set(origin, [viewer]);
    else others.push(viewer);
  }
  const asked = [...alike.values()];
  if (asked.length === 0) return new Set();
  const column = (name: "keyId" | "memberId" | "sessionId") => asked.map(([viewer]) => viewer![name]);
  const rows = await db.query<{ place: number; role: MemberRole | null }>(statement, [
    column("keyId"),
    column("memberId"),
    column("sessionId"),
    now,
    new Date(now.getTime() - SESSION_IDLE_MS),
  ]);
  return new Set(rows.flatMap(({ place, role }) => asked[place]!.filter((viewer) => mayStay(viewer, role, now))));
}

function mayStay({ expiresAt, scopes }: Viewer, role: MemberRole | null, now: Date): boolean {
  if (expiresAt !== null && expiresAt <= now) return false;
  return role === null || [...scopes].every((scope) => scopesOf(role).has(scope));
}
