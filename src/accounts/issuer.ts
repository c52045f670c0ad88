/** Verifies tokens of the one OpenID Connect issuer that is configured, by the keys that it publishes. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import type { Clock } from "../platform/clock";
import { DomainError } from "../platform/errors";

/** Signatures with a public key only: with HS256 anybody could sign with the published key as the secret. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
const CLOCK_TOLERANCE_SECONDS = 5;
const FETCH_TIMEOUT_MS = 3_000;
const DOCUMENT_BYTES_MAX = 256 * 1024;
/** A key that the issuer withdrew is trusted for no longer than this while the issuer answers. */
const FRESH_MS = 10 * 60_000;
/** While it does not answer, log-ins go on with the keys that are known; a day later they are too old to be trusted. */
const USABLE_MS = 24 * 3_600_000;
/** Tokens with made-up key ids must not turn into a request to the issuer each. */
const COOLDOWN_MS = 5_000;

const discoveryFields = z.object({ issuer: z.string(), jwks_uri: z.url() });
const keySetFields = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  /** Null unless the issuer vouches for it. */
  readonly verifiedEmail: string | null;
  readonly expiresAt: Date;
}

interface Keys {
  readonly resolve: ReturnType<typeof createLocalJWKSet>;
  readonly fetchedMs: number;
}

export class Issuer {
  readonly name: string;
  private readonly audience: string;
  private readonly clock: Clock;
  private keys: Keys | null = null;
  private fetching: Promise<Keys> | null = null;
  private triedMs = -Infinity;

  constructor(options: { issuer: string; audience: string; clock: Clock }) {
    this.name = options.issuer;
    this.audience = options.audience;
    this.clock = options.clock;
  }

  /** Errors: UNAUTHENTICATED, IDENTITY_PROVIDER_UNAVAILABLE when no key of the issuer is known and none can be had. */
  async verify(token: string): Promise<Identity> {
    const keys = await this.usableKeys();
    try {
      return identityOf(await this.claims(token, keys));
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw refused(error);
      // The issuer may have changed its keys since they were fetched.
      const newer = this.mayTry() ? await this.fetchKeys().catch(() => null) : null;
      if (newer === null) throw refused(error);
      return this.claims(token, newer).then(identityOf, (again: unknown) => Promise.reject(refused(again)));
    }
  }

  private async claims(token: string, { resolve }: Keys): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, resolve, {
      issuer: this.name,
      audience: this.audience,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ["exp", "sub"],
      currentDate: this.clock.now(),
    });
    return payload;
  }

  private async usableKeys(): Promise<Keys> {
    const { keys } = this;
    const ageMs = keys === null ? Infinity : this.clock.nowMs() - keys.fetchedMs;
    if (keys !== null && ageMs < USABLE_MS) {
      if (ageMs >= FRESH_MS && this.mayTry()) return this.fetchKeys().catch(() => keys);
      return keys;
    }
    try {
      return await this.fetchKeys();
    } catch (cause) {
      const message = "The identity provider cannot be reached at the moment; API keys work on.";
      throw new DomainError("IDENTITY_PROVIDER_UNAVAILABLE", message, { cause });
    }
  }

  private mayTry(): boolean {
    return this.fetching !== null || this.clock.nowMs() - this.triedMs >= COOLDOWN_MS;
  }

  /** Whoever needs keys at the same time shares one fetch. */
  private fetchKeys(): Promise<Keys> {
    if (this.fetching === null) {
      this.triedMs = this.clock.nowMs();
      this.fetching = this.fetchBoth().finally(() => {
        this.fetching = null;
      });
    }
    return this.fetching;
  }

  private async fetchBoth(): Promise<Keys> {
    const fetchedMs = this.clock.nowMs();
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
    const address = `${this.name.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const { issuer, jwks_uri: keysUrl } = discoveryFields.parse(await fetchJson(address, signal));
    if (issuer !== this.name) throw new Error(`${address} is of another issuer: ${issuer}`);
    if (this.name.startsWith("https:") && !keysUrl.startsWith("https:")) throw new Error(`${keysUrl} is not https`);
    const keySet = keySetFields.parse(await fetchJson(keysUrl, signal));
    this.keys = { resolve: createLocalJWKSet(keySet as JSONWebKeySet), fetchedMs };
    return this.keys;
  }
}

async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.byteLength;
    if (bytes > DOCUMENT_BYTES_MAX) throw new Error(`${url} is longer than ${DOCUMENT_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return JSON.parse(Buffer.concat(parts).toString());
}

function identityOf({ iss, sub, exp, email, email_verified }: JWTPayload): Identity {
  const vouchedFor = email_verified === true && typeof email === "string";
  return {
    issuer: iss!,
    subject: sub!,
    verifiedEmail: vouchedFor ? email.trim().toLowerCase() : null,
    expiresAt: new Date(exp! * 1_000),
  };
}

function refused(error: unknown): unknown {
  if (error instanceof DomainError || !(error instanceof errors.JOSEError)) return error;
  const why = error instanceof errors.JWTExpired ? "has expired" : "is not one that this server accepts";
  return new DomainError("UNAUTHENTICATED", `This token ${why}.`, { cause: error });
}
