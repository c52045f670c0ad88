/** The ledger's rules in memory, one item after the other and as plain as possible: what the SQL has to agree with. */
import { releaseNanoUsd } from "../../src/pricing/settlement";

export interface ReferenceFacility {
  readonly id: string;
  readonly multiplierPpm: bigint;
  fundedNanoUsd: bigint;
  feeNanoUsd: bigint;
  releasedNanoUsd: bigint;
}

export interface ReferenceLot {
  readonly accountId: string;
  readonly lotId: string;
  readonly name: string;
  readonly startupId: string;
  readonly facility: ReferenceFacility;
  readonly issued: bigint;
  /** Credits per dollar that stands behind them. */
  readonly basisPpm: bigint;
  readonly priority: number;
  readonly expiresAt: Date | null;
  readonly accelerators: readonly string[] | null;
  readonly workloads: readonly string[] | null;
  held: bigint;
  leased: bigint;
  spent: bigint;
  blocked: bigint;
  expired: bigint;
  assigned: bigint;
  /** How many blocks cover it whole. */
  frozen: number;
  /** What went from account to account of the lot, in all. */
  turnover: {
    leased: bigint;
    returned: bigint;
    spentOfLease: bigint;
    blocked: bigint;
    unblocked: bigint;
    expiredOfBlocked: bigint;
    assignedOfBlocked: bigint;
  };
}

export interface Purpose {
  readonly accelerators: readonly string[] | null;
  readonly workload: string | null;
}

interface ReferenceHold {
  readonly startupId: string;
  readonly amount: bigint;
  readonly slices: { lot: ReferenceLot; amount: bigint }[];
  state: "HELD" | "CAPTURED" | "VOIDED" | "EXPIRED";
  captured: bigint;
  spread: bigint;
}

export interface ReferenceLease {
  readonly id: string;
  readonly startupId: string;
  readonly instance: string;
  readonly purpose: Purpose;
  readonly slices: Map<ReferenceLot, bigint>;
  state: "ACTIVE" | "RETURNED" | "SWEPT";
  recallEpoch: number;
  acknowledgedEpoch: number;
}

export interface HoldRequest extends Purpose {
  id: string;
  startupId: string;
  amount: bigint;
}

interface Settled {
  charge: bigint;
  accrual: bigint;
  providerId: string;
  /** The month that it is asked to be booked into. */
  period: string;
}

export interface HoldResolution extends Settled {
  holdId: string;
  resolution: "CAPTURED" | "VOIDED" | "EXPIRED";
}

export interface Capture extends Settled {
  id: string;
  leaseId: string;
  startupId: string;
  held: bigint;
}

export interface Grant extends Purpose {
  id: string;
  leaseId: string;
  startupId: string;
  instance: string;
  amount: bigint;
  sharePpm: bigint;
  minimum: bigint;
}

export interface Return {
  id: string;
  leaseId: string;
  amount: bigint;
  acknowledges: number | null;
  close: boolean;
}

export interface Answer {
  code: string;
  charged: string;
  spread: string;
  fresh: boolean;
}
export interface HoldAnswer {
  code: string;
  available: string | null;
  leased: string | null;
}

export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const total = (amounts: Iterable<bigint>): bigint => [...amounts].reduce((sum, amount) => sum + amount, 0n);

export class ReferenceBooks {
  readonly lots: ReferenceLot[] = [];
  readonly holds = new Map<string, ReferenceHold>();
  readonly leases = new Map<string, ReferenceLease>();
  readonly captures = new Map<string, { charged: bigint; spread: bigint }>();
  readonly granted = new Map<string, bigint>();
  readonly returned = new Set<string>();
  /** By provider and month. */
  readonly accrued = new Map<string, bigint>();
  spread = 0n;

  constructor(
    readonly now: () => Date,
    readonly firstOpenPeriod: () => string,
  ) {}

  issue(lot: ReferenceLot, fundedNanoUsd: bigint, feeNanoUsd: bigint): void {
    this.lots.push(lot);
    lot.facility.fundedNanoUsd += fundedNanoUsd;
    lot.facility.feeNanoUsd += feeNanoUsd;
  }

  /** Free credit that a request of this purpose can draw on. */
  available(startupId: string, purpose: Purpose): bigint {
    return total(this.open(startupId, purpose).map(free));
  }

  leasedOf(startupId: string): bigint {
    return total(this.lots.filter((lot) => lot.startupId === startupId).map(({ leased }) => leased));
  }

  /** Purpose after purpose of each startup, in the order in which they came. */
  place(requests: readonly HoldRequest[]): HoldAnswer[] {
    const turns = new Map<number, HoldRequest[]>();
    const seen = new Map<string, string[]>();
    for (const request of requests) {
      const purposes = seen.get(request.startupId) ?? [];
      seen.set(request.startupId, purposes);
      const key = JSON.stringify([request.accelerators, request.workload]);
      if (!purposes.includes(key)) purposes.push(key);
      const turn = purposes.indexOf(key);
      turns.set(turn, [...(turns.get(turn) ?? []), request]);
    }
    const answers = new Map<HoldRequest, HoldAnswer[]>();
    for (const [, turn] of [...turns].sort(([a], [b]) => a - b)) {
      const given = this.placeTurn(turn);
      turn.forEach((request, index) => {
        answers.set(request, [...(answers.get(request) ?? []), given[index]!]);
      });
    }
    return requests.map((request) => answers.get(request)!.shift()!);
  }

  resolve(items: readonly HoldResolution[]): Answer[] {
    return items.map((item) => {
      const hold = this.holds.get(item.holdId);
      if (hold === undefined) return { code: "HOLD_NOT_FOUND", charged: "0", spread: "0", fresh: false };
      const fresh = hold.state === "HELD";
      if (fresh) this.resolveOne(hold, item);
      const code = hold.state === item.resolution ? item.resolution : "HOLD_NOT_OPEN";
      return { code, charged: `${hold.captured}`, spread: `${hold.spread}`, fresh };
    });
  }

  /** Charges of one lease add up in order; whatever goes beyond what it has, and all behind it, is refused. */
  capture(items: readonly Capture[]): Answer[] {
    const rooms = new Map([...this.leases.values()].map((lease) => [lease.id, total(lease.slices.values())]));
    const asked = new Map<string, bigint>();
    return items.map((item) => {
      const known = this.captures.get(item.id);
      if (known) return { code: "CAPTURED", charged: `${known.charged}`, spread: `${known.spread}`, fresh: false };
      const lease = this.leases.get(item.leaseId);
      if (lease?.state !== "ACTIVE" || lease.startupId !== item.startupId) {
        return { code: "LEASE_LOST", charged: "0", spread: "0", fresh: false };
      }
      const charged = least(item.charge, item.held);
      const upto = (asked.get(lease.id) ?? 0n) + charged;
      asked.set(lease.id, upto);
      if (upto > rooms.get(lease.id)!) return { code: "LEASE_EXCEEDED", charged: "0", spread: "0", fresh: false };
      const spread = this.captureOne(lease, charged, item);
      this.captures.set(item.id, { charged, spread });
      return { code: "CAPTURED", charged: `${charged}`, spread: `${spread}`, fresh: true };
    });
  }

  giveBack(items: readonly Return[]): { code: string }[] {
    return items.map(({ id, leaseId, amount, acknowledges, close }) => {
      const lease = this.leases.get(leaseId);
      if (lease?.state !== "ACTIVE") return { code: lease?.state === "RETURNED" ? "RETURNED" : "LEASE_LOST" };
      if (!this.returned.has(id)) {
        if (this.toLots(lease, close ? null : amount) > 0n) this.returned.add(id);
      }
      lease.acknowledgedEpoch = Math.max(lease.acknowledgedEpoch, Math.min(acknowledges ?? 0, lease.recallEpoch));
      if (close) lease.state = "RETURNED";
      return { code: "RETURNED" };
    });
  }

  grant(items: readonly Grant[]): { code: string; granted: string | null; available: string | null }[] {
    return items.map((item) => {
      const known = this.leases.get(item.leaseId);
      if (known && known.state !== "ACTIVE") return { code: "LEASE_LOST", granted: null, available: null };
      const available = this.available(item.startupId, item);
      const before = this.granted.get(item.id);
      if (before !== undefined) return { code: "GRANTED", granted: `${before}`, available: `${available}` };
      const amount = least(item.amount, (available * item.sharePpm) / 1_000_000n);
      const recalled = known !== undefined && known.recallEpoch > known.acknowledgedEpoch;
      if (recalled || amount < 1n || amount < item.minimum) {
        return { code: "TOO_LITTLE", granted: null, available: `${available}` };
      }
      const lease = known ?? this.openLease(item);
      for (const { lot, amount: slice } of this.draw(item.startupId, item, amount)) {
        lot.leased += slice;
        lot.turnover.leased += slice;
        lease.slices.set(lot, (lease.slices.get(lot) ?? 0n) + slice);
      }
      this.granted.set(item.id, amount);
      return { code: "GRANTED", granted: `${amount}`, available: `${available - amount}` };
    });
  }

  /** A process that stopped renewing: all that its leases still have goes back. */
  sweep(instance: string): void {
    for (const lease of this.leases.values()) {
      if (lease.instance !== instance || lease.state !== "ACTIVE") continue;
      this.toLots(lease, null);
      lease.state = "SWEPT";
    }
  }

  recall(startupId: string): void {
    for (const lease of this.leases.values())
      if (lease.startupId === startupId && lease.state === "ACTIVE") lease.recallEpoch += 1;
  }

  private open(startupId: string, { accelerators, workload }: Purpose): ReferenceLot[] {
    const now = this.now();
    return this.lots
      .filter((lot) => lot.startupId === startupId && free(lot) > 0n && lot.frozen === 0)
      .filter((lot) => lot.expiresAt === null || lot.expiresAt > now)
      .filter(
        (lot) => lot.accelerators === null || (accelerators?.every((a) => lot.accelerators!.includes(a)) ?? false),
      )
      .filter((lot) => lot.workloads === null || (workload !== null && lot.workloads.includes(workload)))
      .sort(inDrawOrder);
  }

  private draw(startupId: string, purpose: Purpose, amount: bigint): { lot: ReferenceLot; amount: bigint }[] {
    let left = amount;
    const slices: { lot: ReferenceLot; amount: bigint }[] = [];
    for (const lot of this.open(startupId, purpose)) {
      const slice = least(left, free(lot));
      left -= slice;
      if (slice > 0n) slices.push({ lot, amount: slice });
    }
    return slices;
  }

  private openLease({ leaseId: id, startupId, instance, accelerators, workload }: Grant): ReferenceLease {
    const lease: ReferenceLease = {
      id,
      startupId,
      instance,
      purpose: { accelerators, workload },
      slices: new Map(),
      state: "ACTIVE",
      recallEpoch: 0,
      acknowledgedEpoch: 0,
    };
    this.leases.set(id, lease);
    return lease;
  }

  /** Null: all of it. The last in draw order goes back first. Answers how much went. */
  private toLots(lease: ReferenceLease, amount: bigint | null): bigint {
    let left = amount ?? total(lease.slices.values());
    const went = left;
    for (const [lot, balance] of [...lease.slices].sort(([a], [b]) => inDrawOrder(b, a))) {
      const part = least(left, balance);
      left -= part;
      lot.leased -= part;
      lot.turnover.returned += part;
      lease.slices.set(lot, balance - part);
    }
    return went;
  }

  private placeTurn(requests: readonly HoldRequest[]): HoldAnswer[] {
    const firsts = new Map<string, { request: HoldRequest; answer: HoldAnswer }>();
    return requests.map((request) => {
      const first = firsts.get(request.id);
      const known = this.holds.get(request.id) ?? first?.request;
      const reused = known !== undefined && (known.startupId !== request.startupId || known.amount !== request.amount);
      const available = first?.answer.available ?? null;
      const leased = available === null ? null : `${this.leasedOf(request.startupId)}`;
      if (reused) return { code: "HOLD_ID_REUSED", available, leased };
      if (first) return { ...first.answer, leased };
      const answer = this.placeOne(request);
      firsts.set(request.id, { request, answer });
      return answer;
    });
  }

  private placeOne({ id, startupId, amount, ...purpose }: HoldRequest): HoldAnswer {
    if (this.holds.has(id)) return { code: "HELD", available: null, leased: null };
    const available = this.available(startupId, purpose);
    if (amount > available) {
      return { code: "INSUFFICIENT_CREDITS", available: `${available}`, leased: `${this.leasedOf(startupId)}` };
    }
    const slices = this.draw(startupId, purpose, amount);
    for (const slice of slices) slice.lot.held += slice.amount;
    this.holds.set(id, { startupId, amount, slices, state: "HELD", captured: 0n, spread: 0n });
    return { code: "HELD", available: null, leased: null };
  }

  private resolveOne(hold: ReferenceHold, { resolution, charge, ...item }: HoldResolution): void {
    hold.state = resolution;
    let left = resolution === "CAPTURED" ? least(charge, hold.amount) : 0n;
    hold.captured = left;
    let released = 0n;
    for (const { lot, amount } of hold.slices) {
      const captured = least(left, amount);
      left -= captured;
      lot.held -= amount;
      lot.spent += captured;
      released += release(lot, captured);
    }
    if (resolution === "CAPTURED") hold.spread = this.pay(released, item);
  }

  private captureOne(lease: ReferenceLease, charged: bigint, item: Capture): bigint {
    let left = charged;
    let released = 0n;
    for (const [lot, balance] of [...lease.slices].sort(([a], [b]) => inDrawOrder(a, b))) {
      const captured = least(left, balance);
      left -= captured;
      lease.slices.set(lot, balance - captured);
      lot.leased -= captured;
      lot.turnover.spentOfLease += captured;
      lot.spent += captured;
      released += release(lot, captured);
    }
    return this.pay(released, charged > 0n ? item : { ...item, accrual: 0n });
  }

  private pay(released: bigint, { accrual, providerId, period }: Omit<Settled, "charge">): bigint {
    const booked = [period, this.firstOpenPeriod()].sort().at(-1)!;
    const payable = `${providerId}:${booked}`;
    this.accrued.set(payable, (this.accrued.get(payable) ?? 0n) + accrual);
    this.spread += released - accrual;
    return released - accrual;
  }
}

function release(lot: ReferenceLot, captured: bigint): bigint {
  const released = releaseNanoUsd(captured, lot.basisPpm);
  lot.facility.releasedNanoUsd += released;
  return released;
}

export function free(lot: ReferenceLot): bigint {
  return lot.issued - lot.held - lot.leased - lot.spent - lot.blocked - lot.expired - lot.assigned;
}

export function inDrawOrder(a: ReferenceLot, b: ReferenceLot): number {
  if (a.priority !== b.priority) return a.priority - b.priority;
  const [first, second] = [a, b].map(({ expiresAt }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY) as [
    number,
    number,
  ];
  if (first !== second) return first - second;
  return a.accountId < b.accountId ? -1 : 1;
}
