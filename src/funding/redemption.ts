/** What an hour of a GPU costs in credits: what they redeem at. */
import type { Fixing } from "../../entities/fixing";
import { chargeNanoCredit } from "../pricing/settlement";
import { GPU_HOUR_NANOS } from "../pricing/tier";

export interface RedemptionPrice {
  readonly accelerator: string;
  readonly region: string;
  readonly hour: Date;
  readonly fixingNanoUsd: bigint;
  readonly redemptionFactorPpm: bigint;
  /** Credits per GPU-hour. */
  readonly priceNanoCredit: bigint;
}

/** By the function that also charges. */
export const redemptionPrice = (fixing: Fixing, card: { redemptionFactorPpm: bigint }): RedemptionPrice => ({
  accelerator: fixing.accelerator,
  region: fixing.region,
  hour: fixing.hour,
  fixingNanoUsd: fixing.priceNanoUsd,
  redemptionFactorPpm: card.redemptionFactorPpm,
  priceNanoCredit: chargeNanoCredit(GPU_HOUR_NANOS, fixing.priceNanoUsd, card),
});
