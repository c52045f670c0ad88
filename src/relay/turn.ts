/** A request's right to run and be charged. What comes a second time does not get one: it is answered from the first. */
import type { ClientConnection } from "./client-connection";

/** ANSWERED: its client was to get all of it. FAILED: it came to nothing and cost nothing. SPENT: anything between. */
export type TurnEnd = "ANSWERED" | "FAILED" | "SPENT";

/** What is missing of an answer when it is about to be settled. */
export interface Remainder {
  /** Null: the client has it. */
  readonly head: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | null;
  readonly bytes: Buffer;
}

export interface Turn {
  readonly client: ClientConnection;
  /** Set when the answer has to be stored before it is settled. Errors: SETTLEMENT_REFUSED, DATABASE_UNAVAILABLE. */
  readonly store: ((remainder: Remainder, leaseId: string | null) => Promise<void>) | null;
  /** The answer is whole: whoever asks for it from here on gets it, even if its own client leaves. */
  whole(): void;
  /** Nothing is charged. Never rejects. */
  free(): Promise<void> | void;
  /** Instead of an answer, for all who follow. */
  fail(error: unknown): void;
  over(end: TurnEnd): void;
}
