/** How much credit a relay process borrows at once: enough to be quiet for a minute, too little to be missed. */
import { NANO } from "../money/nano";

/** Of what is available: beyond it other relays, other purposes and blocks would feel what one process keeps. */
export const LEASE_SHARE_PPM = 50_000;
const LEASE_MAX_NANO_CREDIT = 1_000n * NANO;
/** A minute of what the process sets aside: its heart may miss beats, and top-ups take their time. */
const COVERED_SECONDS = 60n;
/** A tranche for fewer requests is gone before it has saved anything; the credit of such a wallet stays where everybody finds it. */
const REQUESTS_MIN = 8n;
const TOP_UP_AT_PPM = 300_000n;
const PPM = 1_000_000n;
/** A p99 of seconds needs a hundred of them. */
const WINDOW_SECONDS = 100;

export interface Tranche {
  readonly amountNanoCredit: bigint;
  /** Rather nothing than less. */
  readonly minimumNanoCredit: bigint;
}

/** What to ask for, or null when a lease would help nobody; the ledger cuts it to LEASE_SHARE_PPM of what is available. */
export function trancheOf(need: {
  readonly burnNanoCreditPerSecond: bigint;
  readonly freeNanoCredit: bigint;
  /** What one request sets aside. */
  readonly holdNanoCredit: bigint;
}): Tranche | null {
  const minimumNanoCredit = REQUESTS_MIN * need.holdNanoCredit;
  if (minimumNanoCredit > LEASE_MAX_NANO_CREDIT) return null;
  const wanted = larger(COVERED_SECONDS * need.burnNanoCreditPerSecond, 2n * minimumNanoCredit);
  const target = wanted < LEASE_MAX_NANO_CREDIT ? wanted : LEASE_MAX_NANO_CREDIT;
  return { amountNanoCredit: larger(target - need.freeNanoCredit, minimumNanoCredit), minimumNanoCredit };
}

/** `sizeNanoCredit`: what the lease had when it last got something. */
export function isLow(freeNanoCredit: bigint, sizeNanoCredit: bigint): boolean {
  return freeNanoCredit * PPM < sizeNanoCredit * TOP_UP_AT_PPM;
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** What requests of one purpose set aside, second by second. */
export class BurnMeter {
  private readonly sums: bigint[] = new Array<bigint>(WINDOW_SECONDS).fill(0n);
  private readonly first: number;
  private last: number;

  constructor(nowMs: number) {
    this.first = this.last = Math.floor(nowMs / 1_000);
  }

  add(amountNanoCredit: bigint, nowMs: number): void {
    this.moveTo(nowMs);
    this.sums[this.last % WINDOW_SECONDS]! += amountNanoCredit;
  }

  /** Of the seconds observed, 100 at most. */
  p99NanoCreditPerSecond(nowMs: number): bigint {
    this.moveTo(nowMs);
    const seconds = Math.min(WINDOW_SECONDS, this.last - this.first + 1);
    const seen = Array.from({ length: seconds }, (_, back) => this.sums[(this.last - back) % WINDOW_SECONDS]!);
    seen.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    return seen[Math.ceil(0.99 * seconds) - 1]!;
  }

  private moveTo(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second - this.last >= WINDOW_SECONDS) this.sums.fill(0n);
    else for (let s = this.last + 1; s <= second; s++) this.sums[s % WINDOW_SECONDS] = 0n;
    if (second > this.last) this.last = second;
  }
}
