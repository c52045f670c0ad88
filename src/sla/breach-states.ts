/** When a breach of one endpoint and kind opens and closes, as a table over the minutes' verdicts. */
import type { MinuteVerdict } from "./minute";

export type BreachState = "NONE" | "OPEN";
export type BreachStep = "OPEN" | "CLOSE" | "KEEP";

/**
 * `current` is the minute still being counted: bad is bad already, but good may yet turn, so it opens and never closes.
 * UNKNOWN moves nothing: silence does not end an outage.
 */
const steps: Readonly<
  Record<BreachState, Readonly<Record<MinuteVerdict, { current: BreachStep; complete: BreachStep }>>>
> = {
  NONE: {
    BAD: { current: "OPEN", complete: "OPEN" },
    UNKNOWN: { current: "KEEP", complete: "KEEP" },
    GOOD: { current: "KEEP", complete: "KEEP" },
  },
  OPEN: {
    BAD: { current: "KEEP", complete: "KEEP" },
    UNKNOWN: { current: "KEEP", complete: "KEEP" },
    GOOD: { current: "KEEP", complete: "CLOSE" },
  },
};

export function nextBreach(state: BreachState, verdict: MinuteVerdict, minuteComplete: boolean): BreachStep {
  return steps[state][verdict][minuteComplete ? "complete" : "current"];
}
