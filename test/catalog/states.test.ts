/** The two state tables, walked whole: every pair of states, every kind of organisation. */

import { endpointMoves } from "../../src/catalog/endpoint-states";
import type { MoveTable } from "../../src/catalog/moves";
import { checkMove } from "../../src/catalog/moves";
import { offeringMoves } from "../../src/catalog/offering-states";
import { refusal } from "../accounts/a-world";

const kinds = ["PROVIDER", "OPERATOR", "STARTUP", "CAPITAL_PARTNER"] as const;

/** `from>to` of every move that the kind may make. */
async function movesOf<State extends string>(table: MoveTable<State>, kind: (typeof kinds)[number]): Promise<string[]> {
  const states = Object.keys(table) as State[];
  const found: string[] = [];
  for (const from of states) {
    for (const to of states) {
      if ((await refusal(() => checkMove(table, from, to, kind))) === "nothing") found.push(`${from}>${to}`);
    }
  }
  return found;
}

const providerEndpointMoves = [
  "REGISTERED>RETIRED",
  "LIVE>DRAINING",
  "DRAINING>LIVE",
  "DRAINING>RETIRED",
  "SUSPENDED>RETIRED",
];

test("a provider drains, resumes and retires its endpoint, and cannot let itself in or lift a suspension", async () => {
  expect(await movesOf(endpointMoves, "PROVIDER")).toEqual(providerEndpointMoves);
});

test("the operator does all that, lets endpoints in, suspends what is not retired, and lifts suspensions", async () => {
  expect((await movesOf(endpointMoves, "OPERATOR")).toSorted()).toEqual(
    [
      ...providerEndpointMoves,
      "REGISTERED>LIVE",
      "REGISTERED>SUSPENDED",
      "LIVE>SUSPENDED",
      "DRAINING>SUSPENDED",
      "SUSPENDED>LIVE",
    ].toSorted(),
  );
});

test("a provider withdraws an offering and stages it again; only the operator puts it on sale", async () => {
  expect(await movesOf(offeringMoves, "PROVIDER")).toEqual(["STAGED>WITHDRAWN", "LIVE>WITHDRAWN", "WITHDRAWN>STAGED"]);
  expect(await movesOf(offeringMoves, "OPERATOR")).toEqual([
    "STAGED>LIVE",
    "STAGED>WITHDRAWN",
    "LIVE>WITHDRAWN",
    "WITHDRAWN>STAGED",
  ]);
});

test("startups and capital partners move nothing", async () => {
  for (const kind of ["STARTUP", "CAPITAL_PARTNER"] as const) {
    expect([await movesOf(endpointMoves, kind), await movesOf(offeringMoves, kind)]).toEqual([[], []]);
  }
});

test("a move that does not exist is a conflict, one that is somebody else's is forbidden", async () => {
  expect(await refusal(() => checkMove(endpointMoves, "RETIRED", "LIVE", "OPERATOR"))).toBe("STATE_CONFLICT");
  expect(await refusal(() => checkMove(endpointMoves, "LIVE", "LIVE", "OPERATOR"))).toBe("STATE_CONFLICT");
  expect(await refusal(() => checkMove(endpointMoves, "REGISTERED", "LIVE", "PROVIDER"))).toBe("FORBIDDEN");
  expect(await refusal(() => checkMove(offeringMoves, "WITHDRAWN", "LIVE", "OPERATOR"))).toBe("STATE_CONFLICT");
});
