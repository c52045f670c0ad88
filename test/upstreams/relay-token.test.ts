import { createPublicKey, generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { bodySha256, createRelayTokenSigner, publicJwks } from "../../src/upstreams/relay-token";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0, 999);
const attempt = {
  audience: "endpoint-1",
  requestId: "request-1",
  attempt: 2,
  bodySha256: bodySha256(Buffer.from("{}")),
};

function signer(overrides: Partial<Parameters<typeof createRelayTokenSigner>[0]> = {}) {
  return createRelayTokenSigner({
    privateKey,
    kid: "key-1",
    issuer: "https://exergy.example",
    clientCertSha256: "thumbprint",
    clock: () => NOW_MS,
    ...overrides,
  });
}

function verify(token: string, keys = publicJwks([{ kid: "key-1", publicKey }]), audience = "endpoint-1") {
  return jwtVerify(token, createLocalJWKSet(keys as JSONWebKeySet), {
    algorithms: ["EdDSA"],
    typ: "exergy-relay+jwt",
    issuer: "https://exergy.example",
    audience,
    currentDate: new Date(NOW_MS),
  });
}

describe("the relay token", () => {
  it("is a JWT that an independent library verifies with the published keys", async () => {
    const token = signer().sign(attempt);
    const { payload, protectedHeader } = await verify(token);
    const iat = Math.floor(NOW_MS / 1000);
    expect(protectedHeader).toEqual({ alg: "EdDSA", typ: "exergy-relay+jwt", kid: "key-1" });
    expect(payload).toEqual({
      iss: "https://exergy.example",
      aud: "endpoint-1",
      sub: "request-1",
      jti: "request-1.2",
      iat,
      exp: iat + 60,
      bsh: "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o",
      cnf: { "x5t#S256": "thumbprint" },
    });
  });

  it("is refused for another endpoint, by another key and after a changed byte", async () => {
    const token = signer().sign(attempt);
    await expect(verify(token, undefined, "endpoint-2")).rejects.toThrow(/aud/);
    const other = publicJwks([{ kid: "key-1", publicKey: generateKeyPairSync("ed25519").publicKey }]);
    await expect(verify(token, other)).rejects.toThrow(/signature/);
    const [header, , signature] = token.split(".");
    const [, altered] = signer()
      .sign({ ...attempt, requestId: "request-2" })
      .split(".");
    await expect(verify(`${header}.${altered}.${signature}`)).rejects.toThrow(/signature/);
  });

  it("carries any issuer, audience and request id unharmed, although it is built by hand", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), async (audience, requestId) => {
        const token = signer({ issuer: audience }).sign({ ...attempt, audience, requestId });
        const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
        expect(claims).toMatchObject({ iss: audience, aud: audience, sub: requestId, jti: `${requestId}.2` });
      }),
      { numRuns: 50 },
    );
  });

  it("gives each attempt of one request its own id", () => {
    const jti = (number: number) =>
      JSON.parse(
        Buffer.from(
          signer()
            .sign({ ...attempt, attempt: number })
            .split(".")[1] ?? "",
          "base64url",
        ).toString(),
      ).jti;
    expect([jti(1), jti(2)]).toEqual(["request-1.1", "request-1.2"]);
  });

  it("is not signed with a key of another kind", () => {
    const rsa = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    expect(() => signer({ privateKey: rsa })).toThrow(TypeError);
    expect(() => signer({ privateKey: publicKey })).toThrow(TypeError);
  });
});

describe("the published key set", () => {
  it("lists every key of a rotation, so that tokens of the old key still verify", async () => {
    const next = generateKeyPairSync("ed25519");
    const keys = publicJwks([
      { kid: "key-1", publicKey },
      { kid: "key-2", publicKey: next.publicKey },
    ]);
    await expect(verify(signer().sign(attempt), keys)).resolves.toBeDefined();
    const token = signer({ privateKey: next.privateKey, kid: "key-2" }).sign(attempt);
    expect(decodeProtectedHeader(token).kid).toBe("key-2");
    await expect(verify(token, keys)).resolves.toBeDefined();
  });

  it("never publishes the private half, even when it is handed one", () => {
    expect(publicJwks([{ kid: "key-1", publicKey: privateKey }])).toEqual(publicJwks([{ kid: "key-1", publicKey }]));
    expect(JSON.stringify(publicJwks([{ kid: "key-1", publicKey: createPublicKey(privateKey) }]))).not.toContain('"d"');
  });
});
