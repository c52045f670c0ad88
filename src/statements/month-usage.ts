/** What a provider delivered in a month, as the usage records have it: by statement line, by endpoint, and as parts to price. */
import type { EntityManager } from "typeorm";
import type { ClientSegment, Workload } from "../../schema/enums";
import { DomainError } from "../platform/errors";
import type { RateCard } from "../pricing/rate-card";
import type { MonthPart } from "../pricing/revenue";

/** Usage that one line tells of. */
export interface UsageGroup {
  readonly fixingId: string;
  readonly priceNanoUsd: bigint;
  readonly rateCardId: string;
  readonly accelerator: string;
  readonly region: string;
  readonly segment: ClientSegment;
  readonly workload: Workload;
  readonly sharePpm: bigint;
  readonly requests: number;
  readonly gpuNanos: bigint;
  readonly accruedNanoUsd: bigint;
}

interface GroupRow {
  fixing_id: string;
  price: string | null;
  rate_card_id: string;
  accelerator: string;
  region: string;
  segment: ClientSegment;
  workload: Workload;
  share: string;
  requests: number;
  gpu_nanos: string;
  accrued: string;
}

/** In the order of delivery as far as fixings tell it: tiers of a graduated card fill up in this order. */
const groups = `
  SELECT u.fixing_id, f.price_nano_usd AS price, u.rate_card_id, u.accelerator, u.region, u.segment, u.workload,
         u.accrual_share_ppm AS share, count(*)::int AS requests, sum(u.gpu_nanos) AS gpu_nanos,
         sum(u.accrual_nano_usd) AS accrued
    FROM usage_record u LEFT JOIN fixing f ON f.id = u.fixing_id
   WHERE u.provider_id = $1 AND u.period = $2
   GROUP BY u.fixing_id, f.hour, f.price_nano_usd, u.rate_card_id, u.accelerator, u.region, u.segment, u.workload, u.accrual_share_ppm
   ORDER BY f.hour, u.fixing_id, u.rate_card_id, u.segment, u.workload, u.accelerator, u.region, u.accrual_share_ppm`;

/** Errors: STATEMENT_MISMATCH when a record names a fixing that is not there. */
export async function usageGroups(tx: EntityManager, providerId: string, period: string): Promise<UsageGroup[]> {
  const rows: GroupRow[] = await tx.query(groups, [providerId, period]);
  return rows.map((row) => {
    if (row.price === null) {
      throw new DomainError(
        "STATEMENT_MISMATCH",
        `Usage of ${period} names the fixing ${row.fixing_id}, which is not there.`,
      );
    }
    return {
      fixingId: row.fixing_id,
      priceNanoUsd: BigInt(row.price),
      rateCardId: row.rate_card_id,
      accelerator: row.accelerator,
      region: row.region,
      segment: row.segment,
      workload: row.workload,
      sharePpm: BigInt(row.share),
      requests: row.requests,
      gpuNanos: BigInt(row.gpu_nanos),
      accruedNanoUsd: BigInt(row.accrued),
    };
  });
}

/** By endpoint; those that accrued nothing are left out. */
export async function accruedByEndpoint(
  tx: EntityManager,
  providerId: string,
  period: string,
): Promise<Map<string, bigint>> {
  const rows: { endpoint_id: string; accrued: string }[] = await tx.query(
    `SELECT endpoint_id, sum(accrual_nano_usd) AS accrued FROM usage_record
      WHERE provider_id = $1 AND period = $2 GROUP BY endpoint_id HAVING sum(accrual_nano_usd) > 0 ORDER BY endpoint_id`,
    [providerId, period],
  );
  return new Map(rows.map((row) => [row.endpoint_id, BigInt(row.accrued)]));
}

/**
 * One part per fixing and card, in the order of `used`: what the month earns is computed on the sum of their GPU time, so
 * that a month at one fixing is exactly what the public calculator says of it, whatever each request was rounded to.
 * Errors: STATEMENT_MISMATCH when a card is not there.
 */
export function monthParts(
  used: readonly Pick<UsageGroup, "fixingId" | "priceNanoUsd" | "rateCardId" | "gpuNanos">[],
  cards: ReadonlyMap<string, RateCard>,
): MonthPart[] {
  const parts = new Map<string, { card: RateCard; fixingNanoUsdPerGpuHour: bigint; gpuNanos: bigint }>();
  for (const { fixingId, priceNanoUsd, rateCardId, gpuNanos } of used) {
    const key = `${fixingId}|${rateCardId}`;
    const card = cards.get(rateCardId);
    if (card === undefined) {
      throw new DomainError("STATEMENT_MISMATCH", `Usage names the rate card ${rateCardId}, which is not there.`);
    }
    const part = parts.get(key) ?? { card, fixingNanoUsdPerGpuHour: priceNanoUsd, gpuNanos: 0n };
    part.gpuNanos += gpuNanos;
    parts.set(key, part);
  }
  return [...parts.values()];
}
