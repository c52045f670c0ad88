/** Whether a facility's dollars pay for what its credits may still cost providers: the ratio, and what keeps to its floor. */
import { formatNano, NANO, PPM } from "../money/nano";
import { DomainError } from "../platform/errors";
import { type RateCard, sharePpm } from "../pricing/rate-card";
import { creditFor, MULTIPLIER_PPM_MAX, splitFee } from "./facility-rules";

const CENT = NANO / 100n;

/**
 * Dollars that a provider can be owed for one credit, kept as the fraction `share ÷ factor`, so that no rounding decides.
 * A charge is hours × fixing × redemption factor, the accrual hours × fixing × share, both with the fixing that was frozen
 * on the request: whatever the level of the fixing, it cancels out.
 */
export interface CreditCost {
  readonly sharePpm: bigint;
  readonly redemptionFactorPpm: bigint;
}

/** Dollars that stand behind credits, and the credits that can still be spent: available, held, lent to relays, blocked. */
export interface Position {
  readonly backingNanoUsd: bigint;
  readonly outstandingNanoCredit: bigint;
}

export type CostTerms = Pick<RateCard, "baseSharePpm" | "premiumReading" | "redemptionFactorPpm"> & {
  readonly tiers: readonly { readonly premiumPpm: bigint }[];
};

/** The dearest tier of all these cards, negotiated ones too: nobody knows yet which provider will serve a credit. RangeError: no card. */
export function worstCost(cards: readonly CostTerms[]): CreditCost {
  const costs = cards.flatMap((card) =>
    card.tiers.map((tier) => ({ sharePpm: sharePpm(card, tier), redemptionFactorPpm: card.redemptionFactorPpm })),
  );
  const [first, ...others] = costs;
  if (first === undefined) throw new RangeError("Without a rate card nobody knows what a credit costs.");
  return others.reduce((worst, cost) => (dearer(cost, worst) ? cost : worst), first);
}

const dearer = (a: CreditCost, b: CreditCost): boolean =>
  a.sharePpm * b.redemptionFactorPpm > b.sharePpm * a.redemptionFactorPpm;

/** As a figure to show: dollars per credit, rounded up. */
export const costPpm = ({ sharePpm, redemptionFactorPpm }: CreditCost): bigint =>
  (sharePpm * PPM + redemptionFactorPpm - 1n) / redemptionFactorPpm;

/** backing ÷ (outstanding × cost), rounded down: 1 pays for everything. Null when there is nothing to pay for. */
export function coveragePpm({ backingNanoUsd, outstandingNanoCredit }: Position, cost: CreditCost): bigint | null {
  if (outstandingNanoCredit <= 0n || cost.sharePpm <= 0n) return null;
  return (backingNanoUsd * cost.redemptionFactorPpm * PPM) / (outstandingNanoCredit * cost.sharePpm);
}

/** Of what nothing is asked, nothing is missing. */
export const isCovered = (ratioPpm: bigint | null, floorPpm: bigint): boolean =>
  ratioPpm === null || ratioPpm >= floorPpm;

export const sumOf = (positions: readonly Position[]): Position => ({
  backingNanoUsd: positions.reduce((sum, { backingNanoUsd }) => sum + backingNanoUsd, 0n),
  outstandingNanoCredit: positions.reduce((sum, { outstandingNanoCredit }) => sum + outstandingNanoCredit, 0n),
});

export interface IssuanceTerms {
  readonly multiplierPpm: bigint;
  readonly originationFeePpm: bigint;
  readonly coverageFloorPpm: bigint;
}

/** What stands after `amountNanoUsd` more was drawn. */
export function afterDrawing(position: Position, terms: IssuanceTerms, amountNanoUsd: bigint): Position {
  return {
    backingNanoUsd: position.backingNanoUsd + splitFee(amountNanoUsd, terms.originationFeePpm).netNanoUsd,
    outstandingNanoCredit: position.outstandingNanoCredit + creditFor(amountNanoUsd, terms.multiplierPpm),
  };
}

/** What a million dollars drawn at these terms would be covered at by themselves; rounding is far below a ppm of it. */
export function issuanceCoveragePpm(terms: Omit<IssuanceTerms, "coverageFloorPpm">, cost: CreditCost): bigint | null {
  return coveragePpm(
    {
      backingNanoUsd: splitFee(PPM * PPM, terms.originationFeePpm).netNanoUsd,
      outstandingNanoCredit: creditFor(PPM * PPM, terms.multiplierPpm),
    },
    cost,
  );
}

/**
 * How much of `askedNanoUsd` can be drawn so that the floor is kept, in whole cents unless it is all of it: what fits to the
 * nano-dollar would be an accident of rounding. 0 when nothing does.
 */
export function coveredAmount(
  position: Position,
  terms: IssuanceTerms,
  cost: CreditCost,
  askedNanoUsd: bigint,
): bigint {
  const cents = (count: bigint) => (count * CENT < askedNanoUsd ? count * CENT : askedNanoUsd);
  const keeps = (amount: bigint) =>
    isCovered(coveragePpm(afterDrawing(position, terms, amount), cost), terms.coverageFloorPpm);
  if (keeps(askedNanoUsd)) return askedNanoUsd;
  if (!keeps(0n)) return 0n;
  let [kept, broken] = [0n, (askedNanoUsd + CENT - 1n) / CENT];
  while (broken - kept > 1n) {
    const middle = (kept + broken) / 2n;
    if (keeps(cents(middle))) kept = middle;
    else broken = middle;
  }
  return cents(kept);
}

/** The highest multiplier at which a dollar drawn is covered by itself, up to the highest that there is. */
export function coveredMultiplierPpm(
  { originationFeePpm, coverageFloorPpm }: Pick<IssuanceTerms, "originationFeePpm" | "coverageFloorPpm">,
  { sharePpm, redemptionFactorPpm }: CreditCost,
): bigint {
  if (sharePpm <= 0n) return MULTIPLIER_PPM_MAX;
  const ppm = ((PPM - originationFeePpm) * redemptionFactorPpm * PPM) / (sharePpm * coverageFloorPpm);
  return ppm < MULTIPLIER_PPM_MAX ? ppm : MULTIPLIER_PPM_MAX;
}

/** Errors: COVERAGE_BELOW_FLOOR, with the figures as they would be after the drawdown. */
export function checkCoverage(position: Position, terms: IssuanceTerms, cost: CreditCost, amountNanoUsd: bigint): void {
  const after = afterDrawing(position, terms, amountNanoUsd);
  const ratioPpm = coveragePpm(after, cost);
  if (ratioPpm === null || ratioPpm >= terms.coverageFloorPpm) return;
  const fittingNanoUsd = coveredAmount(position, terms, cost, amountNanoUsd);
  const multiplierPpm = coveredMultiplierPpm(terms, cost);
  const remedy =
    fittingNanoUsd > 0n
      ? `Up to ${formatNano(fittingNanoUsd)} USD would fit.`
      : `With these fees a multiplier of up to ${ratio(multiplierPpm)} would be covered.`;
  throw new DomainError(
    "COVERAGE_BELOW_FLOOR",
    `After this drawdown ${formatNano(after.backingNanoUsd)} USD would stand behind ` +
      `${formatNano(after.outstandingNanoCredit)} CRD, which may cost providers up to ${ratio(costPpm(cost))} USD each: ` +
      `a coverage of ${ratio(ratioPpm)}, below the floor of ${ratio(terms.coverageFloorPpm)}. ${remedy}`,
    {
      field: "amount",
      details: {
        coveragePpm: ratioPpm.toString(),
        floorPpm: terms.coverageFloorPpm.toString(),
        backingNanoUsd: after.backingNanoUsd.toString(),
        outstandingNanoCredit: after.outstandingNanoCredit.toString(),
        worstCostPpm: costPpm(cost).toString(),
        requestedNanoUsd: amountNanoUsd.toString(),
        fittingNanoUsd: fittingNanoUsd.toString(),
        coveredMultiplierPpm: multiplierPpm.toString(),
      },
    },
  );
}

const ratio = (ppm: bigint): string => formatNano(ppm * 1_000n);
