/** Requests that wait for a slot: who gets it when, and that nobody gets what is not there. */
import type { Candidate } from "../../src/routing/candidate";
import { SlotQueue } from "../../src/routing/slot-queue";
import { aCandidate, aRouteRequest } from "./a-candidate";

const request = aRouteRequest();
const LONG_MS = 60_000;

const endpoint = (endpointId: string, slots = 1) => aCandidate({ endpointId, slots });

let nowMs: number;
let queue: SlotQueue<Candidate>;

beforeEach(() => {
  nowMs = 1_000;
  queue = new SlotQueue({
    nowMs: () => nowMs,
    begin: ({ live }) => {
      live.inFlight += 1;
    },
  });
});

const fill = (route: Candidate) => {
  route.live.inFlight = route.slots;
};
const end = (route: Candidate) => {
  route.live.inFlight -= 1;
  queue.handOver(route.endpointId);
};
const wait = (routes: readonly Candidate[], startupId = "a", maxMs = LONG_MS) =>
  queue.wait(routes, request, startupId, maxMs);

test("a freed slot is taken in the waiter's name before anybody else can look", async () => {
  const route = endpoint("e");
  fill(route);
  const waiting = wait([route]);
  end(route);
  expect(route.live.inFlight).toBe(1);
  expect(await waiting.ended).toEqual({ kind: "served", route });
  expect(queue.depth).toBe(0);
});

test("the first of several endpoints that has a slot serves, and the others' lines forget the request", async () => {
  const [one, other] = [endpoint("one"), endpoint("other")];
  fill(one);
  fill(other);
  const waiting = wait([one, other]);
  end(other);
  expect(await waiting.ended).toEqual({ kind: "served", route: other });
  end(one);
  expect([one.live.inFlight, other.live.inFlight]).toEqual([0, 1]);
});

test("an endpoint that rests hands nothing over, and what waits for it goes on with the next newcomer after the pause", async () => {
  const route = endpoint("e", 2);
  fill(route);
  const first = wait([route]);
  route.live.cooldownUntilMs = nowMs + 500;
  end(route);
  expect([route.live.inFlight, queue.depth]).toEqual([1, 1]);
  nowMs += 500;
  // The slot is free, but somebody waits for it: a newcomer is behind him.
  expect(queue.isAwaited(route)).toBe(true);
  const second = wait([route], "b");
  expect(await first.ended).toMatchObject({ kind: "served" });
  expect([route.live.inFlight, queue.depth]).toEqual([2, 1]);
  end(route);
  expect(await second.ended).toMatchObject({ kind: "served" });
});

test("there is nothing to wait for where no endpoint is merely busy, nor at one that was tried", async () => {
  const resting = endpoint("resting");
  resting.live.cooldownUntilMs = nowMs + 1;
  const tried = endpoint("tried");
  fill(tried);
  const waiting = queue.wait([resting, tried], { ...request, excludeEndpointIds: new Set(["tried"]) }, "a", LONG_MS);
  expect(await waiting.ended).toEqual({ kind: "idle" });
});

test("a wait ends when its time is over, when its line is full, when its client leaves, each time with nothing taken", async () => {
  const route = endpoint("e");
  fill(route);
  expect(await wait([route], "a", 0).ended).toEqual({ kind: "timeout" });
  expect(await wait([route], "a", 1).ended).toEqual({ kind: "timeout" });
  const leaving = wait([route]);
  const staying = wait([route]);
  expect(await wait([route]).ended).toEqual({ kind: "full" });
  leaving.leave();
  expect(await leaving.ended).toEqual({ kind: "left" });
  // Somebody else's turn: it pushes nobody out while there is room.
  const other = wait([route], "b");
  expect(queue.depth).toBe(2);
  end(route);
  expect(await staying.ended).toMatchObject({ kind: "served" });
  expect(route.live.inFlight).toBe(1);
  end(route);
  expect(await other.ended).toMatchObject({ kind: "served" });
  // Leaving afterwards changes nothing: the slot is the attempt's.
  other.leave();
  expect([route.live.inFlight, queue.depth]).toEqual([1, 0]);
});
