/** Which rate card holds for whom and when, and which terms may be approved at all. */
import { formatNano, mulDivDown, mulDivHalfEven, PPM } from "../money/nano";
import { DomainError } from "../platform/errors";
import { type RateCard, type RateCardTerms, sharePpm } from "./rate-card";

/** What decides whether a card is in force. */
export interface CardLife {
  readonly providerId: string | null;
  readonly version: number;
  readonly effectiveAt: Date;
  readonly approvedAt: Date | null;
  readonly retiredAt: Date | null;
}

const TIERS_MAX = 20;
/** No facility turns a dollar into more; one that takes a fee up front leaves less of the dollar behind each credit. */
export const MULTIPLIER_PPM_MAX = 1_500_000n;

const isInForce = (card: CardLife, at: Date): boolean =>
  card.approvedAt !== null && card.effectiveAt <= at && (card.retiredAt === null || card.retiredAt > at);

const isNewer = (card: CardLife, than: CardLife): boolean =>
  card.effectiveAt > than.effectiveAt || (+card.effectiveAt === +than.effectiveAt && card.version > than.version);

/** The provider's newest negotiated card that is in force at `at`, else the newest standard one; undefined when there is neither. */
export function cardInForce<Card extends CardLife>(
  cards: readonly Card[],
  at: Date,
  providerId: string | null,
): Card | undefined {
  const newest = (owner: string | null) =>
    cards
      .filter((card) => card.providerId === owner && isInForce(card, at))
      .reduce<Card | undefined>((best, card) => (best === undefined || isNewer(card, best) ? card : best), undefined);
  return (providerId === null ? undefined : newest(providerId)) ?? newest(null);
}

/** The largest share of the fixing that the card pays anybody. */
export const worstSharePpm = (card: Pick<RateCard, "baseSharePpm" | "premiumReading" | "tiers">): bigint =>
  card.tiers.map((tier) => sharePpm(card, tier)).reduce((worst, share) => (share > worst ? share : worst), 0n);

/** Errors: BAD_USER_INPUT, naming the term at fault. */
export function checkTerms(terms: RateCardTerms): void {
  const refuse = (field: readonly string[], text: string) => {
    throw new DomainError("BAD_USER_INPUT", `${field.join(".")}: ${text}`, { field });
  };
  if (terms.baseSharePpm <= 0n || terms.baseSharePpm > PPM) refuse(["baseShare"], "must be above 0 and at most 1");
  if (terms.redemptionFactorPpm < PPM || terms.redemptionFactorPpm > 10n * PPM) {
    refuse(["redemptionFactor"], "must be 1 to 10");
  }
  if (terms.tiers.length < 1 || terms.tiers.length > TIERS_MAX) refuse(["tiers"], `must be 1 to ${TIERS_MAX}`);
  terms.tiers.forEach(({ upToGpuHours, premiumPpm }, index) => {
    const edge = ["tiers", String(index), "upToGpuHours"];
    const before = index === 0 ? 0n : (terms.tiers[index - 1]?.upToGpuHours ?? 0n);
    if ((upToGpuHours === null) !== (index === terms.tiers.length - 1))
      refuse(edge, "is left out of the last tier only");
    if (upToGpuHours !== null && upToGpuHours <= before) refuse(edge, "must be above that of the tier before");
    if (premiumPpm < -PPM || premiumPpm > PPM) refuse(["tiers", String(index), "premium"], "must be -1 to 1");
    if (sharePpm(terms, terms.tiers[index]!) <= 0n) refuse(["tiers", String(index), "premium"], "leaves no share");
  });
}

/**
 * A dollar that was funded becomes up to `multiplierPpm` of credit, and every credit of that may be redeemed at the worst
 * share: if that is more than the dollar, full use of the facility owes providers more than was funded.
 * Errors: RATE_CARD_INSOLVENT with the figures.
 */
export function checkSolvency(terms: RateCardTerms, multiplierPpm: bigint): void {
  const share = worstSharePpm(terms);
  if (multiplierPpm * share <= terms.redemptionFactorPpm * PPM) return;
  const text = (ppm: bigint) => formatNano(ppm * 1_000n);
  const most = mulDivDown(terms.redemptionFactorPpm, PPM, multiplierPpm);
  throw new DomainError(
    "RATE_CARD_INSOLVENT",
    `At a worst share of ${text(share)} a dollar that became ${text(multiplierPpm)} of credit owes providers ` +
      `${text(mulDivHalfEven(multiplierPpm, share, terms.redemptionFactorPpm))} dollars, redeemed at ` +
      `${text(terms.redemptionFactorPpm)}; no share may exceed ${text(most)}.`,
    {
      field: "id",
      details: {
        worstSharePpm: share,
        multiplierPpm,
        redemptionFactorPpm: terms.redemptionFactorPpm,
        sharePpmMax: most,
      },
    },
  );
}
