/** What one process may take of a minute's allowance: all of it, or the slice that it has borrowed from the others' common one. */
import { Bucket } from "./bucket";

/** Of a minute: small enough that what others hold unused is not missed, large enough that few requests need a new one. */
const SLICES = 64;

export class Pool {
  /** The whole, when nobody shares it; else what was left in Redis when it was last asked, and has refilled since. */
  private readonly bucket: Bucket;
  private slice = 0;
  private isShared = false;

  constructor(limit: number, nowMs: number) {
    this.bucket = new Bucket(limit, nowMs);
  }

  get limit(): number {
    return this.bucket.limit;
  }

  setLimit(limit: number, nowMs: number): void {
    this.bucket.setLimit(limit, nowMs);
  }

  /** How much it likes to have; 1 when the limit is so low that every one counts. */
  get target(): number {
    return Math.max(1, Math.floor(this.limit / SLICES));
  }

  /** What may be taken without asking anybody. */
  spendable(nowMs: number): number {
    return this.isShared ? this.slice : this.bucket.available(nowMs);
  }

  take(units: number, nowMs: number): void {
    if (this.isShared) this.slice -= units;
    else this.bucket.take(units, nowMs);
  }

  /** More is taken by a negative units. */
  give(units: number, nowMs: number): void {
    if (this.isShared) this.slice += units;
    else this.bucket.give(units, nowMs);
  }

  remaining(nowMs: number): number {
    return Math.max(0, Math.floor(Math.min(this.limit, this.bucket.available(nowMs) + this.slice)));
  }

  waitMs(units: number, nowMs: number): number {
    return this.bucket.waitMs(units - this.slice, nowMs);
  }

  resetMs(nowMs: number): number {
    return this.waitMs(this.limit, nowMs);
  }

  /** Redis is there: from now on only what was borrowed is spent. */
  share(): void {
    this.isShared = true;
    this.slice = 0;
  }

  /** Redis is away: goes on with what was left when it was last seen. */
  goAlone(nowMs: number): void {
    if (!this.isShared) return;
    this.isShared = false;
    this.bucket.give(this.slice, nowMs);
    this.slice = 0;
  }

  /** So little is left that the next slice should be on its way before it is needed. Never where each one counts. */
  get runsLow(): boolean {
    return this.isShared && this.target > 1 && this.slice < this.target / 2;
  }

  /** More than it should keep from the others. */
  get isRich(): boolean {
    return this.isShared && this.slice > (this.target > 1 ? 2 * this.target : 0);
  }

  get holds(): boolean {
    return this.slice !== 0;
  }

  /** Takes out what goes back to the others: all of it when it is not in use, or what was used beyond what was borrowed. */
  surplus(idle: boolean): number {
    const kept = idle || this.target === 1 ? 0 : this.target;
    const back = this.slice < 0 ? this.slice : Math.max(0, this.slice - kept);
    this.slice -= back;
    return back;
  }

  /** So much more it should get, when `need` is to be taken and it does not run low at once. */
  wish(need: number): number {
    return Math.max(0, Math.ceil(need - this.slice), this.target > 1 ? this.target - this.slice : 0);
  }

  borrowed(granted: number, levelLeft: number, nowMs: number): void {
    if (!this.isShared) return;
    this.slice += granted;
    this.bucket.setLevel(levelLeft, nowMs);
  }
}
