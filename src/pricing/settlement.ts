/** The three amounts of one settlement: what the startup is charged, what the provider earns, what backing is released. */
import { mulDivDown, mulDivHalfEven, PPM } from "../money/nano";
import type { RateCard } from "./rate-card";
import { GPU_HOUR_NANOS } from "./tier";

/** Credits charged for GPU time: hours × fixing × redemption factor, rounded once. */
export function chargeNanoCredit(
  gpuNanos: bigint,
  fixingNanoUsdPerGpuHour: bigint,
  card: Pick<RateCard, "redemptionFactorPpm">,
): bigint {
  return mulDivHalfEven(gpuNanos, fixingNanoUsdPerGpuHour * card.redemptionFactorPpm, GPU_HOUR_NANOS * PPM);
}

/** Dollars owed to the provider for GPU time: hours × fixing × share, rounded once. */
export function accrualNanoUsd(gpuNanos: bigint, fixingNanoUsdPerGpuHour: bigint, sharePpm: bigint): bigint {
  return mulDivHalfEven(gpuNanos, fixingNanoUsdPerGpuHour * sharePpm, GPU_HOUR_NANOS * PPM);
}

/**
 * Funded dollars that a captured charge sets free: charge ÷ multiplier, rounded down. However a lot is cut into charges,
 * the sum of these never exceeds what was funded for it; the dust stays backing. `ledger_resolve_holds` books the same in
 * SQL; test/ledger/model.db.test.ts holds the two together. RangeError: multiplier not positive.
 */
export function releaseNanoUsd(chargedNanoCredit: bigint, multiplierPpm: bigint): bigint {
  if (multiplierPpm <= 0n) throw new RangeError(`A multiplier has to be positive, got ${multiplierPpm} ppm.`);
  return mulDivDown(chargedNanoCredit, PPM, multiplierPpm);
}
