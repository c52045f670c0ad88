/** Keeps failover from turning an outage into a storm: repeats may be a tenth of the traffic, plus a small reserve. */

const SHARE = 0.1;
/** Enough that a quiet relay can always reroute. */
const RESERVE_MAX = 20;

export class RetryBudget {
  private left = RESERVE_MAX;

  /** Repeats that are allowed now, for the metrics. */
  get remaining(): number {
    return this.left;
  }

  requestBegan(): void {
    this.left = Math.min(RESERVE_MAX, this.left + SHARE);
  }

  get isSpent(): boolean {
    return this.left < 1;
  }

  /** False: the budget is spent, the failure stands. */
  spend(): boolean {
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}
