/** Rows as OpenAI's objects. What a provider calls its things is in none of them. */
import type { WorkloadCheckpoint } from "../../../entities/workload-checkpoint";
import type { WorkloadEvent } from "../../../entities/workload-event";
import type { WorkloadFile, WorkloadFilePurpose } from "../../../entities/workload-file";
import type { WorkloadJob } from "../../../entities/workload-job";
import type { WorkloadFailure, WorkloadJobState } from "../../../schema/enums";
import type { LineFault } from "../../../schema/line-fault";
import { formatNano } from "../../money/nano";
import { gpuNanosOf } from "../../workloads/job-price";
import { publicId } from "./public-ids";

export const purposeNames: Readonly<Record<WorkloadFilePurpose, string>> = {
  BATCH: "batch",
  FINE_TUNE: "fine-tune",
  BATCH_OUTPUT: "batch_output",
  FINE_TUNE_RESULTS: "fine-tune-results",
};

const seconds = (at: Date | null): number | null => (at === null ? null : Math.floor(at.getTime() / 1_000));
const fileId = (id: string | null): string | null => (id === null ? null : publicId("file", id));

export const fileObject = (file: WorkloadFile) => ({
  id: publicId("file", file.id),
  object: "file",
  bytes: Number(file.bytes),
  created_at: seconds(file.createdAt),
  ...(file.expiresAt === null ? {} : { expires_at: seconds(file.expiresAt) }),
  filename: file.filename,
  purpose: purposeNames[file.purpose],
  status: "processed",
});

const batchStatus: Readonly<Record<WorkloadJobState, string>> = {
  QUEUED: "validating",
  SUBMITTED: "in_progress",
  RUNNING: "in_progress",
  FINALISING: "finalizing",
  SUCCEEDED: "completed",
  FAILED: "failed",
  CANCELLED: "cancelled",
  EXPIRED: "expired",
};

/** Beside OpenAI's: what is set aside for the job, what it has cost by now, in credits, and the GPU time behind that. */
const costOf = (job: WorkloadJob) => ({
  currency: "CRD",
  gpu_seconds: formatNano(job.endpointId === null ? 0n : gpuNanosOf(job)),
  held: formatNano(job.endedAt === null ? job.heldNanoCredit - job.capturedNanoCredit : 0n),
  charged: formatNano(job.capturedNanoCredit),
});

export const batchObject = (job: WorkloadJob) => ({
  id: publicId("batch", job.id),
  object: "batch",
  endpoint: job.terms.url,
  model: job.model,
  errors: errorsOf(job),
  input_file_id: fileId(job.inputFileId),
  completion_window: job.terms.completionWindow,
  status: job.cancelAskedAt !== null && job.endedAt === null ? "cancelling" : batchStatus[job.state],
  output_file_id: fileId(job.outputFileId),
  error_file_id: fileId(job.errorFileId),
  created_at: seconds(job.createdAt),
  in_progress_at: seconds(job.startedAt),
  expires_at: seconds(job.endsBy),
  finalizing_at: seconds(job.finalisingAt),
  completed_at: endedAs(job, "SUCCEEDED"),
  failed_at: endedAs(job, "FAILED"),
  expired_at: endedAs(job, "EXPIRED"),
  cancelling_at: seconds(job.cancelAskedAt),
  cancelled_at: endedAs(job, "CANCELLED"),
  request_counts: { total: job.lineCount, completed: job.answeredCount, failed: job.errorCount },
  usage: {
    input_tokens: Number(job.promptTokens),
    output_tokens: Number(job.completionTokens),
    total_tokens: Number(job.promptTokens + job.completionTokens),
  },
  metadata: job.terms.metadata,
  exergy: costOf(job),
});

const endedAs = (job: WorkloadJob, state: WorkloadJobState) => (job.state === state ? seconds(job.endedAt) : null);

function errorsOf(job: WorkloadJob) {
  const faults: readonly (Omit<LineFault, "line"> & { line: number | null })[] =
    job.faults.length > 0 || job.failure === null
      ? job.faults
      : [{ line: null, param: null, ...failureOf(job.failure) }];
  return faults.length === 0 ? null : { object: "list", data: faults };
}

const failureMessages: Readonly<Record<WorkloadFailure, string>> = {
  INPUT_INVALID: "The input file cannot be read, or is gone.",
  PROVIDER_REFUSED: "The job was refused. Nothing was charged.",
  PROVIDER_FAILED: "The job failed while it ran. What was delivered before is charged, nothing else.",
  PROVIDER_SILENT: "The job was lost sight of. What was delivered before is charged, nothing else.",
  NO_PROGRESS: "The job stood still for too long. What was delivered before is charged, nothing else.",
  OVERDUE: "The job's time was over before its work was.",
  HOLD_LOST: "The job was stopped by a fault of ours.",
};

const failureOf = (failure: WorkloadFailure) => ({ code: failure.toLowerCase(), message: failureMessages[failure] });

const trainingStatus: Readonly<Record<WorkloadJobState, string>> = {
  QUEUED: "queued",
  SUBMITTED: "queued",
  RUNNING: "running",
  FINALISING: "running",
  SUCCEEDED: "succeeded",
  FAILED: "failed",
  EXPIRED: "failed",
  CANCELLED: "cancelled",
};

export function trainingObject(job: WorkloadJob) {
  const { epochs, batchSize, learningRateMultiplier, seed, metadata } = job.terms;
  const hyperparameters = {
    n_epochs: epochs,
    batch_size: batchSize ?? "auto",
    learning_rate_multiplier: learningRateMultiplier == null ? "auto" : Number(learningRateMultiplier),
  };
  return {
    id: publicId("job", job.id),
    object: "fine_tuning.job",
    model: job.model,
    created_at: seconds(job.createdAt),
    finished_at: seconds(job.endedAt),
    fine_tuned_model: job.resultModel,
    organization_id: "exergy",
    result_files: job.outputFileId === null ? [] : [fileId(job.outputFileId)],
    status: trainingStatus[job.state],
    training_file: fileId(job.inputFileId),
    validation_file: fileId(job.validationFileId),
    hyperparameters,
    method: { type: "supervised", supervised: { hyperparameters } },
    trained_tokens: job.stageCount === 0 ? null : Number(job.promptTokens),
    error: job.failure === null ? null : { ...failureOf(job.failure), param: null },
    seed,
    estimated_finish: null,
    integrations: [],
    metadata,
    exergy: costOf(job),
  };
}

export const eventObject = (event: WorkloadEvent) => ({
  id: publicId("event", event.id),
  object: "fine_tuning.job.event",
  created_at: seconds(event.createdAt),
  level: event.level.toLowerCase(),
  message: event.message,
  type: event.metrics === null ? "message" : "metrics",
  data: event.metrics ?? {},
});

export const checkpointObject = (checkpoint: WorkloadCheckpoint) => ({
  id: publicId("checkpoint", checkpoint.id),
  object: "fine_tuning.job.checkpoint",
  created_at: seconds(checkpoint.createdAt),
  fine_tuned_model_checkpoint: checkpoint.model,
  fine_tuning_job_id: publicId("job", checkpoint.jobId),
  step_number: checkpoint.step,
  metrics: checkpoint.metrics,
});
