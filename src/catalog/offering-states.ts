/** The life of an offered model as a table: the operator puts it on sale, its provider takes it off and stages it again. */
import type { OfferingState } from "../../schema/enums";
import type { MoveTable } from "./moves";

const operator = ["OPERATOR"] as const;
const both = ["PROVIDER", "OPERATOR"] as const;

export const offeringMoves: MoveTable<OfferingState> = {
  STAGED: { LIVE: operator, WITHDRAWN: both },
  LIVE: { WITHDRAWN: both },
  WITHDRAWN: { STAGED: both },
};
