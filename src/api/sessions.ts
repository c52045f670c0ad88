/** `/session`: a browser trades a key or token for a cookie that no script can read, asks who it is, and logs out. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { encodeId, nodeTypeOf } from "../../schema/node";
import type { Accounts } from "../accounts/accounts";
import { SESSION_COOKIE } from "../accounts/sessions";
import type { Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";
import { bearerOf, credentialsOf, isForeign, sessionCookieOf, viewerOf } from "./authentication";
import { onBehalfOf } from "./on-behalf-of";

const METHODS = "GET, POST, DELETE";

/** Errors: UNAUTHENTICATED, FORBIDDEN, STATE_CONFLICT, METHOD_NOT_ALLOWED, IDENTITY_PROVIDER_UNAVAILABLE. */
export async function handleSession(
  accounts: Accounts,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  // The body says nothing here; reading it lets the connection be used again.
  request.resume();
  response.setHeader("cache-control", "no-store");
  const { method } = request;
  if (method === "POST") return logIn(accounts, request, response, requestId);
  if (method === "DELETE") return logOut(accounts, request, response, requestId);
  if (method === "GET" || method === "HEAD") {
    const viewer = await viewerOf(accounts, credentialsOf(request));
    if (viewer === null) throw new DomainError("UNAUTHENTICATED", "Nobody is logged in: POST /session with a bearer.");
    return answer(response, 200, viewer);
  }
  response.setHeader("allow", METHODS);
  throw new DomainError("METHOD_NOT_ALLOWED", `/session takes ${METHODS}, not ${method}.`);
}

async function logIn(accounts: Accounts, request: IncomingMessage, response: ServerResponse, requestId: string) {
  const credentials = credentialsOf(request);
  if (bearerOf(credentials.authorization) === undefined) {
    throw new DomainError("UNAUTHENTICATED", "Log in with an API key or a token: `Authorization: Bearer …`.");
  }
  const viewer = await viewerOf(accounts, credentials);
  const { session, cookie } = await onBehalfOf(viewer, requestId, "primary", () => accounts.sessions.open(viewer));
  const lastsSeconds = Math.floor((session.expiresAt.getTime() - session.createdAt.getTime()) / 1_000);
  setCookie(accounts, response, cookie, lastsSeconds);
  answer(response, 201, { ...viewer!, sessionId: session.id, expiresAt: session.expiresAt });
}

/** Also a session that has ended already: the cookie goes, and logging out twice is no fault. */
async function logOut(accounts: Accounts, request: IncomingMessage, response: ServerResponse, requestId: string) {
  const credentials = credentialsOf(request);
  const cookie = sessionCookieOf(credentials.cookie);
  if (cookie === null) throw new DomainError("UNAUTHENTICATED", "No session's cookie was sent.");
  if (isForeign(accounts.publicOrigin, credentials)) {
    throw new DomainError("UNAUTHENTICATED", "A session's cookie counts only for pages of this very origin.");
  }
  const viewer = await accounts.sessions.authenticate(cookie);
  if (viewer !== null) {
    await onBehalfOf(viewer, requestId, "primary", () => accounts.sessions.revoke(viewer, viewer.sessionId!));
  }
  setCookie(accounts, response, "", 0);
  response.writeHead(204).end();
}

/** SameSite=Strict keeps it from other sites' requests altogether; the check of the origin holds where that is not known. */
function setCookie(accounts: Accounts, response: ServerResponse, value: string, maxAgeSeconds: number): void {
  const secure = accounts.publicOrigin?.startsWith("https:") ? "; Secure" : "";
  const attributes = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}${secure}`;
  response.setHeader("set-cookie", `${SESSION_COOKIE}=${value}; ${attributes}`);
}

function answer(response: ServerResponse, status: number, viewer: Viewer): void {
  const body = JSON.stringify({
    organisationId: encodeId(nodeTypeOf[viewer.kind], viewer.organisationId),
    kind: viewer.kind,
    scopes: [...viewer.scopes],
    memberId: viewer.memberId && encodeId("Member", viewer.memberId),
    apiKeyId: viewer.keyId && encodeId("ApiKey", viewer.keyId),
    sessionId: viewer.sessionId && encodeId("Session", viewer.sessionId),
    expiresAt: viewer.expiresAt,
  });
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}
