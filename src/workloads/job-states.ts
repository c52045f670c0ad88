/** How a job may stand after how. */
import type { WorkloadJobState } from "../../schema/enums";

const ends = ["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"] as const;

/** A provider may be ahead of what we have seen of it: a job that was short is over when it is first looked at. */
export const nextJobStates: Readonly<Record<WorkloadJobState, readonly WorkloadJobState[]>> = {
  // It succeeds nowhere before a provider knows of it.
  QUEUED: ["SUBMITTED", "FAILED", "CANCELLED", "EXPIRED"],
  SUBMITTED: ["RUNNING", "FINALISING", ...ends],
  RUNNING: ["FINALISING", ...ends],
  FINALISING: [...ends],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
  EXPIRED: [],
};

export const isEnd = (state: WorkloadJobState): boolean => nextJobStates[state].length === 0;

/** A word of the provider that leads nowhere new, or back, changes nothing. */
export function advancedState(from: WorkloadJobState, word: WorkloadJobState): WorkloadJobState {
  return nextJobStates[from].includes(word) ? word : from;
}
