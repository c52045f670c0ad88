/** Borrows from the allowances that all relay processes have in common: one round trip for all that a request needs. */
import type { AllowanceStore } from "./allowance-store";
import { FIGURES_PER_SUBJECT } from "./borrow-script";
import type { Subject } from "./subject";

/** What a request takes of each of its subjects. */
export interface Wanted {
  readonly requests: number;
  readonly tokens: number;
  readonly slots: number;
}

export const nothing: Wanted = { requests: 0, tokens: 0, slots: 0 };

/** A process that says nothing for so long has ended, and the slots that it held are free. */
const SLOTS_TTL_MS = 10_000;
/** An allowance that nobody touched for two minutes is full. */
const KEPT_MS = 120_000;

export class Lender {
  constructor(
    private readonly store: AllowanceStore,
    private readonly instance: string,
  ) {}

  get connected(): boolean {
    return this.store.connected;
  }

  /**
   * Gives back what the subjects have too much of, and borrows what is wanted of every one of them: all or nothing.
   * True when it is there. Errors: those of the store, after which nobody knows what was lent.
   */
  async borrow(organisationId: string, subjects: readonly Subject[], wanted: Wanted, clock: () => number) {
    // One hash tag: in a Cluster the allowances of an organisation are on one node.
    const keys = subjects.map(({ kind, id }) => `limits:{${organisationId}}:${kind}:${id}`);
    const asked = subjects.flatMap((subject) => argumentsOf(subject, wanted));
    const [fits, ...figures] = await this.store.borrow(keys, [this.instance, SLOTS_TTL_MS, KEPT_MS, ...asked]);
    const nowMs = clock();
    subjects.forEach(({ requests, tokens, slots }, i) => {
      const [requestsGranted, requestsLeft, tokensGranted, tokensLeft, held] = figures
        .slice(i * FIGURES_PER_SUBJECT)
        .map(Number) as [number, number, number, number, number];
      requests.borrowed(requestsGranted, requestsLeft, nowMs);
      tokens.borrowed(tokensGranted, tokensLeft, nowMs);
      slots.borrowed(held);
    });
    return Number(fits) === 1;
  }
}

/** In the order of `scriptArguments`. What goes back is taken out of the pools here: nobody spends it meanwhile. */
function argumentsOf({ requests, tokens, slots, wasUsed }: Subject, wanted: Wanted): number[] {
  const idle = !wasUsed && wanted === nothing;
  return [
    ...[requests.limit, requests.surplus(idle), wanted.requests, idle ? 0 : requests.wish(wanted.requests)],
    ...[tokens.limit, tokens.surplus(idle), wanted.tokens, idle ? 0 : tokens.wish(wanted.tokens)],
    ...[
      slots.limit,
      wanted.slots > 0 ? slots.inFlight + wanted.slots : 0,
      slots.wish(wanted.slots, idle),
      slots.inFlight,
    ],
  ];
}
