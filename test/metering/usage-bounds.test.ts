/** Goal: whatever a provider reports, the usage is whole, bounded by what the relay saw, and a lie is flagged. */
import fc from "fast-check";
import { boundUsage, TEMPLATE_TOKENS_MAX, type UsageEvidence } from "../../src/metering/usage-bounds";

const evidence: UsageEvidence = { promptBytes: 400, maxCompletionTokens: 100, deliveredBytes: 200, contentChunks: 48 };

test("an honest report is taken as it is", () => {
  expect(boundUsage({ prompt_tokens: 90, completion_tokens: 50, total_tokens: 140 }, evidence)).toMatchObject({
    promptTokens: 90,
    completionTokens: 50,
    clamped: false,
    source: "REPORTED",
  });
});

test("a report over the bounds is cut to them and flagged", () => {
  expect(boundUsage({ prompt_tokens: 465, completion_tokens: 101 }, evidence)).toMatchObject({
    promptTokens: 464,
    completionTokens: 100,
    clamped: true,
    source: "REPORTED",
  });
});

test("more tokens than delivered bytes cannot be, however many were allowed", () => {
  const short = { ...evidence, deliveredBytes: 10, contentChunks: 3 };
  expect(boundUsage({ prompt_tokens: 1, completion_tokens: 12 }, short)).toMatchObject({
    completionTokens: 11,
    clamped: true,
  });
});

test("a one-letter answer is two tokens, letter and end, and no lie", () => {
  const letter = { ...evidence, deliveredBytes: 1, contentChunks: 1 };
  expect(boundUsage({ prompt_tokens: 1, completion_tokens: 2 }, letter)).toMatchObject({
    completionTokens: 2,
    clamped: false,
  });
});

test("each of several answers has an end of its own", () => {
  const letters = { ...evidence, deliveredBytes: 3, contentChunks: 0, choices: 3 };
  expect(boundUsage({ prompt_tokens: 1, completion_tokens: 6 }, letters)).toMatchObject({
    completionTokens: 6,
    clamped: false,
  });
  expect(boundUsage({ prompt_tokens: 1, completion_tokens: 7 }, letters).clamped).toBe(true);
});

test("where answers are hidden, what was delivered bounds nothing, and what was allowed everything", () => {
  const best = { ...evidence, deliveredBytes: 3, contentChunks: 0, choices: 4, hidesOutput: true };
  expect(boundUsage({ prompt_tokens: 1, completion_tokens: 90 }, best)).toMatchObject({
    completionTokens: 90,
    clamped: false,
  });
  expect(boundUsage({ prompt_tokens: 1, completion_tokens: 101 }, best)).toMatchObject({
    completionTokens: 100,
    clamped: true,
  });
});

test("nothing delivered is at most the end token", () => {
  const silent = { ...evidence, deliveredBytes: 0, contentChunks: 0 };
  expect(boundUsage({ prompt_tokens: 1, completion_tokens: 90 }, silent)).toMatchObject({
    completionTokens: 1,
    clamped: true,
  });
});

test("output whose bytes are unknown is bounded by what was allowed", () => {
  const unseen = { ...evidence, deliveredBytes: 0, contentChunks: 3 };
  expect(boundUsage({ prompt_tokens: 1, completion_tokens: 90 }, unseen)).toMatchObject({
    completionTokens: 90,
    clamped: false,
  });
});

test.each([[undefined], [null], [{}], [{ prompt_tokens: null }]])("%j is estimated without blame", (reported) => {
  expect(boundUsage(reported, evidence)).toMatchObject({
    promptTokens: 100,
    completionTokens: 48,
    clamped: false,
    source: "ESTIMATED",
  });
});

test("without a stream the output is estimated at four bytes a token", () => {
  expect(boundUsage(undefined, { ...evidence, deliveredBytes: 201, contentChunks: 0 }).completionTokens).toBe(51);
});

test.each([[-1], [Number.NaN], [1e308], [Number.POSITIVE_INFINITY], [1.5], ["7"], [true], [[]], [{}]])(
  "a claim of %p is estimated and flagged",
  (claim) => {
    const usage = boundUsage({ prompt_tokens: 90, completion_tokens: claim }, evidence);
    expect(usage).toMatchObject({ promptTokens: 90, completionTokens: 48, clamped: true, source: "ESTIMATED" });
  },
);

test.each([["many"], [7], [[1, 2]], [true]])("a usage of %j is no usage and flagged", (reported) => {
  expect(boundUsage(reported, evidence)).toMatchObject({ clamped: true, source: "ESTIMATED" });
});

const evidences = fc.record({
  promptBytes: fc.nat(1_000_000),
  maxCompletionTokens: fc.integer({ min: 1, max: 200_000 }),
  deliveredBytes: fc.nat(1_000_000),
  contentChunks: fc.nat(100_000),
});

test("no report, however odd, leaves the bounds", () => {
  const odd = fc.oneof(fc.anything(), fc.record({ prompt_tokens: fc.anything(), completion_tokens: fc.anything() }));
  fc.assert(
    fc.property(odd, evidences, (reported, seen) => {
      const { promptTokens, completionTokens } = boundUsage(reported, seen);
      expect(Number.isSafeInteger(promptTokens) && promptTokens >= 0).toBe(true);
      expect(Number.isSafeInteger(completionTokens) && completionTokens >= 0).toBe(true);
      expect(promptTokens).toBeLessThanOrEqual(seen.promptBytes + TEMPLATE_TOKENS_MAX);
      expect(completionTokens).toBeLessThanOrEqual(seen.maxCompletionTokens);
      if (seen.deliveredBytes > 0) expect(completionTokens).toBeLessThanOrEqual(seen.deliveredBytes + 1);
    }),
  );
});

test("a claim is changed exactly when it is flagged", () => {
  fc.assert(
    fc.property(fc.nat(2_000_000), fc.nat(2_000_000), evidences, (prompt, completion, seen) => {
      const usage = boundUsage({ prompt_tokens: prompt, completion_tokens: completion }, seen);
      const kept = usage.promptTokens === prompt && usage.completionTokens === completion;
      expect(usage.clamped).toBe(!kept);
      expect(usage.source).toBe("REPORTED");
    }),
  );
});

test("what was claimed is kept beside what is charged, where it was a whole number at all", () => {
  const claimsOf = (prompt_tokens: unknown, completion_tokens: unknown) => {
    const { claimedPromptTokens, claimedCompletionTokens } = boundUsage({ prompt_tokens, completion_tokens }, evidence);
    return [claimedPromptTokens, claimedCompletionTokens];
  };
  expect(claimsOf(90, 9_000_000)).toEqual([90, 9_000_000]);
  expect(claimsOf(-1, 1.5)).toEqual([-1, null]);
  expect(claimsOf("90", 1e300)).toEqual([null, null]);
  expect(boundUsage(undefined, evidence)).toMatchObject({ claimedPromptTokens: null, claimedCompletionTokens: null });
});
