/** Mints the short-lived token by which a provider knows that one attempt at one request comes from this relay. */
import { hash, type KeyObject } from "node:crypto";
import { ed25519Signer } from "./ed25519";

export const RELAY_TOKEN_HEADER = "x-exergy-relay-token";

/** Long enough for a slow connect and a provider's clock that is a few seconds off; DESIGN §6 allows no more. */
export const RELAY_TOKEN_LIFETIME_SECONDS = 60;

export interface RelayTokenSignerOptions {
  /** Ed25519. */
  privateKey: KeyObject;
  /** Names the public half in our JWKS. */
  kid: string;
  issuer: string;
  /** base64url SHA-256 of our client certificate's DER (RFC 8705 x5t#S256): a stolen token is useless without its key. */
  clientCertSha256: string;
  /** Milliseconds since 1970. */
  clock: () => number;
}

export interface RelayAttempt {
  /** The endpoint's id: the token is worthless at any other endpoint. */
  audience: string;
  requestId: string;
  /** 1 for the first try. With the request id it makes the `jti`, so a retry at the same endpoint is not a replay. */
  attempt: number;
  /** `bodySha256` of the exact bytes that go upstream. */
  bodySha256: string;
}

export interface RelayTokenSigner {
  sign(attempt: RelayAttempt): string;
}

/**
 * Built by hand because it runs once per attempt on the hot path: jose signs through WebCrypto, which is asynchronous
 * and hops to the thread pool, and takes three times as long. test/upstreams/relay-token.test.ts verifies with jose.
 * Throws TypeError when the key is not an Ed25519 private key.
 */
export function createRelayTokenSigner(options: RelayTokenSignerOptions): RelayTokenSigner {
  const { privateKey, clock } = options;
  if (privateKey.type !== "private" || privateKey.asymmetricKeyType !== "ed25519") {
    throw new TypeError("The relay signs with an Ed25519 private key.");
  }
  const sign = ed25519Signer(privateKey);
  const header = base64url(JSON.stringify({ alg: "EdDSA", typ: "exergy-relay+jwt", kid: options.kid }));
  // The claims that never change are serialised once; "{" … "}" are cut off to splice the rest in.
  const fixed = JSON.stringify({ iss: options.issuer, cnf: { "x5t#S256": options.clientCertSha256 } }).slice(0, -1);

  return {
    sign({ audience, requestId, attempt, bodySha256 }) {
      const iat = Math.floor(clock() / 1000);
      const changing = JSON.stringify({
        aud: audience,
        sub: requestId,
        jti: `${requestId}.${attempt}`,
        iat,
        exp: iat + RELAY_TOKEN_LIFETIME_SECONDS,
        bsh: bodySha256,
      }).slice(1);
      const signed = `${header}.${base64url(`${fixed},${changing}`)}`;
      return `${signed}.${sign(Buffer.from(signed, "latin1")).toString("base64url")}`;
    },
  };
}

/** The value of the `bsh` claim. Hash once per request and reuse it for every attempt. */
export function bodySha256(body: Buffer): string {
  return hash("sha256", body, "base64url");
}

export interface RelayJwk {
  kty: "OKP";
  crv: "Ed25519";
  x: string;
  kid: string;
  use: "sig";
  alg: "EdDSA";
}

/** The document served at `/.well-known/jwks.json`; during a rotation it lists the old and the new key. */
export function publicJwks(keys: readonly { kid: string; publicKey: KeyObject }[]): { keys: RelayJwk[] } {
  return {
    keys: keys.map(({ kid, publicKey }) => {
      const { crv, x } = publicKey.export({ format: "jwk" });
      if (crv !== "Ed25519" || x === undefined) throw new TypeError(`Key ${kid} is not an Ed25519 key.`);
      // Members are picked, not spread: a private key passed by mistake must not publish its `d`.
      return { kty: "OKP", crv: "Ed25519", x, kid, use: "sig", alg: "EdDSA" };
    }),
  };
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
