/** Reads a state table: from where to where an object may go, and who may send it there. */
import type { OrganisationKind } from "../../schema/enums";
import { DomainError } from "../platform/errors";

/** A move that is not listed does not exist. */
export type MoveTable<State extends string> = Readonly<
  Record<State, Readonly<Partial<Record<State, readonly OrganisationKind[]>>>>
>;

/** Errors: STATE_CONFLICT when there is no such move, FORBIDDEN when it is not for this kind of organisation. */
export function checkMove<State extends string>(
  table: MoveTable<State>,
  from: State,
  to: State,
  kind: OrganisationKind,
): void {
  const allowed = table[from][to];
  if (allowed === undefined) {
    const choices = Object.keys(table[from]).join(", ") || "nowhere";
    throw new DomainError(
      "STATE_CONFLICT",
      `It is ${from} and cannot become ${to}; from here it can go to: ${choices}.`,
    );
  }
  if (!allowed.includes(kind)) {
    throw new DomainError("FORBIDDEN", `Only ${allowed.join(" and ")} may move it from ${from} to ${to}.`);
  }
}
