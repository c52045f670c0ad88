/** Turns in the lines for busy endpoints: in order within a startup, startup by startup, never longer than twice the slots. */
import fc from "fast-check";
import { type Ticket, WaitingLines } from "../../src/routing/waiting-lines";

interface Named extends Ticket {
  readonly name: string;
  pushedOut: boolean;
}

const ticket = (startupId: string, name: string): Named => {
  const made: Named = {
    startupId,
    name,
    pushedOut: false,
    onPushedOut: () => {
      made.pushedOut = true;
    },
  };
  return made;
};
const at = (endpointId: string, slots = 2) => ({ endpointId, slots });

function served(lines: WaitingLines<Named>, endpointId: string): string[] {
  const names: string[] = [];
  for (let next = lines.first(endpointId); next !== null; next = lines.first(endpointId)) {
    names.push(next.name);
    lines.leave(next, endpointId);
  }
  return names;
}

test("each startup has its turn, whoever came first with however many", () => {
  const lines = new WaitingLines<Named>();
  for (const name of ["a1", "a2", "a3", "b1", "c1", "b2"]) lines.join(ticket(name[0]!, name), [at("e", 3)]);
  expect(served(lines, "e")).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
  expect(lines.depth).toBe(0);
});

test("a full line takes nobody more of whoever fills it", () => {
  const lines = new WaitingLines<Named>();
  for (let i = 0; i < 4; i++) expect(lines.join(ticket("a", `a${i}`), [at("e")])).toBe(true);
  expect(lines.join(ticket("a", "a4"), [at("e")])).toBe(false);
  expect(lines.depth).toBe(4);
});

test("somebody with fewer in a full line takes the place of the last of whoever has the most", () => {
  const lines = new WaitingLines<Named>();
  const flood = Array.from({ length: 4 }, (_, i) => ticket("a", `a${i}`));
  for (const one of flood) lines.join(one, [at("e")]);
  expect(lines.join(ticket("b", "b0"), [at("e")])).toBe(true);
  expect(lines.join(ticket("b", "b1"), [at("e")])).toBe(true);
  expect(flood.map(({ pushedOut }) => pushedOut)).toEqual([false, false, true, true]);
  // Both have two: nobody has more than the share that a newcomer would have.
  expect(lines.join(ticket("b", "b2"), [at("e")])).toBe(false);
  expect(served(lines, "e")).toEqual(["a0", "b0", "a1", "b1"]);
});

test("who waits at several endpoints leaves all lines when one serves it, and is pushed out only of the last", () => {
  const lines = new WaitingLines<Named>();
  const both = ticket("a", "both");
  lines.join(both, [at("e"), at("f")]);
  lines.join(ticket("a", "behind"), [at("f")]);
  lines.leave(both, "e");
  expect([lines.first("e"), lines.first("f")?.name]).toEqual([null, "behind"]);
  const again = ticket("a", "again");
  lines.join(again, [at("e", 1), at("f", 9)]);
  lines.join(ticket("a", "filler"), [at("e", 1)]);
  lines.join(ticket("b", "newcomer"), [at("e", 1)]);
  expect(again.pushedOut).toBe(false);
});

test("whatever comes, goes and is served: lines stay short, nobody is lost, the depth is who still waits", () => {
  const step = fc.record({
    act: fc.constantFrom("join", "join", "join", "serve", "leave"),
    startup: fc.constantFrom("a", "b", "c", "d"),
    endpoints: fc.uniqueArray(fc.constantFrom("e", "f", "g"), { minLength: 1 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const lines = new WaitingLines<Named>();
      const waiting = new Set<Named>();
      steps.forEach(({ act, startup, endpoints }, i) => {
        if (act === "join") {
          const one = ticket(startup, `${i}`);
          if (
            lines.join(
              one,
              endpoints.map((id) => at(id)),
            )
          )
            waiting.add(one);
        } else if (act === "serve") {
          const next = lines.first(endpoints[0]!);
          if (next !== null) {
            lines.leave(next, endpoints[0]!);
            expect(waiting.delete(next)).toBe(true);
          }
        } else {
          const [one] = waiting;
          if (one !== undefined) {
            lines.leave(one);
            waiting.delete(one);
          }
        }
        for (const one of waiting) if (one.pushedOut) waiting.delete(one);
        expect(lines.depth).toBe(waiting.size);
      });
      // All that is left is served to the last.
      for (const endpointId of ["e", "f", "g"]) {
        const left = served(lines, endpointId);
        expect(left.length).toBeLessThanOrEqual(4);
      }
      expect(lines.depth).toBe(0);
    }),
  );
});
