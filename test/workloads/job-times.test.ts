/** When a job is looked at, when it is given up, and how it may stand after how. */
import type { WorkloadJobState } from "../../schema/enums";
import { advancedState, isEnd, nextJobStates } from "../../src/workloads/job-states";
import { CANCEL_GRACE_MS, lostTrack, pauseMs, timeIsUp } from "../../src/workloads/poll-times";

const at = (ms: number) => new Date(1_000_000 + ms);
const nowMs = (ms: number) => 1_000_000 + ms;
const job = {
  createdAt: at(0),
  submittedAt: at(10),
  contactAt: at(100),
  progressAt: at(50),
  cancelAskedAt: null,
  endsBy: at(10_000),
  failures: 0,
};
const limits = { silenceMs: 1_000, stallMs: 2_000 };

test("an old job is looked at less often, one whose provider is away less often still", () => {
  const pause = (ageMs: number, failures = 0) => pauseMs({ intervalMs: 5_000, ageMs, failures });
  expect([pause(0), pause(1_000_000), pause(1e9)]).toEqual([5_000, 10_000, 60_000]);
  expect([pause(0, 1), pause(0, 3), pause(0, 50)]).toEqual([10_000, 40_000, 300_000]);
});

test("a provider is silent only when it was asked and did not answer", () => {
  // A worker that was away for an hour has not asked.
  expect(lostTrack({ ...job, failures: 0, progressAt: at(100) }, limits, nowMs(1_500))).toBeNull();
  expect(lostTrack({ ...job, failures: 2 }, limits, nowMs(1_500))).toBeNull();
  expect(lostTrack({ ...job, failures: 3 }, limits, nowMs(1_099))).toBeNull();
  expect(lostTrack({ ...job, failures: 3 }, limits, nowMs(1_100))).toBe("SILENT");
});

test("a job stands still when its provider answers and nothing moves", () => {
  expect(lostTrack(job, limits, nowMs(2_049))).toBeNull();
  expect(lostTrack(job, limits, nowMs(2_050))).toBe("STALLED");
  // Not while nobody answers: that is the other limit.
  expect(lostTrack({ ...job, failures: 1, contactAt: at(2_000) }, limits, nowMs(2_050))).toBeNull();
});

test("its day is over, and a cancellation is waited for so long", () => {
  expect(timeIsUp(job, nowMs(9_999))).toBeNull();
  expect(timeIsUp(job, nowMs(10_000))).toBe("OVERDUE");
  const cancelled = { ...job, cancelAskedAt: at(0), endsBy: at(1e9) };
  expect(timeIsUp(cancelled, nowMs(CANCEL_GRACE_MS - 1))).toBeNull();
  expect(timeIsUp(cancelled, nowMs(CANCEL_GRACE_MS))).toBe("UNHEEDED");
});

test("no state leads back, and nothing leads out of an end", () => {
  const states = Object.keys(nextJobStates) as WorkloadJobState[];
  const reach = (from: WorkloadJobState): WorkloadJobState[] =>
    nextJobStates[from].flatMap((next) => [next, ...reach(next)]);
  for (const state of states) expect(reach(state)).not.toContain(state);
  expect(states.filter(isEnd)).toEqual(["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"]);
  expect(advancedState("RUNNING", "SUBMITTED")).toBe("RUNNING");
  expect(advancedState("SUBMITTED", "SUCCEEDED")).toBe("SUCCEEDED");
  expect(advancedState("QUEUED", "SUCCEEDED")).toBe("QUEUED");
});
