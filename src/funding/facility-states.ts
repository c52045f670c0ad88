/** What may become of a facility, as a table. Whether its credit is blocked is no state of it but a block's. */
import type { FacilityState } from "../../schema/enums";
import { DomainError } from "../platform/errors";

const next: Readonly<Record<FacilityState, readonly FacilityState[]>> = {
  OPEN: ["CLOSED"],
  CLOSED: [],
};

/** Errors: STATE_CONFLICT. */
export function checkFacilityMove(from: FacilityState, to: FacilityState): void {
  if (next[from].includes(to)) return;
  throw new DomainError("STATE_CONFLICT", `The facility is ${from} and cannot become ${to}.`);
}
