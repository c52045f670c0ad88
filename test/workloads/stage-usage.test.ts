/** A stage is charged for what was reported since the last one, within what the relay saw: bytes, limits, wall time. */
import fc from "fast-check";
import { gpuNanosFor } from "../../src/pricing/token-price";
import {
  isWorthAStage,
  linesUsage,
  trainedTokensMax,
  trainingUsage,
  withinWallTime,
} from "../../src/workloads/stage-usage";

const throughput = { prefillTokensPerGpuSecond: 1_000, decodeTokensPerGpuSecond: 100 };
const evidence = { tokensMax: 1_000n, chargedTokens: 0n, finished: false };

describe("a training", () => {
  it("is charged for what it has read since the last stage", () => {
    expect(trainingUsage({ ...evidence, claim: 300, chargedTokens: 100n })).toMatchObject({
      promptTokens: 200,
      completionTokens: 0,
      clamped: false,
      source: "REPORTED",
    });
  });

  it("is charged to the bound and flagged when it claims more than its file has bytes", () => {
    expect(trainedTokensMax(500n, 2)).toBe(1_000n);
    expect(trainingUsage({ ...evidence, claim: 5_000 })).toMatchObject({ promptTokens: 1_000, clamped: true });
    // The bound was charged: nothing more can be.
    expect(trainingUsage({ ...evidence, claim: 5_000, chargedTokens: 1_000n })).toBeNull();
  });

  it.each([[undefined], [null], ["300"], [-1], [1.5], [Number.NaN], [2 ** 60], [{}]])(
    "waits when it claims %p, and is estimated when it has finished",
    (claim) => {
      expect(trainingUsage({ ...evidence, claim })).toBeNull();
      const finished = trainingUsage({ ...evidence, claim, finished: true });
      expect(finished).toMatchObject({ promptTokens: 250, source: "ESTIMATED", claimedPromptTokens: null });
      expect(finished?.clamped).toBe(claim !== undefined && claim !== null);
    },
  );

  it("never gives back what it has reported before", () => {
    expect(trainingUsage({ ...evidence, claim: 100, chargedTokens: 300n })).toBeNull();
  });

  it("comes to no more than its bound, whatever is claimed in whatever order", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer(), fc.double(), fc.constant(null))), (claims) => {
        let charged = 0n;
        for (const claim of claims) {
          const usage = trainingUsage({ ...evidence, claim, chargedTokens: charged });
          charged += BigInt(usage?.promptTokens ?? 0);
        }
        expect(charged <= evidence.tokensMax).toBe(true);
      }),
    );
  });
});

describe("the lines of a batch", () => {
  const one = {
    usage: { prompt_tokens: 10, completion_tokens: 5 },
    promptBytes: 40,
    maxCompletionTokens: 20,
    deliveredBytes: 80,
    choices: 1,
    hidesOutput: false,
  };

  it("that hide some of what was written are bounded by what they allow, others by what came", () => {
    const short = { ...one, usage: { prompt_tokens: 10, completion_tokens: 20 }, deliveredBytes: 4 };
    const ends = { ...short, choices: 3 };
    expect([short, ends, { ...short, hidesOutput: true }].map((line) => linesUsage([line])!.completionTokens)).toEqual([
      5, 7, 20,
    ]);
  });

  it("are charged together, each within its own bound", () => {
    const much = { ...one, usage: { prompt_tokens: 1_000, completion_tokens: 1_000 } };
    expect(linesUsage([one, much])).toMatchObject({
      promptTokens: 10 + 40 + 64,
      completionTokens: 5 + 20,
      clamped: true,
      claimedPromptTokens: 1_010,
    });
  });

  it("that are none are not charged", () => {
    expect(linesUsage([])).toBeNull();
  });

  it("without figures are estimated", () => {
    expect(linesUsage([{ ...one, usage: undefined }])).toMatchObject({
      promptTokens: 10,
      completionTokens: 20,
      source: "ESTIMATED",
      claimedPromptTokens: null,
    });
  });
});

describe("the wall clock", () => {
  const usage = trainingUsage({ ...evidence, tokensMax: 100_000n, claim: 80_000 })!;
  const terms = { throughput, gpuCount: 8, chargedGpuNanos: 0n };

  it("bounds GPU time by the GPUs of the endpoint", () => {
    // 80 GPU-seconds fit into ten seconds of eight GPUs, and not into five.
    expect(withinWallTime(usage, { ...terms, elapsedMs: 10_000 })).toBe(usage);
    expect(withinWallTime(usage, { ...terms, elapsedMs: 5_000 })).toMatchObject({
      promptTokens: 40_000,
      clamped: true,
    });
  });

  it("counts what earlier stages had", () => {
    const chargedGpuNanos = 35_000_000_000n;
    expect(withinWallTime(usage, { ...terms, elapsedMs: 5_000, chargedGpuNanos })).toMatchObject({
      promptTokens: 5_000,
    });
    expect(withinWallTime(usage, { ...terms, elapsedMs: 1_000, chargedGpuNanos })).toBeNull();
  });

  it("is never overrun", () => {
    const tokens = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(tokens, tokens, fc.integer({ min: 0, max: 60_000 }), (promptTokens, completionTokens, elapsedMs) => {
        const cut = withinWallTime({ ...usage, promptTokens, completionTokens }, { ...terms, elapsedMs });
        const gpuNanos = cut === null ? 0n : gpuNanosFor(cut, throughput);
        expect(gpuNanos <= BigInt(elapsedMs) * 1_000_000n * 8n).toBe(true);
      }),
    );
  });
});

test("a stage is worth a booking from a hundredth of the job on", () => {
  const bounds = { promptTokens: 9_000n, completionTokens: 1_000n };
  const of = (promptTokens: number) =>
    isWorthAStage({ ...trainingUsage({ ...evidence, claim: 1 })!, promptTokens }, bounds);
  expect([of(99), of(100)]).toEqual([false, true]);
});
