/** One that is limited, a key or an organisation: its minute of requests, its minute of tokens, its requests at once. */
import type { SendingLimits } from "../../platform/config";
import { Pool } from "./pool";
import { Slots } from "./slots";

/** What a request needs of each; also what it lacks. */
export type Need = "requests" | "tokens" | "concurrency";

export type SubjectKind = "key" | "organisation";

export class Subject {
  readonly requests: Pool;
  readonly tokens: Pool;
  readonly slots: Slots;
  /** Since the last look of whoever gives back what is not used. */
  wasUsed = false;

  constructor(
    readonly kind: SubjectKind,
    readonly id: string,
    limits: SendingLimits,
    nowMs: number,
  ) {
    this.requests = new Pool(limits.requestsPerMinute, nowMs);
    this.tokens = new Pool(limits.tokensPerMinute, nowMs);
    this.slots = new Slots(limits.concurrentRequests);
  }

  setLimits(limits: SendingLimits, nowMs: number): void {
    this.requests.setLimit(limits.requestsPerMinute, nowMs);
    this.tokens.setLimit(limits.tokensPerMinute, nowMs);
    this.slots.limit = limits.concurrentRequests;
  }

  /** The first that stands against a request of so many tokens; null when none does. Without tokens none are missing, debt or not. */
  lacks(tokens: number, nowMs: number): Need | null {
    if (this.requests.spendable(nowMs) < 1) return "requests";
    if (tokens > 0 && this.tokens.spendable(nowMs) < tokens) return "tokens";
    return this.slots.free < 1 ? "concurrency" : null;
  }

  take(tokens: number, nowMs: number): void {
    this.wasUsed = true;
    this.requests.take(1, nowMs);
    this.tokens.take(tokens, nowMs);
    this.slots.inFlight += 1;
  }

  share(): void {
    this.requests.share();
    this.tokens.share();
    this.slots.share();
  }

  goAlone(nowMs: number): void {
    this.requests.goAlone(nowMs);
    this.tokens.goAlone(nowMs);
    this.slots.goAlone();
  }

  get runsLow(): boolean {
    return this.requests.runsLow || this.tokens.runsLow || this.slots.runsLow;
  }

  get isRich(): boolean {
    return this.requests.isRich || this.tokens.isRich || this.slots.isRich;
  }

  /** Redis has to hear of it: it was used, or keeps something from the others. */
  get holdsSomething(): boolean {
    return this.wasUsed || this.slots.held > 0 || this.requests.holds || this.tokens.holds;
  }

  /** Forgetting it loses nothing: a new one would be the same. */
  isAsNew(nowMs: number): boolean {
    const { requests, tokens, slots } = this;
    return (
      slots.inFlight === 0 &&
      slots.held === 0 &&
      requests.remaining(nowMs) >= requests.limit &&
      tokens.remaining(nowMs) >= tokens.limit
    );
  }
}
