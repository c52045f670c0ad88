/** Rate cards as they are stored: read whole, added to, moved from proposed to approved to retired; terms never change. */
import type { EntityManager } from "typeorm";
import { z } from "zod";
import { PricingTierRow } from "../../entities/pricing-tier";
import { RateCardRow } from "../../entities/rate-card";
import type { PremiumReading, TierReading } from "../../schema/enums";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { existingId, line } from "../platform/input";
import { readRows } from "../platform/rows";
import type { RateCardTerms } from "./rate-card";
import { cardInForce, checkSolvency, MULTIPLIER_PPM_MAX } from "./rate-card-rules";

/** A card with its tiers in order. */
export interface StoredRateCard extends RateCardRow {
  readonly tiers: readonly PricingTierRow[];
}

export interface NewRateCard {
  /** Whose terms these are; null: the standard ones. */
  readonly providerId: string | null;
  readonly effectiveAt: Date;
  readonly reason: string;
  readonly baseSharePpm: bigint;
  readonly tierReading: TierReading;
  readonly premiumReading: PremiumReading;
  /** As on the standard card when left out: what startups pay depends on it, whoever serves them. */
  readonly redemptionFactorPpm: bigint | null;
  /** In order; the last one is open. */
  readonly tiers: readonly { upToGpuHours: bigint | null; premiumPpm: bigint }[];
}

export const rateCardFields = z.object({ reason: line(500) });

/** All of them that the reader may see, in no order; standard ones are few, and a provider has one a year. */
export async function readCards(db: Database): Promise<StoredRateCard[]> {
  const [cards, tiers] = await Promise.all([
    readRows(db, RateCardRow, ""),
    readRows(db, PricingTierRow, "ORDER BY position"),
  ]);
  return withTiers(cards, tiers);
}

export const withTiers = (cards: readonly RateCardRow[], tiers: readonly PricingTierRow[]): StoredRateCard[] =>
  cards.map((card) => ({ ...card, tiers: tiers.filter(({ rateCardId }) => rateCardId === card.id) }));

export async function insertProposal(
  tx: EntityManager,
  proposal: NewRateCard & { terms: RateCardTerms; proposedBy: string; at: Date },
): Promise<StoredRateCard> {
  const { providerId, terms, at } = proposal;
  // One proposal at a time counts, or two would take the same version and the second fail for no fault of its own.
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('exergy.rate-card'))");
  const [{ version }]: [{ version: number }] = await tx.query(
    "SELECT coalesce(max(version), 0) + 1 AS version FROM rate_card WHERE provider_id IS NOT DISTINCT FROM $1",
    [providerId],
  );
  const { tiers, ...own } = terms;
  const card: RateCardRow = {
    id: newId(),
    providerId,
    version,
    state: "PROPOSED",
    effectiveAt: proposal.effectiveAt,
    ...own,
    reason: proposal.reason,
    proposedAt: at,
    proposedBy: proposal.proposedBy,
    approvedAt: null,
    approvedBy: null,
    retiredAt: null,
    retiredBy: null,
  };
  const rows = tiers.map((tier) => ({ ...tier, rateCardId: card.id }));
  await tx.insert(RateCardRow, card);
  await tx.insert(PricingTierRow, rows);
  return { ...card, tiers: rows };
}

/** Locked until commit. Errors: NOT_FOUND. */
export async function lockedCard(tx: EntityManager, id: string): Promise<StoredRateCard> {
  const card = await tx.findOne(RateCardRow, {
    where: { id: existingId(id, "rate card") },
    lock: { mode: "pessimistic_write" },
  });
  if (card === null) throw notFound("rate card", "id");
  const tiers = await tx.find(PricingTierRow, { where: { rateCardId: card.id }, order: { position: "ASC" } });
  return { ...card, tiers };
}

/** Errors: STATE_CONFLICT, SECOND_PERSON_REQUIRED, RATE_CARD_INSOLVENT. */
export async function approveCard(
  tx: EntityManager,
  id: string,
  by: string,
  at: Date,
): Promise<[StoredRateCard, StoredRateCard]> {
  const card = await lockedCard(tx, id);
  if (card.state !== "PROPOSED") throw new DomainError("STATE_CONFLICT", `The rate card is ${card.state}.`);
  if (card.proposedBy === by) {
    throw new DomainError(
      "SECOND_PERSON_REQUIRED",
      "Whoever proposed a rate card cannot approve it: ask somebody else.",
    );
  }
  if (card.effectiveAt < at) {
    throw new DomainError(
      "STATE_CONFLICT",
      `It was to hold from ${card.effectiveAt.toISOString()} on, which is past: propose it again.`,
    );
  }
  checkSolvency(card, await highestMultiplier(tx));
  const moved = { state: "APPROVED" as const, approvedAt: at, approvedBy: by };
  await tx.update(RateCardRow, { id: card.id }, moved);
  return [card, { ...card, ...moved }];
}

/** Errors: NOT_FOUND, STATE_CONFLICT (retired already; or the only standard card that is in force). */
export async function retireCard(
  tx: EntityManager,
  id: string,
  by: string,
  at: Date,
): Promise<[StoredRateCard, StoredRateCard]> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('exergy.rate-card'))");
  const card = await lockedCard(tx, id);
  if (card.state === "RETIRED") throw new DomainError("STATE_CONFLICT", "The rate card is RETIRED.");
  if (card.providerId === null) {
    const others = (await tx.find(RateCardRow)).filter((other) => other.id !== card.id);
    if (cardInForce(others, at, null) === undefined) {
      throw new DomainError("STATE_CONFLICT", "Nothing would be in force without it: propose what follows it first.");
    }
  }
  const moved = { state: "RETIRED" as const, retiredAt: at, retiredBy: by };
  await tx.update(RateCardRow, { id: card.id }, moved);
  return [card, { ...card, ...moved }];
}

/** Of all credit that is or may be issued: facilities issue at their own, and a fee taken from the dollar raises a lot's. */
async function highestMultiplier(tx: EntityManager): Promise<bigint> {
  const [row]: { highest: string }[] = await tx.query(
    `SELECT greatest($1::bigint, (SELECT max(multiplier_ppm) FROM facility),
                     (SELECT max(multiplier_ppm) FROM ledger_account WHERE kind = 'WALLET_LOT')) AS highest`,
    [MULTIPLIER_PPM_MAX.toString()],
  );
  return BigInt(row!.highest);
}
