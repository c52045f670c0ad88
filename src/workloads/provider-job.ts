/** Reads what a provider says of a job into our words. Nothing of its text is passed on: it could name the provider. */
import type { WorkloadJobState } from "../../schema/enums";

type Members = Readonly<Record<string, unknown>>;

/** What cannot be read counts as no answer. */
export class UnreadableAnswer extends Error {
  override readonly name = "UnreadableAnswer";
}

const batchStates: Readonly<Record<string, WorkloadJobState>> = {
  validating: "SUBMITTED",
  in_progress: "RUNNING",
  cancelling: "RUNNING",
  finalizing: "FINALISING",
  completed: "SUCCEEDED",
  failed: "FAILED",
  expired: "EXPIRED",
  cancelled: "CANCELLED",
};

const trainingStates: Readonly<Record<string, WorkloadJobState>> = {
  validating_files: "SUBMITTED",
  queued: "SUBMITTED",
  running: "RUNNING",
  paused: "RUNNING",
  succeeded: "SUCCEEDED",
  failed: "FAILED",
  cancelled: "CANCELLED",
};

/** An id goes into paths of later calls. */
const safeId = /^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,200}$/;

export function objectIn(body: Buffer): Members {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Members;
  } catch {
    // Thrown below, like what is no object.
  }
  throw new UnreadableAnswer("the provider's answer is not a JSON object");
}

/** Errors: UnreadableAnswer. */
export function idIn({ id }: Members): string {
  if (typeof id !== "string" || !safeId.test(id)) throw new UnreadableAnswer("the provider's answer has no usable id");
  return id;
}

const optionalId = (id: unknown): string | null => (typeof id === "string" && safeId.test(id) ? id : null);

function stateIn({ status }: Members, states: Readonly<Record<string, WorkloadJobState>>): WorkloadJobState {
  const state = typeof status === "string" && Object.hasOwn(states, status) ? states[status] : undefined;
  if (state === undefined) throw new UnreadableAnswer("the provider's answer has no status that is known");
  return state;
}

/** Errors: UnreadableAnswer. */
export function readBatch(batch: Members) {
  return {
    state: stateIn(batch, batchStates),
    outputFileId: optionalId(batch.output_file_id),
    errorFileId: optionalId(batch.error_file_id),
    /** Null: it does not say how many lines are answered. */
    completed: completedIn(batch.request_counts),
  };
}

function completedIn(counts: unknown): number | null {
  const completed = typeof counts === "object" && counts !== null ? (counts as Members).completed : null;
  return Number.isSafeInteger(completed) ? (completed as number) : null;
}

/** Errors: UnreadableAnswer. */
export function readTraining(job: Members) {
  return { state: stateIn(job, trainingStates), trainedTokens: job.trained_tokens, model: job.fine_tuned_model };
}

/** Figures of a training step that may be passed on; a number is all that one of them can be. */
const metricNames = [
  "step",
  "train_loss",
  "train_mean_token_accuracy",
  "valid_loss",
  "valid_mean_token_accuracy",
  "full_valid_loss",
  "full_valid_mean_token_accuracy",
] as const;

export function metricsIn(value: unknown): Record<string, number> {
  const given = (typeof value === "object" && value !== null ? value : {}) as Members;
  return Object.fromEntries(
    metricNames.flatMap((name) => (Number.isFinite(given[name]) ? [[name, given[name] as number]] : [])),
  );
}

const STEP_MAX = 2_147_483_647;

export interface TrainingStep {
  readonly step: number;
  readonly metrics: Record<string, number>;
}

/** The steps after the one that was heard of last, oldest first, in a list of events in whatever order. */
export function stepsIn({ data }: Members, after: number): TrainingStep[] {
  if (!Array.isArray(data)) throw new UnreadableAnswer("the provider's events are no list");
  return data
    .flatMap((event: Members) => {
      const metrics = metricsIn(event?.data);
      const { step } = metrics;
      const isNew = event?.type === "metrics" && Number.isSafeInteger(step) && step! > after && step! <= STEP_MAX;
      return isNew ? [{ step: step!, metrics }] : [];
    })
    .sort((a, b) => a.step - b.step)
    .filter(({ step }, index, steps) => index === 0 || step !== steps[index - 1]!.step);
}

export interface SeenCheckpoint {
  readonly step: number;
  readonly upstreamModel: string;
  readonly metrics: Record<string, number>;
}

export function checkpointsIn({ data }: Members): SeenCheckpoint[] {
  if (!Array.isArray(data)) throw new UnreadableAnswer("the provider's checkpoints are no list");
  return data.flatMap((checkpoint: Members) => {
    const { step_number: step, fine_tuned_model_checkpoint: upstreamModel, metrics } = checkpoint ?? {};
    return Number.isSafeInteger(step) &&
      (step as number) >= 0 &&
      (step as number) <= STEP_MAX &&
      typeof upstreamModel === "string"
      ? [{ step: step as number, upstreamModel, metrics: metricsIn(metrics) }]
      : [];
  });
}
