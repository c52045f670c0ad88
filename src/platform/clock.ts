/** The time, as an argument: rules and jobs ask a Clock, so that a test can move it. */

export interface Clock {
  now(): Date;
  nowMs(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  nowMs: () => Date.now(),
};
