/** Goal: a breach opens once and closes once, and silence or half a minute never closes it. */
import fc from "fast-check";
import { type BreachState, nextBreach } from "../../src/sla/breach-states";
import type { MinuteVerdict } from "../../src/sla/minute";

test.each([
  ["NONE", "BAD", true, "OPEN"],
  ["NONE", "BAD", false, "OPEN"],
  ["NONE", "GOOD", true, "KEEP"],
  ["NONE", "GOOD", false, "KEEP"],
  ["NONE", "UNKNOWN", true, "KEEP"],
  ["NONE", "UNKNOWN", false, "KEEP"],
  ["OPEN", "BAD", true, "KEEP"],
  ["OPEN", "BAD", false, "KEEP"],
  ["OPEN", "UNKNOWN", true, "KEEP"],
  ["OPEN", "UNKNOWN", false, "KEEP"],
  ["OPEN", "GOOD", false, "KEEP"],
  ["OPEN", "GOOD", true, "CLOSE"],
] as const)("%s and a %s minute (complete: %s) → %s", (state, verdict, complete, step) => {
  expect(nextBreach(state, verdict, complete)).toBe(step);
});

test("over any run of minutes openings and closings alternate", () => {
  const minutes = fc.array(fc.tuple(fc.constantFrom<MinuteVerdict>("GOOD", "BAD", "UNKNOWN"), fc.boolean()));
  fc.assert(
    fc.property(minutes, (run) => {
      let state: BreachState = "NONE";
      for (const [verdict, complete] of run) {
        const step = nextBreach(state, verdict, complete);
        if (step === "OPEN") expect(state).toBe("NONE");
        if (step === "CLOSE") expect(state).toBe("OPEN");
        if (step !== "KEEP") state = step === "OPEN" ? "OPEN" : "NONE";
      }
    }),
  );
});
