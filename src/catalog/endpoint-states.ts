/** The life of an endpoint as a table: the operator lets it in and stops it, its provider drains and retires it. */
import type { EndpointState } from "../../schema/enums";
import type { MoveTable } from "./moves";

const operator = ["OPERATOR"] as const;
const both = ["PROVIDER", "OPERATOR"] as const;

export const endpointMoves: MoveTable<EndpointState> = {
  REGISTERED: { LIVE: operator, SUSPENDED: operator, RETIRED: both },
  LIVE: { DRAINING: both, SUSPENDED: operator },
  DRAINING: { LIVE: both, SUSPENDED: operator, RETIRED: both },
  SUSPENDED: { LIVE: operator, RETIRED: both },
  RETIRED: {},
};
