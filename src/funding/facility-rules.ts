/** The rules of a facility: which multipliers it may have, how much can still be drawn, how much credit a dollar becomes. */
import { formatNano, mulDivHalfEven, NANO, PPM } from "../money/nano";
import { DomainError } from "../platform/errors";

/** Above 1.50 a funded dollar would buy more GPU time than it pays providers for; below 1.25 there is no product. */
export const MULTIPLIER_PPM_MIN = 1_250_000n;
export const MULTIPLIER_PPM_MAX = 1_500_000n;

/** A billion dollars: nine such facilities fit the one trust account, whose counters are BIGINT nano-dollars. */
export const FACILITY_LIMIT_NANO_USD_MAX = 1_000_000_000n * NANO;

/** Errors: MULTIPLIER_OUT_OF_BOUNDS. */
export function checkMultiplier(multiplierPpm: bigint): void {
  if (multiplierPpm >= MULTIPLIER_PPM_MIN && multiplierPpm <= MULTIPLIER_PPM_MAX) return;
  throw new DomainError("MULTIPLIER_OUT_OF_BOUNDS", "A dollar becomes 1.25 to 1.50 of credit.", {
    field: "multiplier",
    details: { multiplierPpm: multiplierPpm.toString() },
  });
}

/** Credits that an amount becomes; rounded once, half-even, which is far below a nano-dollar's worth. */
export function creditFor(amountNanoUsd: bigint, multiplierPpm: bigint): bigint {
  return mulDivHalfEven(amountNanoUsd, multiplierPpm, PPM);
}

/** Errors: FACILITY_LIMIT_EXCEEDED, with the figures. */
export function checkLimit(facility: { limitNanoUsd: bigint; drawnNanoUsd: bigint }, amountNanoUsd: bigint): void {
  const availableNanoUsd = facility.limitNanoUsd - facility.drawnNanoUsd;
  if (amountNanoUsd <= availableNanoUsd) return;
  throw new DomainError(
    "FACILITY_LIMIT_EXCEEDED",
    `${formatNano(amountNanoUsd)} USD was asked for; of the limit of ${formatNano(facility.limitNanoUsd)} USD, ` +
      `${formatNano(availableNanoUsd)} USD is left.`,
    {
      field: "amount",
      details: {
        limitNanoUsd: facility.limitNanoUsd.toString(),
        drawnNanoUsd: facility.drawnNanoUsd.toString(),
        availableNanoUsd: availableNanoUsd.toString(),
        requestedNanoUsd: amountNanoUsd.toString(),
      },
    },
  );
}
