/** Looks at a job at its provider: hands it over if that was not done, and brings back what is new. Writes nothing. */
import type { WorkloadJob } from "../../entities/workload-job";
import type { WorkloadJobState } from "../../schema/enums";
import type { Database } from "../platform/database";
import { type ProviderAnswer, readAnswer } from "./answer-line";
import type { BatchOperation, BatchOperations } from "./batch-operation";
import { isEnd } from "./job-states";
import type { ProviderCalls } from "./provider-calls";
import {
  checkpointsIn,
  readBatch,
  readTraining,
  type SeenCheckpoint,
  stepsIn,
  type TrainingStep,
} from "./provider-job";

/** A line of the batch that was answered and was not before. */
export interface NewAnswer extends ProviderAnswer {
  readonly line: number;
  readonly promptBytes: number;
  readonly maxCompletionTokens: number;
  readonly choices: number;
  readonly hidesOutput: boolean;
}

export interface Sighting {
  readonly state: WorkloadJobState;
  readonly answers: readonly NewAnswer[];
  /** Bytes of the provider's output file that were read by now. */
  readonly outputRead: bigint;
  readonly trainedTokens: unknown;
  readonly upstreamModel: unknown;
  readonly steps: readonly TrainingStep[];
  readonly checkpoints: readonly SeenCheckpoint[];
}

const NEWLINE = 0x0a;
const nothing = Buffer.alloc(0);

const statements = {
  unanswered: {
    name: "workloads-asked-lines",
    text: `SELECT l.line, l.custom_id, l.prompt_bytes, l.choices, l.hides_output, l.choices * coalesce(l.max_tokens, $3::integer)::bigint AS max_completion_tokens
             FROM workload_file_line l
            WHERE l.file_id = $1 AND l.custom_id = ANY ($4)
              AND NOT EXISTS (SELECT FROM workload_answer a WHERE a.job_id = $2 AND a.line = l.line)`,
  },
};

const pathOf = (job: WorkloadJob): string =>
  `${job.kind === "BATCH" ? "/v1/batches" : "/v1/fine_tuning/jobs"}/${job.upstreamJobId}`;

/** Errors: ProviderAway, ProviderRefuses, UnreadableAnswer. */
export async function lookAt(
  db: Database,
  calls: ProviderCalls,
  operations: BatchOperations,
  job: WorkloadJob,
): Promise<Sighting> {
  const path = pathOf(job);
  if (job.cancelAskedAt !== null) await calls.tell(`${path}/cancel`).catch(unlessAway);
  const seen = await calls.read(path);
  if (job.kind !== "BATCH") return lookAtTraining(calls, job, seen);
  return lookAtBatch(db, calls, operations.get(job.terms.url!)!, job, seen);
}

/** What has ended cannot be cancelled any more, and says so. */
function unlessAway(error: unknown): void {
  if ((error as Error).name !== "ProviderRefuses") throw error;
}

async function lookAtBatch(
  db: Database,
  calls: ProviderCalls,
  operation: BatchOperation,
  job: WorkloadJob,
  seen: Readonly<Record<string, unknown>>,
): Promise<Sighting> {
  const { state, outputFileId, errorFileId, completed } = readBatch(seen);
  const ended = isEnd(state);
  // The whole file each time: only when there is something new in it.
  const grew = ended || completed === null || completed > job.answeredCount;
  const output = outputFileId === null || !grew ? nothing : await calls.content(outputFileId);
  // While the file grows, its last line may be half of one.
  const upTo = ended ? output.length : output.lastIndexOf(NEWLINE) + 1;
  const fresh = output.subarray(Number(job.upstreamOutputRead), upTo);
  const errors = ended && errorFileId !== null ? await calls.content(errorFileId) : nothing;
  const answers = [...answersIn(fresh, operation), ...answersIn(errors, operation)];
  const outputRead = BigInt(Math.max(upTo, Number(job.upstreamOutputRead)));
  return { ...nothingNew, state, answers: await newAnswers(db, job, answers), outputRead };
}

const nothingNew = {
  answers: [],
  outputRead: 0n,
  trainedTokens: undefined,
  upstreamModel: undefined,
  steps: [],
  checkpoints: [],
};

function answersIn(lines: Buffer, operation: BatchOperation): ProviderAnswer[] {
  return lines
    .toString()
    .split("\n")
    .flatMap((line) => readAnswer(line, operation) ?? []);
}

/** Of each line that was asked for and was not answered before, the first answer. */
async function newAnswers(db: Database, job: WorkloadJob, answers: readonly ProviderAnswer[]): Promise<NewAnswer[]> {
  if (answers.length === 0) return [];
  const customIds = [...new Set(answers.map(({ customId }) => customId))];
  const rows = await db.query<{
    line: number;
    custom_id: string;
    prompt_bytes: number;
    choices: number;
    hides_output: boolean;
    max_completion_tokens: string;
  }>(statements.unanswered, [job.inputFileId, job.id, job.maxOutputTokens, customIds]);
  const asked = new Map(rows.map((row) => [row.custom_id, row]));
  return answers.flatMap((answer) => {
    const row = asked.get(answer.customId);
    asked.delete(answer.customId);
    return row === undefined
      ? []
      : {
          ...answer,
          line: row.line,
          promptBytes: row.prompt_bytes,
          maxCompletionTokens: Number(row.max_completion_tokens),
          choices: row.choices,
          hidesOutput: row.hides_output,
        };
  });
}

async function lookAtTraining(
  calls: ProviderCalls,
  job: WorkloadJob,
  seen: Readonly<Record<string, unknown>>,
): Promise<Sighting> {
  const { state, trainedTokens, model } = readTraining(seen);
  const path = pathOf(job);
  // Beside the point of what is charged: a provider without them trains all the same.
  const steps = await calls
    .read(`${path}/events?limit=100`)
    .then((events) => stepsIn(events, job.upstreamStep))
    .catch(() => []);
  const checkpoints = await calls
    .read(`${path}/checkpoints?limit=100`)
    .then(checkpointsIn)
    .catch(() => []);
  return { ...nothingNew, state, trainedTokens, upstreamModel: model, steps, checkpoints };
}
