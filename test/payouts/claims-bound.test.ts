/** What a claim is worth at most, and what a relay token proves. */
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { NANO } from "../../src/money/nano";
import { boundClaim, CLAIM_NANO_USD_MAX, type ClaimFacts } from "../../src/payouts/claim-bound";
import { readProvenBody, readRelayToken } from "../../src/payouts/claim-evidence";
import { DomainError } from "../../src/platform/errors";
import { newId } from "../../src/platform/ids";
import { accrualNanoUsd } from "../../src/pricing/settlement";
import { gpuNanosFor } from "../../src/pricing/token-price";
import { aRelayToken } from "./a-relay-token";

const facts: ClaimFacts = {
  claimed: { promptTokens: 100, completionTokens: 1_000 },
  throughput: { prefillTokensPerGpuSecond: 10_000, decodeTokensPerGpuSecond: 1_000 },
  contextLength: 8_192,
  maxOutputTokens: 4_096,
  fixingNanoUsdPerGpuHour: (25n * NANO) / 10n,
  sharePpm: 850_000n,
  redemptionFactorPpm: 1_350_000n,
  heldNanoCredit: null,
  body: null,
};
const worth = (promptTokens: number, completionTokens: number, of = facts) =>
  accrualNanoUsd(
    gpuNanosFor({ promptTokens, completionTokens }, of.throughput),
    of.fixingNanoUsdPerGpuHour,
    of.sharePpm,
  );

describe("a claim", () => {
  it("within every bound is worth what a settlement of its tokens would have earned", () => {
    expect(boundClaim(facts)).toEqual({
      claimedNanoUsd: worth(100, 1_000),
      amountNanoUsd: worth(100, 1_000),
      boundNanoUsd: worth(8_192, 4_096),
      boundedBy: "CLAIM",
    });
  });

  it.each([
    ["OFFERING", { claimed: { promptTokens: 9_000, completionTokens: 9_000 } }, worth(8_192, 4_096)],
    ["REQUEST_BODY", { body: { bytes: 10, completionTokensMax: 50 } }, worth(74, 50)],
    ["REQUEST_BODY", { body: { bytes: 10, completionTokensMax: null } }, worth(74, 1_000)],
    ["HOLD", { heldNanoCredit: 135_000n }, 85_000n],
    [
      "POLICY",
      {
        claimed: { promptTokens: 0, completionTokens: 30_000_000 },
        maxOutputTokens: 2_000_000_000,
        contextLength: 2_000_000_000,
      },
      CLAIM_NANO_USD_MAX,
    ],
  ] as const)("beyond %s is worth that, and says so", (boundedBy, more, amountNanoUsd) => {
    expect(boundClaim({ ...facts, ...more })).toMatchObject({ boundedBy, amountNanoUsd });
  });

  it("is never worth more than it says, than any bound, or than nothing at all is worth", () => {
    const tokens = fc.integer({ min: 0, max: 5_000_000 });
    const any = fc.record({
      claimed: fc.record({ promptTokens: tokens, completionTokens: tokens }),
      contextLength: fc.integer({ min: 1, max: 1_000_000 }),
      maxOutputTokens: fc.integer({ min: 1, max: 1_000_000 }),
      heldNanoCredit: fc.option(fc.bigInt({ min: 1n, max: 100n * NANO }), { nil: null }),
      body: fc.option(
        fc.record({
          bytes: fc.integer({ min: 2, max: 1_000_000 }),
          completionTokensMax: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: null }),
        }),
        { nil: null },
      ),
    });
    fc.assert(
      fc.property(any, (more) => {
        const claim = boundClaim({ ...facts, ...more });
        expect(claim.amountNanoUsd).toBeLessThanOrEqual(claim.claimedNanoUsd);
        expect(claim.amountNanoUsd).toBeLessThanOrEqual(claim.boundNanoUsd);
        expect(claim.boundNanoUsd).toBeLessThanOrEqual(CLAIM_NANO_USD_MAX);
        expect(claim.amountNanoUsd).toBeGreaterThanOrEqual(0n);
        expect(claim.boundedBy === "CLAIM").toBe(claim.amountNanoUsd === claim.claimedNanoUsd);
      }),
    );
  });
});

describe("a relay token", () => {
  const identity = (kid: string) => ({ signingKey: generateKeyPairSync("ed25519"), kid, clientCertSha256: "x" });
  const [ours, theirs] = [identity("ours"), identity("ours")];
  const sign = ({ signingKey, ...rest }: typeof ours) => ({ ...rest, signingKey: signingKey.privateKey });
  const keys = [{ kid: "ours", publicKey: ours.signingKey.publicKey }];
  const [endpointId, requestId, at] = [newId(), newId(), new Date("2026-03-01T10:00:00Z")];
  const token = aRelayToken(endpointId, { requestId, attempt: 2, body: "{}", at, by: sign(ours) });

  const codeOf = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      if (error instanceof DomainError) return error.code;
      throw error;
    }
    return "taken";
  };

  it("of ours says which attempt, where and when, long after it has expired", () => {
    expect(readRelayToken(token, keys)).toMatchObject({ endpointId, requestId, attempt: 2, attemptedAt: at });
  });

  it("of another signer, of another key, or altered by a bit, is none", () => {
    const [header, claims, signature] = token.split(".") as [string, string, string];
    const forged = JSON.parse(Buffer.from(claims, "base64url").toString());
    const altered = Buffer.from(JSON.stringify({ ...forged, sub: newId() })).toString("base64url");
    const unsigned = Buffer.from(JSON.stringify({ alg: "none", kid: "ours" })).toString("base64url");
    for (const text of [
      aRelayToken(endpointId, { requestId, by: sign(theirs) }),
      `${header}.${altered}.${signature}`,
      `${unsigned}.${claims}.`,
      `${header}.${claims}.`,
      `${token}.x`,
      "",
      "a.b.c",
    ]) {
      expect(codeOf(() => readRelayToken(text, keys))).toBe("BAD_USER_INPUT");
    }
    expect(codeOf(() => readRelayToken(token, [{ ...keys[0]!, kid: "older" }]))).toBe("BAD_USER_INPUT");
    expect(codeOf(() => readRelayToken(aRelayToken("", { requestId, by: sign(ours) }), keys))).toBe("BAD_USER_INPUT");
  });

  it("proves a body by its hash, and the body bounds what can have been answered", () => {
    const body = JSON.stringify({ model: "m", max_tokens: 20, n: 3, messages: [{ content: "Grüße" }] });
    const proof = readRelayToken(aRelayToken(endpointId, { requestId, body, by: sign(ours) }), keys);
    expect(readProvenBody(body, proof)).toEqual({
      model: "m",
      bytes: Buffer.byteLength(body),
      completionTokensMax: 60,
    });
    expect(codeOf(() => readProvenBody(`${body} `, proof))).toBe("BAD_USER_INPUT");
    const bare = readRelayToken(aRelayToken(endpointId, { requestId, body: "[]", by: sign(ours) }), keys);
    expect(readProvenBody("[]", bare)).toMatchObject({ model: null, completionTokensMax: null });
  });
});
