/** Rows of API keys as they are made, changed and written down, each in the transaction of the act. */
import type { EntityManager } from "typeorm";
import { ApiKey } from "../../entities/api-key";
import type { Organisation } from "../../entities/organisation";
import { type Change, changed, made, recordAct } from "../audit/audit";
import { notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { existingId } from "../platform/input";
import { digestOf, makeSecret, prefixOf } from "./api-keys";
import type { KeyLimits } from "./key-limits";
import { owns, type Viewer } from "./viewer";

export type NewKeyFields = Pick<ApiKey, "organisationId" | "name" | "scopes" | "persistedOnly" | "expiresAt"> & {
  readonly limits: KeyLimits;
  readonly projectId?: string | null;
  /** The key that it replaces. */
  readonly rotatedFrom?: ApiKey;
};

export function newKey(fields: NewKeyFields, pepper: Buffer, at: Date): { apiKey: ApiKey; secret: string } {
  const secret = makeSecret();
  const apiKey: ApiKey = {
    id: newId(),
    organisationId: fields.organisationId,
    name: fields.name,
    prefix: prefixOf(secret),
    digest: digestOf(secret, pepper),
    scopes: [...new Set(fields.scopes)],
    persistedOnly: fields.persistedOnly,
    ...fields.limits,
    rotatedFromId: fields.rotatedFrom?.id ?? null,
    originId: fields.rotatedFrom ? (fields.rotatedFrom.originId ?? fields.rotatedFrom.id) : null,
    projectId: fields.projectId ?? null,
    createdAt: at,
    expiresAt: fields.expiresAt,
    revokedAt: null,
    lastUsedAt: null,
    version: 1,
  };
  return { apiKey, secret };
}

export async function insertKey(tx: EntityManager, actor: Viewer, verb: string, apiKey: ApiKey): Promise<void> {
  await tx.insert(ApiKey, apiKey);
  const limits = (["requestsPerMinute", "tokensPerMinute", "concurrentRequests"] as const).filter(
    (name) => apiKey[name] !== null,
  );
  const change = made(
    apiKey,
    "name",
    "prefix",
    "scopes",
    "persistedOnly",
    "expiresAt",
    "rotatedFromId",
    "projectId",
    ...limits,
  );
  await record(tx, actor, { verb, at: apiKey.createdAt }, apiKey, change);
}

export async function changeKey(
  tx: EntityManager,
  actor: Viewer,
  act: { verb: string; at: Date },
  apiKey: ApiKey,
  fields: { expiresAt: Date } | { revokedAt: Date } | KeyLimits,
): Promise<ApiKey> {
  const change = { ...fields, version: apiKey.version + 1 };
  await tx.update(ApiKey, { id: apiKey.id }, change);
  await record(tx, actor, act, apiKey, changed(apiKey, change));
  return Object.assign(apiKey, change);
}

/** By a function of the database's, which alone may: no request writes the column itself. */
export async function moveKey(
  tx: EntityManager,
  actor: Viewer,
  at: Date,
  apiKey: ApiKey,
  projectId: string | null,
): Promise<ApiKey> {
  const change = { projectId, version: apiKey.version + 1 };
  await tx.query("SELECT api_key_move($1, $2, $3)", [apiKey.id, projectId, change.version]);
  await record(tx, actor, { verb: "move", at }, apiKey, changed(apiKey, change));
  return Object.assign(apiKey, change);
}

/** Locked until commit. Errors: NOT_FOUND. */
export async function ownKey(tx: EntityManager, viewer: Viewer, id: string): Promise<ApiKey> {
  const row = await tx.findOne(ApiKey, {
    where: { id: existingId(id, "API key") },
    lock: { mode: "pessimistic_write" },
  });
  if (row === null || !owns(viewer, row.organisationId)) throw notFound("API key");
  return row;
}

/** Who makes an operator's first key: nobody is there yet, so the key itself stands for whoever has the machine. */
export const firstKey = ({ id, kind }: Organisation, apiKey: ApiKey): Viewer => ({
  organisationId: id,
  kind,
  scopes: new Set(apiKey.scopes),
  keyId: apiKey.id,
  memberId: null,
  sessionId: null,
  expiresAt: null,
  persistedOnly: false,
});

function record(
  tx: EntityManager,
  actor: Viewer,
  { verb, at }: { verb: string; at: Date },
  { id: subjectId, organisationId }: ApiKey,
  change: Change,
): Promise<void> {
  const action = `api-key.${verb}`;
  return recordAct(tx, actor, { at, action, subjectType: "ApiKey", subjectId, organisationId, change });
}
