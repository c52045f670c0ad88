/** One job as its startup's view or as its provider's: neither can carry the other's fields. */
import type { WorkloadJob } from "../../../entities/workload-job";
import { encodeId } from "../../../schema/node";
import type { HostedJobView, WorkloadJobView } from "../../../schema/views/workloads.view";
import { jobName } from "../../workloads/job-name";
import { credits } from "./money";

export const workloadJobView = (row: WorkloadJob): WorkloadJobView => ({
  id: encodeId("WorkloadJob", row.id),
  name: jobName(row),
  startupId: row.startupId,
  kind: row.kind,
  state: row.state,
  failure: row.failure,
  model: row.model,
  resultModel: row.resultModel,
  lineCount: row.lineCount,
  answeredCount: row.answeredCount,
  errorCount: row.errorCount,
  held: credits(row.holdId === null ? 0n : row.heldNanoCredit - row.capturedNanoCredit),
  charge: credits(row.capturedNanoCredit),
  stageCount: row.stageCount,
  createdAt: row.createdAt,
  startedAt: row.startedAt,
  cancelAskedAt: row.cancelAskedAt,
  endedAt: row.endedAt,
  uncaptured: row.uncaptured,
});

/** Of a job that has a place. */
export const hostedJobView = (row: WorkloadJob): HostedJobView => ({
  id: encodeId("HostedJob", row.id),
  kind: row.kind,
  state: row.state,
  failure: row.failure,
  model: row.model,
  upstreamJob: row.upstreamJobId,
  stageCount: row.stageCount,
  usageBounded: row.usageBounded,
  createdAt: row.createdAt,
  submittedAt: row.submittedAt,
  contactAt: row.contactAt,
  endedAt: row.endedAt,
  endpointId: row.endpointId!,
});
