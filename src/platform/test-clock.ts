/** A clock that runs ahead of the real one by what somebody has moved it; forwards only. */
import { type Clock, systemClock } from "./clock";

/** One move of the clock, as long as somebody may still ask for it. */
interface Move {
  readonly byMs: number;
  readonly atMs: number;
}

/** Nobody asks further back: the longest time to live that a request may have, and a while. */
const MOVES_KEPT_MS = 2 * 3_600_000;

export class OffsetClock implements Clock {
  private aheadMs = 0;
  private moves: Move[] = [];
  private readonly listeners = new Set<() => void>();

  constructor(readonly real: Clock = systemClock) {}

  now(): Date {
    return new Date(this.nowMs());
  }

  nowMs(): number {
    return this.real.nowMs() + this.aheadMs;
  }

  /** How far ahead of the real one. */
  get offsetMs(): number {
    return this.aheadMs;
  }

  /** Whether that moved it: time that has been never comes again. */
  moveTo(offsetMs: number): boolean {
    if (offsetMs <= this.aheadMs) return false;
    const atMs = this.real.nowMs();
    this.moves = this.moves.filter((move) => atMs - move.atMs < MOVES_KEPT_MS);
    this.moves.push({ byMs: offsetMs - this.aheadMs, atMs });
    this.aheadMs = offsetMs;
    for (const listener of this.listeners) listener();
    return true;
  }

  /** After each move. Returns the function that ends it. */
  onMoved(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * The time without the moves of the last `spanMs`: what began before such a move, and may last that long, has not
   * lasted longer because the clock was moved meanwhile.
   */
  nowWithoutMoves(spanMs: number): Date {
    const sinceMs = this.real.nowMs() - spanMs;
    const movedMs = this.moves.reduce((sum, { byMs, atMs }) => (atMs >= sinceMs ? sum + byMs : sum), 0);
    return new Date(this.nowMs() - movedMs);
  }
}
