/** The rules of a facility: which terms it may have, what can still be drawn and for whom, how much credit a dollar becomes. */
import { formatNano, mulDivDown, mulDivHalfEven, NANO, PPM } from "../money/nano";
import { DomainError } from "../platform/errors";

/** Above 1.50 a funded dollar would buy more GPU time than it pays providers for; below 1.25 there is no product. */
export const MULTIPLIER_PPM_MIN = 1_250_000n;
export const MULTIPLIER_PPM_MAX = 1_500_000n;

/** A billion dollars: nine such facilities fit the one trust account, whose counters are BIGINT nano-dollars. */
export const FACILITY_LIMIT_NANO_USD_MAX = 1_000_000_000n * NANO;

/** What the market takes is 1 to 3 % once and 0.5 to 1 % a year; beyond these bounds it is a slip of the keyboard. */
export const ORIGINATION_FEE_PPM_MAX = 50_000n;
export const SERVICING_FEE_PPM_MAX = 20_000n;
/** Ten years. */
export const TENOR_DAYS_MAX = 3_650;
/** Below 1 the facility would promise providers dollars that it has not got. */
export const COVERAGE_FLOOR_PPM_MIN = PPM;
export const COVERAGE_FLOOR_PPM_MAX = 2n * PPM;

const DAY_MS = 86_400_000;

/** What a capital partner sets when a facility is opened; it is never changed afterwards. */
export interface FacilityTerms {
  /** Credits per dollar funded. */
  readonly multiplierPpm: bigint;
  /** Taken once, out of the dollars drawn. */
  readonly originationFeePpm: bigint;
  /** A year, on the dollars drawn. */
  readonly servicingFeePpm: bigint;
  /** Null: its lots expire only if a drawdown says so. */
  readonly tenorDays: number | null;
  /** Issuance below it is refused. */
  readonly coverageFloorPpm: bigint;
  /** The share of the limit that one startup may draw. */
  readonly startupLimitPpm: bigint;
}

/** Errors: MULTIPLIER_OUT_OF_BOUNDS. */
export function checkMultiplier(multiplierPpm: bigint): void {
  if (multiplierPpm >= MULTIPLIER_PPM_MIN && multiplierPpm <= MULTIPLIER_PPM_MAX) return;
  throw new DomainError("MULTIPLIER_OUT_OF_BOUNDS", "A dollar becomes 1.25 to 1.50 of credit.", {
    field: "multiplier",
    details: { multiplierPpm: multiplierPpm.toString() },
  });
}

/** Errors: MULTIPLIER_OUT_OF_BOUNDS, BAD_USER_INPUT. */
export function checkTerms(terms: FacilityTerms): void {
  checkMultiplier(terms.multiplierPpm);
  within("originationFee", terms.originationFeePpm, 0n, ORIGINATION_FEE_PPM_MAX);
  within("servicingFee", terms.servicingFeePpm, 0n, SERVICING_FEE_PPM_MAX);
  within("coverageFloor", terms.coverageFloorPpm, COVERAGE_FLOOR_PPM_MIN, COVERAGE_FLOOR_PPM_MAX);
  within("startupLimit", terms.startupLimitPpm, 1n, PPM);
  const { tenorDays } = terms;
  if (tenorDays !== null && !(Number.isInteger(tenorDays) && tenorDays >= 1 && tenorDays <= TENOR_DAYS_MAX)) {
    throw new DomainError("BAD_USER_INPUT", `tenorDays: must be 1 to ${TENOR_DAYS_MAX}`, { field: "tenorDays" });
  }
}

function within(field: string, ppm: bigint, min: bigint, max: bigint): void {
  if (ppm >= min && ppm <= max) return;
  throw new DomainError("BAD_USER_INPUT", `${field}: must be ${ratio(min)} to ${ratio(max)}`, { field });
}

const ratio = (ppm: bigint): string => formatNano(ppm * 1_000n);

/** Credits that an amount becomes; rounded once, half-even, which is far below a nano-dollar's worth. */
export function creditFor(amountNanoUsd: bigint, multiplierPpm: bigint): bigint {
  return mulDivHalfEven(amountNanoUsd, multiplierPpm, PPM);
}

/** What the drawn dollars split into: the fee, and what then stands behind the credits. Nothing is left over. */
export function splitFee(fundedNanoUsd: bigint, originationFeePpm: bigint): { feeNanoUsd: bigint; netNanoUsd: bigint } {
  const feeNanoUsd = mulDivHalfEven(fundedNanoUsd, originationFeePpm, PPM);
  return { feeNanoUsd, netNanoUsd: fundedNanoUsd - feeNanoUsd };
}

/**
 * Credits per dollar that stands behind them, rounded up: then what charges release, each `charge ÷ this` rounded down,
 * never adds up to more than the dollars that are there. `ledger_issue_lot` books the same in SQL.
 */
export function costBasisPpm(creditNanoCredit: bigint, netNanoUsd: bigint): bigint {
  return (creditNanoCredit * PPM + netNanoUsd - 1n) / netNanoUsd;
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

/** One startup's share of the limit is kept to what the partner agreed to. Errors: COVENANT_BREACHED, with the figures. */
export function checkConcentration(
  facility: { limitNanoUsd: bigint; startupLimitPpm: bigint },
  drawnForStartupNanoUsd: bigint,
  amountNanoUsd: bigint,
): void {
  const allowedNanoUsd = mulDivDown(facility.limitNanoUsd, facility.startupLimitPpm, PPM);
  if (drawnForStartupNanoUsd + amountNanoUsd <= allowedNanoUsd) return;
  const fittingNanoUsd = allowedNanoUsd > drawnForStartupNanoUsd ? allowedNanoUsd - drawnForStartupNanoUsd : 0n;
  throw new DomainError(
    "COVENANT_BREACHED",
    `One startup may draw ${ratio(facility.startupLimitPpm)} of this facility's limit, which is ` +
      `${formatNano(allowedNanoUsd)} USD; ${formatNano(drawnForStartupNanoUsd)} USD was drawn for this one before, ` +
      `so ${formatNano(fittingNanoUsd)} USD would fit, not ${formatNano(amountNanoUsd)} USD.`,
    {
      field: "amount",
      details: {
        covenant: "STARTUP_LIMIT",
        startupLimitPpm: facility.startupLimitPpm.toString(),
        allowedNanoUsd: allowedNanoUsd.toString(),
        drawnForStartupNanoUsd: drawnForStartupNanoUsd.toString(),
        requestedNanoUsd: amountNanoUsd.toString(),
        fittingNanoUsd: fittingNanoUsd.toString(),
      },
    },
  );
}

/** When a lot drawn at `drawnAt` expires: after the tenor, or earlier if the drawdown says so. Errors: BAD_USER_INPUT. */
export function expiryOf(tenorDays: number | null, drawnAt: Date, asked: Date | null): Date | null {
  const latest = tenorDays === null ? null : new Date(drawnAt.getTime() + tenorDays * DAY_MS);
  if (asked === null) return latest;
  const bounds = latest === null ? "" : ` and at latest ${latest.toISOString()}, when the facility's tenor ends`;
  if (asked > drawnAt && (latest === null || asked <= latest)) return asked;
  throw new DomainError("BAD_USER_INPUT", `expiresAt: must lie in the future${bounds}`, { field: "expiresAt" });
}
