/** A minute's allowance that refills by the clock, evenly: what was taken a sixtieth of a minute ago is a sixtieth back. */

const MINUTE_MS = 60_000;

export class Bucket {
  private atMs: number;
  private level: number;

  constructor(
    private perMinute: number,
    nowMs: number,
  ) {
    this.level = perMinute;
    this.atMs = nowMs;
  }

  get limit(): number {
    return this.perMinute;
  }

  /** Less than 0 when more was used than had been set aside. */
  available(nowMs: number): number {
    // A clock that was set back gives nothing, and takes nothing.
    const passedMs = Math.max(0, nowMs - this.atMs);
    this.level = Math.min(this.perMinute, this.level + (passedMs * this.perMinute) / MINUTE_MS);
    this.atMs = nowMs;
    return this.level;
  }

  /** Whoever takes has looked whether there is enough. */
  take(units: number, nowMs: number): void {
    this.level = this.available(nowMs) - units;
  }

  give(units: number, nowMs: number): void {
    this.level = Math.min(this.perMinute, this.available(nowMs) + units);
  }

  /** What somebody else counted. */
  setLevel(level: number, nowMs: number): void {
    this.atMs = nowMs;
    this.level = Math.min(this.perMinute, level);
  }

  setLimit(perMinute: number, nowMs: number): void {
    if (perMinute === this.perMinute) return;
    // What was used stays used; a higher limit is there at once.
    const used = this.perMinute - this.available(nowMs);
    this.perMinute = perMinute;
    this.level = perMinute - used;
  }

  /** Until so much will be there; 0 when it is. */
  waitMs(units: number, nowMs: number): number {
    const lack = units - this.available(nowMs);
    return lack <= 0 ? 0 : Math.ceil((lack * MINUTE_MS) / this.perMinute);
  }
}
