/** What a balance says, from the accounts of its lots. Per lot: issued = available + held + blocked + spent + expired + assigned. */

export interface CreditBalance {
  readonly issuedNanoCredit: bigint;
  /** What a new request can use. */
  readonly availableNanoCredit: bigint;
  /** Set aside for requests in flight, or lent to a relay that sets it aside. */
  readonly heldNanoCredit: bigint;
  /** Frozen by a lender. */
  readonly blockedNanoCredit: bigint;
  readonly spentNanoCredit: bigint;
  readonly expiredNanoCredit: bigint;
  /** Taken over by the lender after a default. */
  readonly assignedNanoCredit: bigint;
  readonly asOf: Date;
}

export interface FacilityBalance extends Omit<CreditBalance, "asOf"> {
  /** Dollars that came in. */
  readonly fundedNanoUsd: bigint;
  /** Dollars that still stand behind issued credit. */
  readonly backingNanoUsd: bigint;
}

export interface LotRow {
  readonly id: string;
  readonly facility_id: string;
  readonly issued: string;
  readonly frozen: boolean;
  readonly expired_by_now: boolean;
  readonly free: string;
  readonly pending: string;
  readonly leased: string;
  readonly blocked: string;
  readonly expired: string;
  readonly assigned: string;
}

type Sums = Omit<CreditBalance, "asOf">;

const nothing: Sums = {
  issuedNanoCredit: 0n,
  availableNanoCredit: 0n,
  heldNanoCredit: 0n,
  blockedNanoCredit: 0n,
  spentNanoCredit: 0n,
  expiredNanoCredit: 0n,
  assignedNanoCredit: 0n,
};

export function sumOfLots(rows: readonly LotRow[]): Sums {
  return rows.map(lotSums).reduce(add, nothing);
}

export function facilityBalanceOf(
  dollars: { funded: string; released: string },
  lots: readonly LotRow[],
): FacilityBalance {
  const funded = BigInt(dollars.funded);
  return { fundedNanoUsd: funded, backingNanoUsd: funded - BigInt(dollars.released), ...sumOfLots(lots) };
}

/** What is free in a lot is blocked while a block covers the lot whole, and expired from the lot's expiry on, swept or not. */
function lotSums(row: LotRow): Sums {
  const [issued, free, expired, assigned] = [row.issued, row.free, row.expired, row.assigned].map(BigInt) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const held = BigInt(row.pending) + BigInt(row.leased);
  const setBlocked = BigInt(row.blocked);
  const usable = !row.frozen && !row.expired_by_now;
  return {
    issuedNanoCredit: issued,
    availableNanoCredit: usable ? free : 0n,
    heldNanoCredit: held,
    blockedNanoCredit: setBlocked + (row.frozen ? free : 0n),
    spentNanoCredit: issued - free - held - setBlocked - expired - assigned,
    expiredNanoCredit: expired + (row.expired_by_now && !row.frozen ? free : 0n),
    assignedNanoCredit: assigned,
  };
}

function add(a: Sums, b: Sums): Sums {
  return {
    issuedNanoCredit: a.issuedNanoCredit + b.issuedNanoCredit,
    availableNanoCredit: a.availableNanoCredit + b.availableNanoCredit,
    heldNanoCredit: a.heldNanoCredit + b.heldNanoCredit,
    blockedNanoCredit: a.blockedNanoCredit + b.blockedNanoCredit,
    spentNanoCredit: a.spentNanoCredit + b.spentNanoCredit,
    expiredNanoCredit: a.expiredNanoCredit + b.expiredNanoCredit,
    assignedNanoCredit: a.assignedNanoCredit + b.assignedNanoCredit,
  };
}
