/** Writes down who did what, in the transaction of the act: an act without its line, or a line without its act, cannot be. */
import type { EntityManager } from "typeorm";
import { AuditEvent } from "../../entities/audit-event";
import type { NodeType } from "../../schema/node";
import { newId } from "../platform/ids";
import { acting } from "../platform/tenancy";

/** What the trail keeps of a viewer. */
export interface Actor {
  readonly organisationId: string;
  readonly keyId: string | null;
  readonly memberId: string | null;
  readonly sessionId: string | null;
}

export type Change = Readonly<Record<string, { from?: unknown; to?: unknown }>>;

export interface Act {
  readonly at: Date;
  /** Object and verb, e.g. "endpoint.move". */
  readonly action: string;
  readonly subjectType: NodeType;
  readonly subjectId: string;
  /** Whose object it is: that organisation reads of it. */
  readonly organisationId: string;
  readonly change: Change;
}

/** `tx` must be the transaction of the act. Nothing of `change` may be a secret: the trail is kept for ever. */
export async function recordAct(tx: EntityManager, actor: Actor, act: Act): Promise<void> {
  await tx.insert(AuditEvent, {
    id: newId(),
    at: act.at,
    organisationId: act.organisationId,
    actorOrganisationId: actor.organisationId,
    actorKeyId: actor.keyId,
    actorMemberId: actor.memberId,
    actorSessionId: actor.sessionId,
    requestId: acting()?.requestId ?? null,
    action: act.action,
    subjectType: act.subjectType,
    subjectId: act.subjectId,
    change: JSON.parse(JSON.stringify(act.change, exactNumbers)),
  });
}

/** Those fields of a new object that the trail names. */
export function made<Row extends object, Name extends keyof Row & string>(row: Row, ...names: readonly Name[]): Change {
  return Object.fromEntries(names.map((name) => [name, { to: row[name] }]));
}

/** What `after` changes about `before`; fields that stay are left out. */
export function changed<Row extends object>(before: Row, after: Partial<Row>): Change {
  const names = Object.keys(after) as (keyof Row & string)[];
  const moved = names.filter((name) => name !== "version" && before[name] !== after[name]);
  return Object.fromEntries(moved.map((name) => [name, { from: before[name], to: after[name] }]));
}

/** Money is a bigint, which JSON does not know; as a number it would lose digits. */
function exactNumbers(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
