/** A hold covers the dearest provider that may end up serving, and what a balance affords is exactly what fits. */
import fc from "fast-check";
import { affordableCompletionTokens, holdAmountNanoCredit } from "../../src/metering/hold-amount";
import { priceNanoCredit, type Quote } from "../../src/pricing/quote";
import { STANDARD_RATE_CARD_TERMS } from "../../src/pricing/rate-card";

const card = { ...STANDARD_RATE_CARD_TERMS, id: "a-card", version: 1, effectiveAt: new Date(0) };
const aRate = fc.integer({ min: 1, max: 100_000 });
const aQuote = fc.record({ fixing: fc.bigInt({ min: 1n, max: 20_000_000_000n }), prefill: aRate, decode: aRate }).map(
  ({ fixing, prefill, decode }): Quote => ({
    fixingId: "a-fixing",
    fixingNanoUsdPerGpuHour: fixing,
    throughput: { prefillTokensPerGpuSecond: prefill, decodeTokensPerGpuSecond: decode },
    card,
  }),
);
const someQuotes = fc.array(aQuote, { minLength: 1, maxLength: 4 });
const someTokens = fc.integer({ min: 0, max: 200_000 });

test("whoever serves after a failover, the price of the whole allowance is within the hold", () => {
  fc.assert(
    fc.property(someQuotes, someTokens, someTokens, (quotes, promptTokens, completionTokens) => {
      const hold = holdAmountNanoCredit(quotes, { promptTokens, completionTokens });
      return hold >= 1n && quotes.every((quote) => priceNanoCredit(quote, { promptTokens, completionTokens }) <= hold);
    }),
  );
});

test("what is affordable fits the balance, and one token more would not, unless the limit ended it", () => {
  fc.assert(
    fc.property(
      someQuotes,
      someTokens,
      fc.bigInt({ min: 0n, max: 10n ** 12n }),
      someTokens,
      (quotes, promptTokens, available, limit) => {
        const holdFor = (completionTokens: number) => holdAmountNanoCredit(quotes, { promptTokens, completionTokens });
        const tokens = affordableCompletionTokens(quotes, promptTokens, available, limit);
        const fits = tokens === 0 || holdFor(tokens) <= available;
        return tokens <= limit && fits && (tokens === limit || holdFor(tokens + 1) > available);
      },
    ),
  );
});

test("a balance that cannot even pay the prompt affords nothing", () => {
  fc.assert(
    fc.property(someQuotes, fc.integer({ min: 1, max: 200_000 }), (quotes, promptTokens) => {
      const short = holdAmountNanoCredit(quotes, { promptTokens, completionTokens: 0 }) - 1n;
      return affordableCompletionTokens(quotes, promptTokens, short, 1_000) === 0;
    }),
  );
});
