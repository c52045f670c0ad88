/** Who a digest of a key belongs to, and when the key was last used. */
import type { ApiKeyScope, OrganisationKind } from "../../schema/enums";
import type { Database } from "../platform/database";
import type { FoundKey } from "./key-cache";
import type { Viewer } from "./viewer";

const MINUTE_MS = 60_000;

interface KeyRow {
  id: string;
  organisation_id: string;
  kind: OrganisationKind;
  scopes: ApiKeyScope[];
  persisted_only: boolean;
  expires_at: Date | null;
  last_used_at: Date | null;
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  concurrent_requests: number | null;
}

/** Null: unknown or revoked. Errors: only the database's. */
export async function findKey(db: Database, digest: Buffer, now: Date): Promise<FoundKey | null> {
  const [row] = await db.query<KeyRow>(
    {
      name: "accounts-find-key",
      text: `SELECT k.id, k.organisation_id, o.kind, k.scopes, k.persisted_only, k.expires_at, k.last_used_at,
                    k.requests_per_minute, k.tokens_per_minute, k.concurrent_requests
               FROM api_key k JOIN organisation o ON o.id = k.organisation_id
              WHERE k.digest = $1 AND k.revoked_at IS NULL`,
    },
    [digest],
  );
  if (row === undefined) return null;
  if (row.last_used_at === null || now.getTime() - row.last_used_at.getTime() >= MINUTE_MS) used(db, row.id, now);
  const viewer: Viewer = {
    organisationId: row.organisation_id,
    kind: row.kind,
    scopes: new Set(row.scopes),
    keyId: row.id,
    memberId: null,
    sessionId: null,
    expiresAt: row.expires_at,
    persistedOnly: row.persisted_only,
    limits: {
      requestsPerMinute: row.requests_per_minute,
      tokensPerMinute: row.tokens_per_minute,
      concurrentRequests: row.concurrent_requests,
    },
  };
  return { viewer, expiresAt: row.expires_at };
}

/** In the background: no request waits for it, and a lost one is made good a minute later. */
function used(db: Database, id: string, now: Date): void {
  const statement = {
    name: "accounts-key-used",
    text: "UPDATE api_key SET last_used_at = $2 WHERE id = $1 AND coalesce(last_used_at < $2, true)",
  };
  db.query(statement, [id, now]).catch(() => undefined);
}
