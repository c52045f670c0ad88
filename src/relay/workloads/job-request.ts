/** Reads the body of a request that makes a job, and by what a repeat of it is known. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { DomainError } from "../../platform/errors";
import { readBody } from "../../platform/http-server";
import type { RequestMark } from "../../workloads/workloads";
import type { RelayContext } from "../context";
import { ownId } from "./public-ids";

export type Members = Readonly<Record<string, unknown>>;

const IDEMPOTENCY_KEY_CHARS_MAX = 255;

/** Errors: MALFORMED_BODY, BODY_TOO_LARGE, BAD_USER_INPUT, BodyAborted. */
export async function readJobRequest(
  relay: RelayContext,
  request: IncomingMessage,
): Promise<{ asked: Members; mark: RequestMark }> {
  const body = await readBody(request, relay.config.relay.bodyLimitBytes);
  const digest = createHash("sha256").update(`${request.url}\n`).update(body).digest("base64url");
  const key = request.headers["idempotency-key"];
  const idempotencyKey = typeof key === "string" && key !== "" ? key : null;
  if (idempotencyKey !== null && idempotencyKey.length > IDEMPOTENCY_KEY_CHARS_MAX)
    throw new DomainError("BAD_USER_INPUT", `Idempotency-Key may have ${IDEMPOTENCY_KEY_CHARS_MAX} characters.`);
  // The official client counts its own retries here.
  const isRetry = Number(request.headers["x-stainless-retry-count"] ?? 0) > 0;
  return { asked: membersOf(body), mark: { idempotencyKey, digest, isRetry } };
}

function membersOf(body: Buffer): Members {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Members;
  } catch {
    // Refused below, like JSON that is no object.
  }
  throw new DomainError("MALFORMED_BODY", "The body is not a JSON object.");
}

/** A file's name in a body → our id; what is no text is left to the door to refuse. Errors: NOT_FOUND. */
export function fileIn(asked: Members, member: string): string | undefined {
  const name = asked[member];
  return typeof name === "string" ? ownId("file", name, member) : (name as undefined);
}
