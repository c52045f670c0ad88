/** Tokens become GPU time with one rounding, and the price shown is the price charged. */
import fc from "fast-check";
import { STANDARD_RATE_CARD_TERMS } from "../../src/pricing/rate-card";
import { chargeNanoCredit } from "../../src/pricing/settlement";
import { GPU_HOUR_NANOS } from "../../src/pricing/tier";
import { gpuNanosFor, pricePerMillionTokens } from "../../src/pricing/token-price";

const terms = STANDARD_RATE_CARD_TERMS;
const aThroughput = fc.record({
  prefillTokensPerGpuSecond: fc.integer({ min: 1, max: 1_000_000 }),
  decodeTokensPerGpuSecond: fc.integer({ min: 1, max: 100_000 }),
});
const aUsage = fc.record({
  promptTokens: fc.integer({ min: 0, max: 2_000_000 }),
  completionTokens: fc.integer({ min: 0, max: 2_000_000 }),
});

test("1,000 prompt tokens at 10,000/s and 50 completion tokens at 100/s take 0.6 GPU-seconds", () => {
  const usage = { promptTokens: 1_000, completionTokens: 50 };
  expect(gpuNanosFor(usage, { prefillTokensPerGpuSecond: 10_000, decodeTokensPerGpuSecond: 100 })).toBe(600_000_000n);
});

test("the two parts are added before rounding, so two thirds and one third make a whole second", () => {
  const thirds = { prefillTokensPerGpuSecond: 3, decodeTokensPerGpuSecond: 3 };
  expect(gpuNanosFor({ promptTokens: 2, completionTokens: 1 }, thirds)).toBe(1_000_000_000n);
});

test("GPU time is within half a nanosecond of the exact fraction", () => {
  fc.assert(
    fc.property(aUsage, aThroughput, (usage, throughput) => {
      const prefill = BigInt(throughput.prefillTokensPerGpuSecond);
      const decode = BigInt(throughput.decodeTokensPerGpuSecond);
      const exact = (BigInt(usage.promptTokens) * decode + BigInt(usage.completionTokens) * prefill) * 1_000_000_000n;
      const doubledError = 2n * (gpuNanosFor(usage, throughput) * prefill * decode - exact);
      return doubledError <= prefill * decode && -doubledError <= prefill * decode;
    }),
  );
});

test("more tokens never take less time, and faster hardware never more", () => {
  fc.assert(
    fc.property(aUsage, aThroughput, (usage, throughput) => {
      const nanos = gpuNanosFor(usage, throughput);
      const longer = { ...usage, completionTokens: usage.completionTokens + 1 };
      const faster = { ...throughput, decodeTokensPerGpuSecond: throughput.decodeTokensPerGpuSecond + 1 };
      return gpuNanosFor(longer, throughput) >= nanos && gpuNanosFor(usage, faster) <= nanos;
    }),
  );
});

test("at $3.60 an hour and 1,000 tokens a second a million tokens cost 1.35 credits", () => {
  const throughput = { prefillTokensPerGpuSecond: 10_000, decodeTokensPerGpuSecond: 1_000 };
  expect(pricePerMillionTokens(throughput, 3_600_000_000n, terms)).toEqual({
    promptNanoCredit: 135_000_000n,
    completionNanoCredit: 1_350_000_000n,
  });
});

test("the price shown per million is what a request of a million tokens is charged", () => {
  fc.assert(
    fc.property(aThroughput, fc.bigInt({ min: 1n, max: 100_000_000_000n }), (throughput, fixing) => {
      const price = pricePerMillionTokens(throughput, fixing, terms);
      const prompt = gpuNanosFor({ promptTokens: 1_000_000, completionTokens: 0 }, throughput);
      const completion = gpuNanosFor({ promptTokens: 0, completionTokens: 1_000_000 }, throughput);
      expect(price.promptNanoCredit).toBe(chargeNanoCredit(prompt, fixing, terms));
      expect(price.completionNanoCredit).toBe(chargeNanoCredit(completion, fixing, terms));
    }),
  );
});

test("one GPU-hour of decoding costs the same whether counted in tokens or in time", () => {
  const throughput = { prefillTokensPerGpuSecond: 8_000, decodeTokensPerGpuSecond: 250 };
  expect(gpuNanosFor({ promptTokens: 0, completionTokens: 250 * 3_600 }, throughput)).toBe(GPU_HOUR_NANOS);
});

test.each([
  [{ promptTokens: -1, completionTokens: 0 }, /promptTokens has to be an integer of at least 0, got -1/],
  [{ promptTokens: 0, completionTokens: 0.5 }, /completionTokens has to be an integer of at least 0, got 0.5/],
  [{ promptTokens: Number.NaN, completionTokens: 0 }, /promptTokens/],
])("the usage %j is refused", (usage, message) => {
  expect(() => gpuNanosFor(usage, { prefillTokensPerGpuSecond: 1, decodeTokensPerGpuSecond: 1 })).toThrow(message);
});

test.each([
  { prefillTokensPerGpuSecond: 0, decodeTokensPerGpuSecond: 1 },
  { prefillTokensPerGpuSecond: 1, decodeTokensPerGpuSecond: 1.5 },
  { prefillTokensPerGpuSecond: 1, decodeTokensPerGpuSecond: Number.POSITIVE_INFINITY },
])("the throughput %j is refused", (throughput) => {
  expect(() => gpuNanosFor({ promptTokens: 1, completionTokens: 1 }, throughput)).toThrow(RangeError);
});
