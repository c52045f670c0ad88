/** What the mutation of the running system answers. */
import { payload } from "../user-error";
import { TestClockView } from "../views/system.view";

export const TestClockAdvance = payload<{ testClock?: TestClockView }>(
  "TestClockAdvance",
  { testClock: [() => TestClockView, "The time as it is now."] },
  ["BAD_USER_INPUT", "STATE_CONFLICT"],
);
