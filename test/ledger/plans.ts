/** What a step of the model test intends; it becomes an item of a batch when its turn comes, from what is left then. */
import fc from "fast-check";
import { newRequestId, periodOf } from "../../src/metering/metering";
import { PPM } from "../../src/money/nano";
import {
  type Capture,
  type Grant,
  type HoldRequest,
  type HoldResolution,
  least,
  type Purpose,
  type ReferenceBooks,
  type ReferenceLease,
  type Return,
} from "./reference-books";

export const STARTUPS = 3;
export const PROCESSES = 2;
export const MULTIPLIERS = [1_250_000n, 1_333_333n, 1_500_000n];

/** Who takes part in one run: nobody of an earlier one, because history is never emptied. */
export interface Parties {
  readonly startups: readonly string[];
  readonly providers: readonly string[];
  readonly processes: readonly string[];
}

export interface Batch {
  resolutions: HoldResolution[];
  captures: Capture[];
  returns: Return[];
  grants: Grant[];
  holds: HoldRequest[];
}

/** An amount that is decided when it is needed: a share of what is left then, give or take one. */
const aroundWhatIsLeft = fc.record({
  ppm: fc.oneof(fc.constantFrom(0n, 500_000n, 1_000_000n, 1_000_000n), fc.bigInt({ min: 0n, max: 1_100_000n })),
  plus: fc.constantFrom(-1n, 0n, 0n, 1n),
});
type Amount = typeof aroundWhatIsLeft extends fc.Arbitrary<infer T> ? T : never;

const purpose: fc.Arbitrary<Purpose> = fc.constantFrom(
  { accelerators: ["H100"], workload: "INFERENCE" },
  { accelerators: ["H100"], workload: "INFERENCE" },
  { accelerators: ["A100", "H100"], workload: "INFERENCE" },
  { accelerators: ["H100"], workload: "BATCH" },
  { accelerators: null, workload: null },
);
const startup = fc.nat({ max: STARTUPS - 1 });
const process = fc.nat({ max: PROCESSES - 1 });
/** Mostly null: a new act; else an earlier one again. */
const again = fc.oneof({ weight: 7, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat({ max: 50 }) });
const settled = {
  charge: aroundWhatIsLeft,
  accrualPpm: fc.oneof(fc.constantFrom(0n, 1_000_000n), fc.bigInt({ min: 0n, max: 1_500_000n })),
  provider: fc.nat({ max: 1 }),
  /** Asks to be booked into the month before. */
  late: fc.integer({ min: 0, max: 9 }).map((one) => one === 9),
};

export const aHold = fc.record({
  startup,
  amount: aroundWhatIsLeft,
  purpose,
  repeats: again,
  /** Of a repeat: with the same terms, or its own. */
  sameTerms: fc.boolean(),
});
export const aResolution = fc.record({
  hold: fc.nat({ max: 50 }),
  unknown: fc.integer({ min: 0, max: 15 }).map((one) => one === 15),
  resolution: fc.constantFrom<HoldResolution["resolution"]>("CAPTURED", "CAPTURED", "CAPTURED", "VOIDED", "EXPIRED"),
  ...settled,
});
export const aCapture = fc.record({
  lease: fc.nat({ max: 50 }),
  repeats: again,
  /** The relay never asks for more than it set aside; the ledger does not rely on it. */
  beyond: fc.constantFrom(false, false, false, true),
  ...settled,
});
export const aGrant = fc.record({
  startup,
  process,
  purpose,
  amount: aroundWhatIsLeft,
  sharePpm: fc.constantFrom(50_000n, 500_000n, 1_000_000n),
  minimum: fc.constantFrom(0n, 0n, 1_000n),
  /** Into the lease that the process has already, if it has one. */
  tops: fc.boolean(),
  repeats: again,
});
export const aReturn = fc.record({
  lease: fc.nat({ max: 50 }),
  amount: aroundWhatIsLeft,
  acknowledges: fc.boolean(),
  close: fc.integer({ min: 0, max: 3 }).map((one) => one === 3),
});

type PlanOf<A> = A extends fc.Arbitrary<infer T> ? T : never;
type SettledPlan = { charge: Amount; accrualPpm: bigint; provider: number; late: boolean };

const terms = {
  priority: fc.constantFrom(50, 100, 100, 200),
  expiresInMs: fc.constantFrom(null, null, 60_000, 3_600_000),
  accelerators: fc.constantFrom(null, null, ["H100"], ["A100", "H100"]),
  workloads: fc.constantFrom(null, null, null, ["INFERENCE"], ["BATCH", "INFERENCE"]),
  feePpm: fc.constantFrom(0n, 0n, 30_000n),
};
export const anIssue = fc.record({
  startup,
  facility: fc.nat({ max: MULTIPLIERS.length - 1 }),
  funded: fc.oneof(fc.bigInt({ min: 1n, max: 40n }), fc.bigInt({ min: 1n, max: 10n ** 13n })),
  ...terms,
});
export type IssuePlan = PlanOf<typeof anIssue>;

const batchOf = (max: { resolutions: number; captures: number; returns: number; grants: number; holds: number }) =>
  fc.record({
    resolutions: fc.array(aResolution, { maxLength: max.resolutions }),
    captures: fc.array(aCapture, { maxLength: max.captures }),
    returns: fc.array(aReturn, { maxLength: max.returns }),
    grants: fc.array(aGrant, { maxLength: max.grants }),
    holds: fc.array(aHold, { maxLength: max.holds }),
  });
export const aBatch = fc.oneof(
  batchOf({ resolutions: 6, captures: 0, returns: 0, grants: 0, holds: 8 }),
  batchOf({ resolutions: 0, captures: 8, returns: 1, grants: 2, holds: 0 }),
  batchOf({ resolutions: 2, captures: 3, returns: 2, grants: 2, holds: 4 }),
);
export type BatchPlan = PlanOf<typeof aBatch>;

function shareOf(left: bigint, { ppm, plus }: Amount): bigint {
  const amount = (left * ppm) / PPM + plus;
  return amount > 0n ? amount : 1n;
}

/** What was done before, so that it can be done again. */
export class Past {
  readonly captures: Capture[] = [];
  readonly grants: Grant[] = [];
}

/** Turns plans into items, kind by kind and each from what the ones before it left, and plays them on the model. */
export class Player {
  constructor(
    private readonly parties: Parties,
    private readonly model: ReferenceBooks,
    private readonly past: Past,
  ) {}

  play(plan: BatchPlan): { batch: Batch; expected: Record<keyof Batch, readonly object[]> } {
    const resolutions = plan.resolutions.map((one) => this.resolution(one));
    const resolved = this.model.resolve(resolutions);
    const captures = this.captures(plan.captures);
    const captured = this.model.capture(captures);
    const returns: Return[] = [];
    const returned = plan.returns.flatMap((one) => {
      const item = this.return(one);
      if (item === null) return [];
      returns.push(item);
      return this.model.giveBack([item]);
    });
    const grants: Grant[] = [];
    const granted = plan.grants.flatMap((one) => {
      const item = this.grant(one);
      grants.push(item);
      return this.model.grant([item]);
    });
    const holds: HoldRequest[] = [];
    for (const one of plan.holds) holds.push(this.hold(holds, one));
    const placed = this.model.place(holds);
    this.past.captures.push(...captures);
    this.past.grants.push(...grants);
    return {
      batch: { resolutions, captures, returns, grants, holds },
      expected: { resolutions: resolved, captures: captured, returns: returned, grants: granted, holds: placed },
    };
  }

  private hold(sameBatch: readonly HoldRequest[], plan: PlanOf<typeof aHold>): HoldRequest {
    const startupId = this.parties.startups[plan.startup]!;
    const amount = shareOf(this.model.available(startupId, plan.purpose), plan.amount);
    const own = { id: newRequestId(), startupId, amount, ...plan.purpose };
    const held = [...this.model.holds].map(([id, { startupId, amount }]) => ({
      id,
      startupId,
      amount,
      ...plan.purpose,
    }));
    const known = [...sameBatch, ...held];
    if (plan.repeats === null || known.length === 0) return own;
    const earlier = known[plan.repeats % known.length]!;
    return plan.sameTerms ? earlier : { ...own, id: earlier.id };
  }

  /** Mostly of an open hold; of a closed one, or of none, when there is no open one. */
  private resolution(plan: PlanOf<typeof aResolution>): HoldResolution {
    const open = [...this.model.holds].filter(([, hold]) => hold.state === "HELD");
    const among = plan.unknown ? [] : open.length > plan.hold % 8 ? open : [...this.model.holds];
    const [holdId, hold] = among[plan.hold % Math.max(1, among.length)] ?? [newRequestId(), undefined];
    return { holdId, resolution: plan.resolution, ...this.settled(plan, hold?.amount ?? 1n) };
  }

  /** Together at most a little more than their leases have, so that the edge is met from both sides. */
  private captures(plans: readonly PlanOf<typeof aCapture>[]): Capture[] {
    const left = new Map([...this.model.leases.values()].map((lease) => [lease.id, balanceOf(lease)]));
    return plans.map((plan) => {
      const earlier =
        plan.repeats === null ? undefined : this.past.captures[plan.repeats % Math.max(1, this.past.captures.length)];
      if (earlier) return earlier;
      const lease = this.lease(plan.lease);
      if (lease === undefined && this.past.captures.length > 0) return this.past.captures[0]!;
      const room = left.get(lease?.id ?? "") ?? 0n;
      const item = this.settled(plan, room > 0n ? room : 5n);
      const held = plan.beyond ? item.charge / 2n + 1n : item.charge + 1n;
      if (lease) left.set(lease.id, room - least(room, least(item.charge, held)));
      const whose = lease ?? { id: newRequestId(), startupId: this.parties.startups[0]! };
      return { id: newRequestId(), leaseId: whose.id, startupId: whose.startupId, held, ...item };
    });
  }

  private return({ lease: index, amount, acknowledges, close }: PlanOf<typeof aReturn>): Return | null {
    const lease = this.lease(index);
    if (lease === undefined) return null;
    const back = least(shareOf(balanceOf(lease), amount), balanceOf(lease));
    return {
      id: newRequestId(),
      leaseId: lease.id,
      amount: back,
      acknowledges: acknowledges ? lease.recallEpoch : null,
      close,
    };
  }

  private grant(plan: PlanOf<typeof aGrant>): Grant {
    const earlier =
      plan.repeats === null ? undefined : this.past.grants[plan.repeats % Math.max(1, this.past.grants.length)];
    if (earlier) return earlier;
    const [startupId, instance] = [this.parties.startups[plan.startup]!, this.parties.processes[plan.process]!];
    const has = [...this.model.leases.values()].find(
      (lease) => lease.startupId === startupId && lease.instance === instance && lease.state === "ACTIVE",
    );
    const amount = shareOf(this.model.available(startupId, plan.purpose), plan.amount);
    const leaseId = plan.tops && has ? has.id : newRequestId();
    const { sharePpm, minimum } = plan;
    return { id: newRequestId(), leaseId, startupId, instance, ...plan.purpose, amount, sharePpm, minimum };
  }

  /** Mostly an active one. */
  private lease(index: number): ReferenceLease | undefined {
    const all = [...this.model.leases.values()];
    const active = all.filter(({ state }) => state === "ACTIVE");
    const among = active.length > index % 8 ? active : all;
    return among[index % Math.max(1, among.length)];
  }

  private settled({ charge, accrualPpm, provider, late }: SettledPlan, left: bigint) {
    const amount = shareOf(left, charge) - 1n;
    const now = this.model.now();
    const at = late ? new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 0)) : now;
    return {
      charge: amount,
      accrual: (amount * accrualPpm) / 1_400_000n,
      providerId: this.parties.providers[provider]!,
      period: periodOf(at),
    };
  }
}

export const balanceOf = (lease: ReferenceLease): bigint =>
  [...lease.slices.values()].reduce((sum, balance) => sum + balance, 0n);
