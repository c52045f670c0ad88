/** What a step of the model test intends; it becomes a hold or a resolution when its turn comes, from what is left then. */
import fc from "fast-check";
import { newRequestId } from "../../src/metering/metering";
import { PPM } from "../../src/money/nano";
import type { HoldRequest, HoldResolution, ReferenceBooks } from "./reference-books";

export const STARTUPS = 3;
export const MULTIPLIERS = [1_250_000n, 1_333_333n, 1_500_000n];

/** An amount that is decided when it is needed: a share of what is left then, give or take one. */
const aroundWhatIsLeft = fc.record({
  ppm: fc.oneof(fc.constantFrom(0n, 500_000n, 1_000_000n, 1_000_000n), fc.bigInt({ min: 0n, max: 1_100_000n })),
  plus: fc.constantFrom(-1n, 0n, 0n, 1n),
});

export const aHold = fc.record({
  startup: fc.nat({ max: STARTUPS - 1 }),
  amount: aroundWhatIsLeft,
  /** Mostly null: a new hold; else the id of an earlier one, in the same batch or before, with the same terms or its own. */
  repeats: fc.oneof(
    { weight: 7, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.record({ hold: fc.nat({ max: 50 }), terms: fc.boolean() }) },
  ),
});

export const aResolution = fc.record({
  hold: fc.nat({ max: 50 }),
  unknown: fc.integer({ min: 0, max: 15 }).map((one) => one === 15),
  resolution: fc.constantFrom<HoldResolution["resolution"]>("CAPTURED", "CAPTURED", "CAPTURED", "VOIDED", "EXPIRED"),
  charge: aroundWhatIsLeft,
  accrualPpm: fc.oneof(fc.constantFrom(0n, 1_000_000n), fc.bigInt({ min: 0n, max: 1_500_000n })),
  provider: fc.nat({ max: 1 }),
});

export type HoldPlan = typeof aHold extends fc.Arbitrary<infer T> ? T : never;
export type ResolutionPlan = typeof aResolution extends fc.Arbitrary<infer T> ? T : never;

const funding = fc.oneof(fc.bigInt({ min: 1n, max: 40n }), fc.bigInt({ min: 1n, max: 10n ** 13n }));
export const anIssue = fc.record({
  startup: fc.nat({ max: STARTUPS - 1 }),
  facility: fc.nat({ max: MULTIPLIERS.length - 1 }),
  funded: funding,
});
function shareOf(left: bigint, { ppm, plus }: HoldPlan["amount"]): bigint {
  const amount = (left * ppm) / PPM + plus;
  return amount > 0n ? amount : 1n;
}

export function holdOf(
  startups: readonly string[],
  model: ReferenceBooks,
  sameBatch: readonly HoldRequest[],
  plan: HoldPlan,
): HoldRequest {
  const startupId = startups[plan.startup]!;
  const own = { id: newRequestId(), startupId, amount: shareOf(model.available(startupId), plan.amount) };
  const known = [...sameBatch, ...[...model.holds].map(([id, { startupId, amount }]) => ({ id, startupId, amount }))];
  if (plan.repeats === null || known.length === 0) return own;
  const earlier = known[plan.repeats.hold % known.length]!;
  return plan.repeats.terms ? earlier : { ...own, id: earlier.id };
}

/** Mostly of an open hold; of a closed one, or of none, when there is no open one. */
export function resolutionOf(
  providers: readonly string[],
  model: ReferenceBooks,
  plan: ResolutionPlan,
): HoldResolution {
  const open = [...model.holds].filter(([, hold]) => hold.state === "HELD");
  const among = plan.unknown ? [] : open.length > plan.hold % 8 ? open : [...model.holds];
  const [holdId, hold] = among[plan.hold % Math.max(1, among.length)] ?? [newRequestId(), undefined];
  const charge = shareOf(hold?.amount ?? 1n, plan.charge) - 1n;
  const accrual = (charge * plan.accrualPpm) / 1_400_000n;
  return { holdId, resolution: plan.resolution, charge, accrual, providerId: providers[plan.provider]! };
}
