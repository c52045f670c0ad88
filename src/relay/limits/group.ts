/** An organisation with its keys: what is spent here, what is borrowed from Redis for it, one round trip at a time. */
import type { SendingLimits } from "../../platform/config";
import { type Lender, nothing, type Wanted } from "./lender";
import { type Need, Subject } from "./subject";

export interface Lack {
  readonly subject: Subject;
  readonly need: Need;
}

/** Requests that were granted what they asked for and found it taken by others ask again, not for ever. */
const ROUNDS_MAX = 5;

export interface GroupOptions {
  readonly organisationId: string;
  readonly limits: SendingLimits;
  /** Null: this process is alone. */
  readonly lender: Lender | null;
  readonly nowMs: () => number;
  readonly onFlight: (result: "granted" | "refused" | "failed") => void;
}

export class Group {
  readonly organisation: Subject;
  readonly keys = new Map<string, Subject>();
  private flight: Promise<boolean> | null = null;
  /** Requests that wait for a flight of their own. */
  private waiting = 0;
  /** Used since the last flight began: they may run low, or keep more than they should. */
  private readonly unbalanced = new Set<Subject>();
  private isShared: boolean;

  constructor(private readonly options: GroupOptions) {
    const { organisationId, limits, nowMs, lender } = options;
    this.organisation = new Subject("organisation", organisationId, limits, nowMs());
    this.isShared = lender?.connected ?? false;
    if (this.isShared) this.organisation.share();
  }

  addKey(id: string, limits: SendingLimits): Subject {
    const key = new Subject("key", id, limits, this.options.nowMs());
    if (this.isShared) key.share();
    this.keys.set(id, key);
    return key;
  }

  /** Takes it here and now, of the key and of the organisation; or says what stands against it, and has taken nothing. */
  take(key: Subject, tokens: number, nowMs: number): Lack | null {
    const subjects = [key, this.organisation];
    for (const subject of subjects) {
      const need = subject.lacks(tokens, nowMs);
      if (need !== null) return { subject, need };
    }
    for (const subject of subjects) subject.take(tokens, nowMs);
    this.balance(key);
    return null;
  }

  /** The slot is free again, and so much of the rest. */
  give(key: Subject, { requests, tokens }: { requests: number; tokens: number }, nowMs: number): void {
    for (const subject of [key, this.organisation]) {
      subject.slots.inFlight -= 1;
      if (requests !== 0) subject.requests.give(requests, nowMs);
      if (tokens !== 0) subject.tokens.give(tokens, nowMs);
    }
    this.balance(key);
  }

  /** Whether asking Redis may help. */
  get mayBorrow(): boolean {
    return this.isShared;
  }

  /** As `take`, after asking Redis for what the request lacks. Between looking and taking nobody else has his turn. */
  async takeBorrowed(key: Subject, tokens: number): Promise<Lack | null> {
    this.waiting += 1;
    try {
      return await this.borrowAndTake(key, tokens);
    } finally {
      this.waiting -= 1;
      this.rebalance();
    }
  }

  private async borrowAndTake(key: Subject, tokens: number): Promise<Lack | null> {
    const { nowMs } = this.options;
    for (let round = 1; ; round++) {
      // What others of the organisation fetch at this moment may do for this one too.
      while (this.flight !== null) {
        await this.flight;
        if (this.take(key, tokens, nowMs()) === null) return null;
      }
      const granted = await this.fly([key, this.organisation], { requests: 1, tokens, slots: 1 });
      const lack = this.take(key, tokens, nowMs());
      if (lack === null || !granted || !this.isShared || round === ROUNDS_MAX) return lack;
    }
  }

  /** Each second: shows Redis that the slots are still held, gives back what was not used, comes back when Redis does. */
  async beat(): Promise<void> {
    const { lender } = this.options;
    if (lender === null) return;
    while (this.flight !== null) await this.flight;
    if (!this.isShared) {
      if (!lender.connected) return;
      this.isShared = true;
      for (const subject of this.all()) subject.share();
    }
    const active = this.all().filter(({ holdsSomething }) => holdsSomething);
    if (active.length > 0) await this.fly(active, nothing);
    for (const subject of active) subject.wasUsed = false;
  }

  isAsNew(nowMs: number): boolean {
    return this.flight === null && this.all().every((subject) => subject.isAsNew(nowMs));
  }

  private all(): Subject[] {
    return [this.organisation, ...this.keys.values()];
  }

  private balance(key: Subject): void {
    if (!this.isShared) return;
    this.unbalanced.add(key).add(this.organisation);
    this.rebalance();
  }

  /**
   * In the background, so that the next request finds what it needs and others find what this process does not. Not
   * before those who wait: they would wait for ever behind traffic that never pauses.
   */
  private rebalance(): void {
    if (this.flight !== null || this.waiting > 0 || this.unbalanced.size === 0) return;
    const subjects = [...this.unbalanced].filter(({ runsLow, isRich }) => runsLow || isRich);
    this.unbalanced.clear();
    if (subjects.length > 0) void this.fly(subjects, nothing);
  }

  /** Never rejects: without Redis this process goes on alone, from what was left when it was last seen. */
  private fly(subjects: readonly Subject[], wanted: Wanted): Promise<boolean> {
    const { lender, organisationId, nowMs, onFlight } = this.options;
    const flight = lender!.borrow(organisationId, subjects, wanted, nowMs).then(
      (granted) => {
        onFlight(granted ? "granted" : "refused");
        return granted;
      },
      () => {
        onFlight("failed");
        this.isShared = false;
        for (const subject of this.all()) subject.goAlone(nowMs());
        return true;
      },
    );
    this.flight = flight.finally(() => {
      this.flight = null;
      this.rebalance();
    });
    return this.flight;
  }
}
