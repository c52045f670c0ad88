/** An account's four counters, as the ledger and the journal keep them. */

export interface Counters {
  readonly debitsPending: bigint;
  readonly debitsPosted: bigint;
  readonly creditsPending: bigint;
  readonly creditsPosted: bigint;
}

export interface CounterColumns {
  readonly debits_pending: string;
  readonly debits_posted: string;
  readonly credits_pending: string;
  readonly credits_posted: string;
}

export const countersOf = (row: CounterColumns): Counters => ({
  debitsPending: BigInt(row.debits_pending),
  debitsPosted: BigInt(row.debits_posted),
  creditsPending: BigInt(row.credits_pending),
  creditsPosted: BigInt(row.credits_posted),
});

/** Posted credits less posted debits: what is owed or left where credits raise an account, the negative of what it holds where debits do. */
export const balanceOf = (counters: Pick<Counters, "creditsPosted" | "debitsPosted">): bigint =>
  counters.creditsPosted - counters.debitsPosted;
