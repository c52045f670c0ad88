/** How much credit one request needs at most, whoever serves it, and how many output tokens a balance still affords. */
import { priceNanoCredit, type Quote } from "../pricing/quote";
import type { TokenUsage } from "../pricing/token-price";

/** The dearest of the quotes: failover may end at any of them. At least one nano-credit, so that every request has a hold. */
export function holdAmountNanoCredit(quotes: readonly Quote[], usage: TokenUsage): bigint {
  let most = 1n;
  for (const quote of quotes) {
    const price = priceNanoCredit(quote, usage);
    if (price > most) most = price;
  }
  return most;
}

/** The most output tokens, up to `limit`, whose hold fits into `availableNanoCredit`; 0 when the prompt alone does not fit. */
export function affordableCompletionTokens(
  quotes: readonly Quote[],
  promptTokens: number,
  availableNanoCredit: bigint,
  limit: number,
): number {
  let fits = 0;
  let tooMany = limit + 1;
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (holdAmountNanoCredit(quotes, { promptTokens, completionTokens: middle }) <= availableNanoCredit) fits = middle;
    else tooMany = middle;
  }
  return fits;
}
