/** An OpenID Connect issuer on a socket of its own: discovery, keys that it can change, tokens of any kind, also bad ones. */
import type { webcrypto } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { closeGracefully } from "../../src/platform/http-server";

interface Key {
  readonly kid: string;
  readonly privateKey: webcrypto.CryptoKey;
  readonly publicJwk: JWK;
}

export interface LocalIssuer {
  readonly url: string;
  /** What it was asked for so far. */
  readonly asked: string[];
  /** A token by its current key; `claims` go over what a good one says. */
  token(claims: JWTPayload, signing?: { key?: Key; expiresAt?: Date | null }): Promise<string>;
  /** From now on it signs with another key and publishes no other; returns the old one. */
  changeKey(algorithm?: "ES256" | "RS256"): Promise<Key>;
  readonly publicJwk: JWK;
  /** What discovery says besides. */
  discovery: Record<string, unknown>;
  goDown(): Promise<void>;
  comeBack(): Promise<void>;
}

export async function startIssuer(audience: string, now: () => Date): Promise<LocalIssuer> {
  let key = await makeKey("ES256");
  const asked: string[] = [];
  let server: Server;
  let port = 0;
  const url = () => `http://127.0.0.1:${port}`;
  const open = async () => {
    server = createServer((request, response) => {
      asked.push(request.url!);
      const found =
        request.url === "/.well-known/openid-configuration"
          ? { issuer: url(), jwks_uri: `${url()}/keys`, ...issuer.discovery }
          : request.url === "/keys"
            ? { keys: [key.publicJwk] }
            : null;
      response.writeHead(found ? 200 : 404, { "content-type": "application/json", connection: "close" });
      response.end(JSON.stringify(found));
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  };
  const issuer: LocalIssuer = {
    get url() {
      return url();
    },
    get publicJwk() {
      return key.publicJwk;
    },
    asked,
    discovery: {},
    token: (claims, { key: by = key, expiresAt = new Date(now().getTime() + 600_000) } = {}) => {
      const payload = { iss: url(), aud: audience, ...claims };
      const jwt = new SignJWT(payload).setProtectedHeader({ alg: by.publicJwk.alg!, kid: by.kid }).setIssuedAt(now());
      return (expiresAt === null ? jwt : jwt.setExpirationTime(expiresAt)).sign(by.privateKey);
    },
    async changeKey(algorithm = "ES256") {
      const old = key;
      key = await makeKey(algorithm);
      return old;
    },
    goDown: async () => void (await closeGracefully(server, 0)),
    comeBack: open,
  };
  await open();
  return issuer;
}

let keys = 0;

async function makeKey(alg: "ES256" | "RS256"): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = `key-${++keys}`;
  return { kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}
