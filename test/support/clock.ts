/** A clock that stands still until a test moves it. */
import type { Clock } from "../../src/platform/clock";

export class TestClock implements Clock {
  private atMs: number;

  constructor(start: Date | string = "2026-01-01T00:00:00Z") {
    this.atMs = new Date(start).getTime();
  }

  now(): Date {
    return new Date(this.atMs);
  }

  nowMs(): number {
    return this.atMs;
  }

  advanceMs(durationMs: number): void {
    this.atMs += durationMs;
  }

  moveTo(at: Date | string): void {
    this.atMs = new Date(at).getTime();
  }
}
