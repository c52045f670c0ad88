/** To which of its accelerators a request could be kept, so that credit which is kept for some of them may pay for it. No I/O. */
import type { KeptCredit } from "../ledger/kept-credit";
import { type Purpose, purposeOf } from "./purpose";

export interface CreditOfPurpose {
  readonly freeNanoCredit: bigint;
  /** What may come back when it is called back. */
  readonly leasedNanoCredit: bigint;
}

/** What a lot is kept for must hold wherever the request may end. */
export function creditFor({ accelerators }: Purpose, kept: readonly KeptCredit[]): CreditOfPurpose {
  let [freeNanoCredit, leasedNanoCredit] = [0n, 0n];
  for (const lot of kept) {
    if (lot.accelerators !== null && !accelerators.every((one) => lot.accelerators!.includes(one))) continue;
    freeNanoCredit += lot.freeNanoCredit;
    leasedNanoCredit += lot.leasedNanoCredit;
  }
  return { freeNanoCredit, leasedNanoCredit };
}

/**
 * The widest first, because what may end at more is served more surely. Beside what each restriction leaves, what all lots
 * that may pay for one accelerator leave together: no set with that accelerator in it has more credit, so that whoever is
 * refused for all of these could have been served nowhere.
 */
export function narrowerPurposes(whole: Purpose, kept: readonly KeptCredit[]): Purpose[] {
  const { workload, accelerators } = whole;
  const restrictions = kept.flatMap((lot) =>
    lot.accelerators === null ? [] : [accelerators.filter((one) => lot.accelerators!.includes(one))],
  );
  const together = accelerators.map((one) =>
    restrictions
      .filter((set) => set.includes(one))
      .reduce((common, set) => common.filter((other) => set.includes(other)), accelerators as string[]),
  );
  const sets = [...restrictions, ...together].filter(({ length }) => length > 0 && length < accelerators.length);
  const purposes = new Map(sets.map((set) => purposeOf(workload, set)).map((purpose) => [purpose.key, purpose]));
  return [...purposes.values()].sort(
    (a, b) => b.accelerators.length - a.accelerators.length || (a.key < b.key ? -1 : 1),
  );
}
