/** Decides whether a request really comes from the Exergy relay, is meant for this endpoint, and is new. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { Refused } from "./wire";

export const RELAY_TOKEN_HEADER = "x-exergy-relay-token";
/** How far the relay's clock and ours may differ. */
const CLOCK_TOLERANCE_SECONDS = 5;
/** The relay promises tokens of at most 60 s; do not trust a longer one even if its signature is right. */
const TOKEN_AGE_SECONDS_MAX = 60;

export interface RelayTokenChecks {
  issuer: string;
  /** Where the relay publishes its keys; they are cached, and fetched again when an unknown key id appears. */
  jwksUrl?: string | undefined;
  /** The keys themselves, instead of `jwksUrl`. */
  jwks?: JSONWebKeySet | undefined;
}

export type VerifyRelayToken = (request: IncomingMessage, body: Buffer, audience: string | undefined) => Promise<void>;

export function createRelayTokenVerifier({ issuer, jwksUrl, jwks }: RelayTokenChecks): VerifyRelayToken {
  if (!jwks && !jwksUrl) throw new TypeError("Either jwks or jwksUrl is needed to verify relay tokens.");
  const keys = jwks ? createLocalJWKSet(jwks) : createRemoteJWKSet(new URL(jwksUrl ?? ""));
  const used = new UsedTokens();

  return async (request, body, audience) => {
    // jose skips the audience check when it is given none, so an unregistered endpoint must refuse by itself.
    if (!audience) throw new Refused(401, "endpoint_not_registered", "This endpoint does not know its id yet.");
    const token = request.headers[RELAY_TOKEN_HEADER];
    if (typeof token !== "string")
      throw new Refused(401, "relay_token_missing", `Header ${RELAY_TOKEN_HEADER} is missing.`);

    const { payload } = await jwtVerify(token, keys, {
      algorithms: ["EdDSA"],
      typ: "exergy-relay+jwt",
      issuer,
      audience,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      maxTokenAge: TOKEN_AGE_SECONDS_MAX,
      requiredClaims: ["exp", "iat", "jti", "bsh", "cnf"],
    }).catch(toRefusal);

    if ((payload.cnf as Record<string, unknown>)?.["x5t#S256"] !== peerCertificateSha256(request.socket as TLSSocket)) {
      throw new Refused(401, "relay_token_wrong_certificate", "The token is bound to another client certificate.");
    }
    if (payload.bsh !== createHash("sha256").update(body).digest("base64url")) {
      throw new Refused(401, "relay_token_body_mismatch", "The body is not the one that the token was made for.");
    }
    // Last, so that a copy that fails another check cannot use up the real token.
    if (!used.add(payload)) throw new Refused(401, "relay_token_replayed", "This token was used before.");
  };
}

/** Remembers each `jti` until its token could no longer pass the expiry check. */
class UsedTokens {
  private readonly forgetAtSeconds = new Map<string, number>();

  /** False if the token was seen before. */
  add({ jti = "", exp = 0 }: JWTPayload): boolean {
    const nowSeconds = Date.now() / 1000;
    // A Map keeps insertion order and all tokens live about equally long, so the oldest are in front.
    for (const [old, forgetAt] of this.forgetAtSeconds) {
      if (forgetAt > nowSeconds) break;
      this.forgetAtSeconds.delete(old);
    }
    if (this.forgetAtSeconds.has(jti)) return false;
    this.forgetAtSeconds.set(jti, exp + CLOCK_TOLERANCE_SECONDS);
    return true;
  }
}

/** One hash per connection, not per request. */
const fingerprints = new WeakMap<TLSSocket, string>();

function peerCertificateSha256(socket: TLSSocket): string {
  let fingerprint = fingerprints.get(socket);
  if (fingerprint === undefined) {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw new Refused(401, "client_certificate_missing", "No client certificate.");
    fingerprint = createHash("sha256").update(certificate.raw).digest("base64url");
    fingerprints.set(socket, fingerprint);
  }
  return fingerprint;
}

function toRefusal(error: unknown): never {
  if (error instanceof errors.JWTExpired) throw new Refused(401, "relay_token_expired", "The token has expired.");
  if (error instanceof errors.JWTClaimValidationFailed) {
    throw new Refused(401, `relay_token_wrong_${error.claim}`, `The token's "${error.claim}" is not what it must be.`);
  }
  if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError)) {
    throw new Refused(503, "relay_keys_unavailable", "The relay's public keys could not be fetched.");
  }
  throw new Refused(401, "relay_token_invalid", `The token does not verify: ${error.code}.`);
}
