/** What an observer of the spot market reports, and the bounds of each value. */
import { z } from "zod";
import { NANO, PPM } from "../money/nano";
import { line, placeName } from "../platform/input";

export interface NewObservation {
  accelerator: string;
  region: string;
  source: string;
  /** Per GPU-hour. */
  priceNanoUsd: bigint;
  confidencePpm: bigint;
  observedAt: Date;
}

const OBSERVATIONS_MAX = 1_000;
/** No GPU-hour costs anything near; a slip by a factor of a million does. */
const PRICE_NANO_USD_MAX = 10_000n * NANO;
/** An observer's clock may be ahead of ours; a price from tomorrow is a fault. */
const CLOCK_SKEW_MS_MAX = 300_000;

export const observationFields = (now: Date) =>
  z
    .array(
      z.object({
        accelerator: line(40),
        region: placeName,
        source: line(120),
        priceNanoUsd: z.bigint().min(1n).max(PRICE_NANO_USD_MAX),
        confidencePpm: z.bigint().min(0n).max(PPM),
        observedAt: z.date().max(new Date(now.getTime() + CLOCK_SKEW_MS_MAX), "lies in the future"),
      }),
    )
    .min(1)
    .max(OBSERVATIONS_MAX);
