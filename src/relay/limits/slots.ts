/** Requests at once: how many run here, and how many may; of a limit that several processes share, so many as were borrowed. */

/** Of the limit: what one process keeps at hand. */
const SHARES = 32;

export class Slots {
  inFlight = 0;
  /** Borrowed, those in use included. */
  held = 0;
  private isShared = false;

  constructor(public limit: number) {}

  get free(): number {
    return (this.isShared ? Math.min(this.held, this.limit) : this.limit) - this.inFlight;
  }

  get target(): number {
    return Math.max(1, Math.floor(this.limit / SHARES));
  }

  share(): void {
    this.isShared = true;
    this.held = 0;
  }

  goAlone(): void {
    this.isShared = false;
    this.held = 0;
  }

  get runsLow(): boolean {
    return this.isShared && this.target > 1 && this.free < this.target / 2;
  }

  get isRich(): boolean {
    return this.isShared && this.free > (this.target > 1 ? 2 * this.target : 0);
  }

  /** How many it should have, when so many more are needed now. Those beyond it are not taken from here on. */
  wish(need: number, idle: boolean): number {
    const spare = this.target > 1 && !idle ? Math.max(need, this.target) : need;
    const wanted = this.inFlight + spare;
    this.held = Math.min(this.held, wanted);
    return wanted;
  }

  borrowed(held: number): void {
    if (this.isShared) this.held = held;
  }
}
