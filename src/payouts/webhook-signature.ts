/** Standard Webhooks signatures: HMAC-SHA256 over id, timestamp and body as they came, true for five minutes. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { DomainError } from "../platform/errors";

const TOLERANCE_MS = 300_000;
const ID_CHARS_MAX = 256;
const PREFIX = "whsec_";

export interface SignedMessage {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Exactly as received: another spelling of the same JSON has another signature. */
  readonly body: Buffer;
}

/** Errors: RangeError for a secret that is no base64 behind `whsec_`. */
export function signatureOf(secret: string, id: string, timestamp: string, body: Buffer): Buffer {
  if (!secret.startsWith(PREFIX)) throw new RangeError(`a webhook secret starts with ${PREFIX}`);
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  return createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
}

/** The message's id, by which it is told from its copies. Errors: UNAUTHENTICATED, saying what is missing but not what would be right. */
export function verifiedId({ headers, body }: SignedMessage, secrets: readonly string[], nowMs: number): string {
  const [id, timestamp, given] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers[name]);
  if (typeof id !== "string" || typeof timestamp !== "string" || typeof given !== "string") {
    throw refused("webhook-id, webhook-timestamp and webhook-signature have to come once each");
  }
  if (id === "" || id.length > ID_CHARS_MAX) throw refused("webhook-id has 1 to 256 characters");
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(nowMs - Number(timestamp) * 1_000) > TOLERANCE_MS) {
    throw refused("webhook-timestamp is not within five minutes of this server's clock");
  }
  const expected = secrets.map((secret) => signatureOf(secret, id, timestamp, body));
  // Several while a secret is exchanged for another. Every one is compared, whichever matched.
  const matches = given
    .split(" ")
    .filter((part) => part.startsWith("v1,"))
    .map((part) => Buffer.from(part.slice(3), "base64"))
    .flatMap((signature) =>
      expected.map((right) => signature.length === right.length && timingSafeEqual(signature, right)),
    );
  if (!matches.includes(true)) throw refused("no v1 signature of this message is ours");
  return id;
}

const refused = (why: string) => new DomainError("UNAUTHENTICATED", `The callback is not signed as agreed: ${why}.`);
