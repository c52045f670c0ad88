/** For which accelerators a startup's credit pays where it does not pay for all: remembered for seconds, so that not every request has to find out. */
import type { Purpose } from "../metering/purpose";

/** What was refused may be covered again any moment: then it is found out after this time at the latest. */
const REMEMBERED_MS = 5_000;
const STARTUPS_MAX = 10_000;

export interface PaidPurpose {
  readonly purpose: Purpose;
  /** The most that it can be held for. */
  readonly creditNanoCredit: bigint;
}

interface Narrowing {
  readonly wholeNanoCredit: bigint;
  readonly narrower: readonly PaidPurpose[];
  readonly untilMs: number;
}

export class Narrowings {
  /** By startup and whole purpose, the oldest first. */
  private readonly known = new Map<string, Narrowing>();

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** What to ask for instead of the whole; null: ask for the whole, which may cover this much. */
  of(startupId: string, whole: Purpose, neededNanoCredit: bigint): readonly PaidPurpose[] | null {
    if (this.known.size === 0) return null;
    const key = keyOf(startupId, whole);
    const narrowing = this.known.get(key);
    if (narrowing === undefined) return null;
    if (this.nowMs() >= narrowing.untilMs) {
      this.known.delete(key);
      return null;
    }
    return neededNanoCredit > narrowing.wholeNanoCredit ? narrowing.narrower : null;
  }

  /** `wholeNanoCredit` is what there was for all of the accelerators. */
  learn(startupId: string, whole: Purpose, wholeNanoCredit: bigint, narrower: readonly PaidPurpose[]): void {
    const key = keyOf(startupId, whole);
    this.known.delete(key);
    this.known.set(key, { wholeNanoCredit, narrower, untilMs: this.nowMs() + REMEMBERED_MS });
    if (this.known.size > STARTUPS_MAX) this.known.delete(this.known.keys().next().value!);
  }

  forget(startupId: string, whole: Purpose): void {
    this.known.delete(keyOf(startupId, whole));
  }
}

const keyOf = (startupId: string, { key }: Purpose): string => `${startupId} ${key}`;
