/** One lease as its process counts it: what is free, what is set aside for requests, and what it still owes the ledger. No I/O. */
import { isLow } from "./lease-size";

export const LEASE_BEAT_MS = 1_000;
/** A process whose last renewal is older sets nothing more aside: half of what it takes until another one may sweep it. */
export const LEASE_FENCE_MS = 5_000;
/** A wallet that nobody used for so long has its credit back. */
export const LEASE_IDLE_MS = 30_000;

/** ASKED: its first tranche is under way. SERVING: requests draw on it. CLOSING: it serves no more and goes back. OVER: it is gone. */
export type LeasePhase = "ASKED" | "SERVING" | "CLOSING" | "OVER";

/** Two clocks: how long ago something was, which nobody can set back, and the time of business, by which lots expire. */
export interface Moment {
  readonly upMs: number;
  readonly clockMs: number;
}

export interface SetAside {
  readonly requestId: string;
  readonly amountNanoCredit: bigint;
  readonly ttlMs: number;
}

interface OpenHold {
  readonly amount: bigint;
  readonly untilMs: number;
  /** Whether it was captured is unknown: only the ledger can tell, when the lease is closed. */
  doubtful: boolean;
}

export interface LeaseReturn {
  readonly amountNanoCredit: bigint;
  readonly acknowledges: number | null;
  readonly close: boolean;
}

export class Lease {
  phase: LeasePhase = "ASKED";
  granted = 0n;
  free = 0n;
  setAside = 0n;
  captured = 0n;
  returned = 0n;
  /** What the ledger had besides, when it granted last. */
  besides: bigint | null = null;
  /** A grant or a return is under way. One at a time: a recall must not be acknowledged before a tranche that is still to come. */
  busy = false;
  /** The ledger had this lease at that moment at the latest. */
  confirmedMs = Number.POSITIVE_INFINITY;
  /** When the last renewal that succeeded was sent. */
  private renewedMs = Number.NEGATIVE_INFINITY;
  private usableUntilMs = Number.POSITIVE_INFINITY;
  private size = 0n;
  private recallEpoch = 0;
  private acknowledgedEpoch = 0;
  private doubtful = 0;
  /** Called back before it was here. */
  private unwanted = false;
  private readonly holds = new Map<string, OpenHold>();

  constructor(
    readonly id: string,
    readonly startupId: string,
    /** Whose, and for which purpose. */
    readonly key: string,
    private usedMs: number,
  ) {}

  get low(): boolean {
    return isLow(this.free, this.size);
  }

  isUsable(now: Moment): boolean {
    return this.phase === "SERVING" && now.upMs - this.renewedMs < LEASE_FENCE_MS && now.clockMs < this.usableUntilMs;
  }

  /** False when there is not enough of it. */
  hold({ requestId, amountNanoCredit: amount, ttlMs }: SetAside, upMs: number): boolean {
    if (this.free < amount || this.holds.has(requestId)) return false;
    this.holds.set(requestId, { amount, untilMs: upMs + ttlMs, doubtful: false });
    this.free -= amount;
    this.setAside += amount;
    this.usedMs = upMs;
    return true;
  }

  /** Repeating it is harmless. */
  release(requestId: string): void {
    this.resolve(requestId, 0n);
  }

  /** What is charged is spent; the rest of what was set aside is free again. `fresh`: it was this answer that said so first. */
  capture(requestId: string, chargedNanoCredit: bigint, fresh: boolean): void {
    if (this.holds.has(requestId)) return this.resolve(requestId, chargedNanoCredit);
    if (!fresh || this.phase === "OVER") return;
    // It was released before, so that its credit was free: the ledger's word counts.
    const taken = chargedNanoCredit < this.free ? chargedNanoCredit : this.free;
    this.free -= taken;
    this.captured += taken;
    this.retire();
  }

  /** The capture may have been booked or not. Nothing new is set aside: what is left is for the ledger to say. */
  doubt(requestId: string): void {
    const hold = this.holds.get(requestId);
    if (hold === undefined || hold.doubtful) return;
    hold.doubtful = true;
    this.doubtful += 1;
    this.retire();
  }

  /** A request that outlived its time will not come back. */
  doubtOverdue(upMs: number): void {
    for (const [requestId, { untilMs }] of this.holds) if (untilMs <= upMs) this.doubt(requestId);
  }

  grant(amountNanoCredit: bigint, usableUntilMs: number): void {
    this.granted += amountNanoCredit;
    this.free += amountNanoCredit;
    this.size = this.free + this.setAside;
    this.usableUntilMs = usableUntilMs;
    if (this.phase === "ASKED") this.phase = this.unwanted ? "CLOSING" : "SERVING";
  }

  renewed(sentMs: number): void {
    if (sentMs > this.renewedMs) this.renewedMs = sentMs;
  }

  /** No further hold. What is set aside is still captured; a first tranche that is still to come goes back when it is here. */
  retire(): void {
    this.unwanted = true;
    if (this.phase === "SERVING") this.phase = "CLOSING";
  }

  /** Somebody wants the credit back. */
  recall(epoch: number): void {
    if (epoch > this.recallEpoch) this.recallEpoch = epoch;
    this.retire();
  }

  /** The ledger does not know it any more. */
  lose(): void {
    this.returned += this.free + this.setAside;
    this.free = this.setAside = 0n;
    this.holds.clear();
    this.doubtful = 0;
    this.phase = "OVER";
  }

  /** Nobody drew on it for a while, or its credit expires. */
  isStale(now: Moment): boolean {
    return now.upMs - this.usedMs >= LEASE_IDLE_MS || now.clockMs >= this.usableUntilMs;
  }

  /** Whether there is something to give back, or to say. */
  get owes(): boolean {
    return this.phase === "CLOSING" && (this.free > 0n || this.recalled || this.finished);
  }

  /** What goes back next, which counts as returned from here on. */
  nextReturn(): LeaseReturn {
    const back = {
      amountNanoCredit: this.free,
      acknowledges: this.recalled ? this.recallEpoch : null,
      close: this.finished,
    };
    this.returned += this.free;
    this.free = 0n;
    return back;
  }

  returnedAs({ acknowledges, close }: LeaseReturn): void {
    if (acknowledges !== null) this.acknowledgedEpoch = acknowledges;
    if (close) this.lose();
  }

  private get recalled(): boolean {
    return this.recallEpoch > this.acknowledgedEpoch;
  }

  /** No request that could still be captured draws on it. */
  private get finished(): boolean {
    return this.holds.size === this.doubtful;
  }

  private resolve(requestId: string, chargedNanoCredit: bigint): void {
    const hold = this.holds.get(requestId);
    if (hold === undefined) return;
    this.holds.delete(requestId);
    if (hold.doubtful) this.doubtful -= 1;
    this.setAside -= hold.amount;
    this.captured += chargedNanoCredit;
    this.free += hold.amount - chargedNanoCredit;
  }
}
