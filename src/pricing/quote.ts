/** The price terms of one offering, frozen when a request is admitted: whatever changes later does not reprice it. */
import type { RateCard } from "./rate-card";
import { chargeNanoCredit } from "./settlement";
import { gpuNanosFor, type Throughput, type TokenUsage } from "./token-price";

export interface Quote {
  readonly fixingId: string;
  readonly fixingNanoUsdPerGpuHour: bigint;
  readonly throughput: Throughput;
  readonly card: RateCard;
}

/** What `usage` costs a startup under the quote. */
export function priceNanoCredit(quote: Quote, usage: TokenUsage): bigint {
  return chargeNanoCredit(gpuNanosFor(usage, quote.throughput), quote.fixingNanoUsdPerGpuHour, quote.card);
}
