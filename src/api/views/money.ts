/** Exact integers inside, decimal text outside: money, ratios and GPU time, both ways. */

import type { Money } from "../../../schema/money";
import { formatNano, parseNano } from "../../money/nano";
import { DomainError } from "../../platform/errors";

export const usd = (nano: bigint): Money => ({ amount: formatNano(nano), currency: "USD" });
export const credits = (nano: bigint): Money => ({ amount: formatNano(nano), currency: "CRD" });

const NANO_PER_PPM = 1_000n;

/** 850000 ppm → "0.85". */
export const ratio = (ppm: bigint | number): string => formatNano(BigInt(ppm) * NANO_PER_PPM);
/** GPU-nanoseconds → GPU-seconds. */
export const gpuSeconds = (gpuNanos: bigint): string => formatNano(gpuNanos);

/** Errors: BAD_USER_INPUT naming `field` when the amount has more than nine decimals or is too large. */
export function readNano(text: string, field: string | string[]): bigint {
  try {
    return parseNano(text);
  } catch (error) {
    if (error instanceof RangeError) throw new DomainError("BAD_USER_INPUT", error.message, { field });
    throw error;
  }
}

/** "1.35" → 1350000n. Errors: BAD_USER_INPUT naming `field`; a ratio has at most six decimals. */
export function readPpm(text: string, field: string | string[]): bigint {
  const nano = readNano(text, field);
  if (nano % NANO_PER_PPM !== 0n) {
    throw new DomainError(
      "BAD_USER_INPUT",
      `${JSON.stringify(text)} has more than six decimals, a ratio has at most six.`,
      {
        field,
      },
    );
  }
  return nano / NANO_PER_PPM;
}
