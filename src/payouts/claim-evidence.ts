/** What a relay token proves: that we signed this attempt at this endpoint, when, and over which bytes. */
import { type KeyObject, verify } from "node:crypto";
import { DomainError } from "../platform/errors";
import { isId } from "../platform/ids";
import { bodySha256 } from "../upstreams/relay-token";

export interface SigningKey {
  readonly kid: string;
  readonly publicKey: KeyObject;
}

export interface ProvenAttempt {
  readonly endpointId: string;
  readonly requestId: string;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly attemptedAt: Date;
  readonly bodySha256: string;
}

/** What the request's body says of its own size. */
export interface ProvenBody {
  readonly model: string | null;
  readonly bytes: number;
  /** Over all its choices; null when it names no limit. */
  readonly completionTokensMax: number | null;
}

const TOKEN_CHARS_MAX = 4_096;

/** It has long expired: it is evidence here, no pass. Errors: BAD_USER_INPUT. */
export function readRelayToken(token: string, keys: readonly SigningKey[]): ProvenAttempt {
  const [header = "", claims = "", signature = "", ...rest] = token.slice(0, TOKEN_CHARS_MAX).split(".");
  const { alg, kid } = objectIn(header);
  const key = alg === "EdDSA" ? keys.find((known) => known.kid === kid) : undefined;
  const signed = Buffer.from(`${header}.${claims}`);
  if (
    rest.length > 0 ||
    key === undefined ||
    !verify(null, signed, key.publicKey, Buffer.from(signature, "base64url"))
  ) {
    throw unproven("is not a token that this marketplace has signed");
  }
  const { aud, sub, jti, iat, bsh } = objectIn(claims);
  const attempt = typeof jti === "string" && jti.startsWith(`${sub}.`) ? Number(jti.slice(`${sub}.`.length)) : 0;
  if (
    !isText(aud) ||
    !isId(aud) ||
    !isText(sub) ||
    !isId(sub) ||
    !isText(bsh) ||
    !Number.isInteger(iat) ||
    attempt < 1
  ) {
    throw unproven("is no relay token");
  }
  return { endpointId: aud, requestId: sub, attempt, attemptedAt: new Date((iat as number) * 1_000), bodySha256: bsh };
}

/** Errors: BAD_USER_INPUT, when these are not the very bytes that the token was signed over. */
export function readProvenBody(body: string, proof: Pick<ProvenAttempt, "bodySha256">): ProvenBody {
  const bytes = Buffer.from(body);
  if (bodySha256(bytes) !== proof.bodySha256) {
    const message = "requestBody: is not what the token was signed over; pass on the bytes as they were received";
    throw new DomainError("BAD_USER_INPUT", message, { field: "requestBody" });
  }
  const { model, max_tokens, max_completion_tokens, n } = parsed(body);
  const perChoice = [max_completion_tokens, max_tokens].find(isCount);
  return {
    model: isText(model) ? model : null,
    bytes: bytes.length,
    completionTokensMax: perChoice === undefined ? null : perChoice * (isCount(n) ? n : 1),
  };
}

const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

function objectIn(part: string): Record<string, unknown> {
  return parsed(Buffer.from(part, "base64url").toString());
}

function parsed(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function unproven(why: string): DomainError {
  return new DomainError("BAD_USER_INPUT", `relayToken: ${why}`, { field: "relayToken" });
}
