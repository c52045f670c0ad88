/** Who asks, and what that one may do: every door starts with one of these questions. */
import type { ApiKeyScope, OrganisationKind } from "../../schema/enums";
import { DomainError, notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import type { KeyLimits } from "./key-limits";

export interface Viewer {
  readonly organisationId: string;
  readonly kind: OrganisationKind;
  readonly scopes: ReadonlySet<ApiKeyScope>;
  /** The API key that was sent, or that the session was opened with; null for a person. */
  readonly keyId: string | null;
  /** The person who is logged in; null for a key. */
  readonly memberId: string | null;
  /** The session whose cookie was sent; null when a key or token was. */
  readonly sessionId: string | null;
  /** From this instant on it is nobody; null when only a revocation ends it. */
  readonly expiresAt: Date | null;
  /** Only documents of the manifest. */
  readonly persistedOnly: boolean;
  /** Of a key that was sent: what the relay lets it do. */
  readonly limits?: KeyLimits;
}

/** Errors: UNAUTHENTICATED, FORBIDDEN when the key lacks the scope. */
export function requireScope(viewer: Viewer | null, scope: ApiKeyScope): Viewer {
  if (viewer === null) throw new DomainError("UNAUTHENTICATED", "Send an API key: `Authorization: Bearer exg_…`.");
  if (!viewer.scopes.has(scope)) throw new DomainError("FORBIDDEN", `This API key lacks the scope ${scope}.`);
  return viewer;
}

/** Errors: as requireScope; FORBIDDEN when the organisation is of another kind. */
export function requireKind(
  viewer: Viewer | null,
  scope: ApiKeyScope,
  ...kinds: readonly [OrganisationKind, ...OrganisationKind[]]
): Viewer {
  const known = requireScope(viewer, scope);
  if (!kinds.includes(known.kind)) {
    throw new DomainError("FORBIDDEN", `This is for ${kinds.join(" and ")}; your organisation is a ${known.kind}.`);
  }
  return known;
}

/**
 * The organisation whose rows a list may show; null means all of them, which only an operator gets.
 * Errors: as requireScope; NOT_FOUND when another organisation's rows are asked for.
 */
export function organisationScope(
  viewer: Viewer | null,
  scope: ApiKeyScope,
  asked?: string | null | undefined,
): string | null {
  const known = requireScope(viewer, scope);
  if (asked != null && (!isId(asked) || !owns(known, asked))) throw notFound("organisation");
  return known.kind === "OPERATOR" ? (asked ?? null) : known.organisationId;
}

/**
 * Whose a new object will be: the viewer's own, or the one that an operator names. That it exists is the caller's check.
 * Errors: as requireKind; BAD_USER_INPUT when an operator names nobody; NOT_FOUND when others name somebody else.
 */
export function ownerOfNew(
  viewer: Viewer | null,
  kind: OrganisationKind,
  named: { field: string; id: string | null | undefined },
): string {
  const known = requireKind(viewer, "WRITE", kind, "OPERATOR");
  const owner = organisationScope(known, "WRITE", named.id);
  if (owner === null) {
    throw new DomainError("BAD_USER_INPUT", `An operator has to name the ${kind} that this is for.`, {
      field: named.field,
    });
  }
  return owner;
}

/** Whether the viewer may see and change what belongs to this organisation. */
export function owns(viewer: Viewer, organisationId: string): boolean {
  return viewer.kind === "OPERATOR" || viewer.organisationId === organisationId;
}
