/** What an endpoint that missed its promised uptime loses of its month, by how many times it spent its error budget. */
import { mulDivDown, PPM } from "../money/nano";

/** The thirty days before the month's end, as the service levels counted them. */
export interface UptimeWindow {
  readonly endpointId: string;
  readonly slaTier: string;
  readonly targetPpm: number;
  /** Minutes with a verdict; those without evidence and those in maintenance are not among them. */
  readonly eligibleMinutes: number;
  readonly badMinutes: number;
}

/** A day: less than that says too little about thirty. */
const ELIGIBLE_MINUTES_MIN = 1_440;

/**
 * Of what the endpoint's requests accrued in the month. The budget is 1 − target: at 99.5 % that is under 99.5 % a tenth,
 * under 99 % a quarter, under 95 % a half.
 */
const steps = [
  { budgetsSpent: 10n, ppm: 500_000n },
  { budgetsSpent: 2n, ppm: 250_000n },
  { budgetsSpent: 1n, ppm: 100_000n },
] as const;

/** 0 while the window holds its promise, however bad single days were, and where there is too little evidence. */
export function adjustmentPpm({ targetPpm, eligibleMinutes, badMinutes }: UptimeWindow): bigint {
  if (eligibleMinutes < ELIGIBLE_MINUTES_MIN) return 0n;
  const bad = BigInt(badMinutes) * PPM;
  const budget = BigInt(eligibleMinutes) * (PPM - BigInt(targetPpm));
  return steps.find(({ budgetsSpent }) => bad > budget * budgetsSpent)?.ppm ?? 0n;
}

/** For display; the rule itself counts minutes. */
export const uptimePpm = ({ eligibleMinutes, badMinutes }: UptimeWindow): number =>
  Number(mulDivDown(BigInt(eligibleMinutes - badMinutes), PPM, BigInt(eligibleMinutes)));

export const adjustmentNanoUsd = (accruedNanoUsd: bigint, ppm: bigint): bigint => mulDivDown(accruedNanoUsd, ppm, PPM);
