/** Key, token or session cookie → viewer, the same for HTTP, WebSocket and server-sent events. */
import type { IncomingMessage } from "node:http";
import { decodeId } from "../../schema/node";
import type { Accounts } from "../accounts/accounts";
import { isWellFormed } from "../accounts/api-keys";
import { SESSION_COOKIE } from "../accounts/sessions";
import type { Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";
import { isId } from "../platform/ids";
import { organisationTypes } from "./node-ids";

const BEARER = /^Bearer +(\S+) *$/i;
/** A header of a browser's request or a socket's first message; longer ones are nobody's. */
const CREDENTIAL_CHARS_MAX = 8_192;

export interface Credentials {
  readonly authorization?: string | undefined;
  readonly cookie?: string | undefined;
  readonly origin?: string | undefined;
  /** Global id of the organisation that a person of several acts for. */
  readonly organisation?: string | undefined;
  /** As the client called this server. */
  readonly host?: string | undefined;
  /** What the browser says of where the request comes from. */
  readonly site?: string | undefined;
}

export function credentialsOf({ headers }: IncomingMessage): Credentials {
  const one = (name: string) => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
  return {
    authorization: headers.authorization,
    cookie: headers.cookie,
    origin: headers.origin,
    organisation: one("x-exergy-organisation"),
    host: headers.host,
    site: one("sec-fetch-site"),
  };
}

/** Undefined: none was sent. Null: something else than a bearer key or token was. */
export function bearerOf(header: string | undefined): string | null | undefined {
  if (header === undefined || header === "") return undefined;
  return header.length > CREDENTIAL_CHARS_MAX ? null : (BEARER.exec(header)?.[1] ?? null);
}

/**
 * Null without a credential, so that public queries need none; a bad one is an error even there. A bearer goes before a
 * cookie. Errors: UNAUTHENTICATED, IDENTITY_PROVIDER_UNAVAILABLE.
 */
export async function viewerOf(accounts: Accounts, credentials: Credentials): Promise<Viewer | null> {
  const bearer = bearerOf(credentials.authorization);
  if (bearer !== undefined) return bearerViewer(accounts, bearer, credentials.organisation);
  const cookie = sessionCookieOf(credentials.cookie);
  if (cookie === null) return null;
  if (isForeign(accounts.publicOrigin, credentials)) {
    throw new DomainError("UNAUTHENTICATED", "A session's cookie counts only for pages of this very origin.");
  }
  const viewer = await accounts.sessions.authenticate(cookie);
  if (viewer === null) throw new DomainError("UNAUTHENTICATED", "This session has ended. Log in again: POST /session.");
  return viewer;
}

async function bearerViewer(accounts: Accounts, bearer: string | null, organisation: string | undefined) {
  if (bearer !== null && !isWellFormed(bearer) && accounts.people !== null && bearer.includes(".")) {
    return accounts.people.authenticate(bearer, organisationOf(organisation));
  }
  const viewer = bearer === null ? null : await accounts.authenticate(bearer);
  if (viewer === null) {
    throw new DomainError(
      "UNAUTHENTICATED",
      "This API key is unknown, revoked or expired. Send `Authorization: Bearer exg_…`.",
    );
  }
  return viewer;
}

function organisationOf(id: string | undefined): string | null {
  if (id === undefined) return null;
  const decoded = decodeId(id);
  if (decoded !== null && (organisationTypes as readonly string[]).includes(decoded.type) && isId(decoded.key)) {
    return decoded.key;
  }
  throw new DomainError("UNAUTHENTICATED", "x-exergy-organisation is not the id of an organisation.");
}

export function sessionCookieOf(header: string | undefined): string | null {
  if (header === undefined || header.length > CREDENTIAL_CHARS_MAX) return null;
  for (const pair of header.split(";")) {
    const [name, value] = pair.trim().split("=", 2);
    if (name === SESSION_COOKIE && value) return value;
  }
  return null;
}

/**
 * Whether a page of another origin may have sent this: its scripts would act with the visitor's cookie (CSRF, and
 * hijacked WebSockets, which no CORS stops). Browsers send one header or the other; what sends neither is no browser.
 */
export function isForeign(publicOrigin: string | null, { origin, host, site }: Credentials): boolean {
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  if (origin === undefined || origin === publicOrigin) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}
