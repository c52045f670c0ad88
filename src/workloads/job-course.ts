/** Writes down what was seen of a job, in one transaction: its answers, its stage's charge, how far it is, and its end. */
import type { EntityManager } from "typeorm";
import { WorkloadCapture } from "../../entities/workload-capture";
import { WorkloadCheckpoint } from "../../entities/workload-checkpoint";
import { WorkloadEvent } from "../../entities/workload-event";
import { WorkloadJob } from "../../entities/workload-job";
import type { UsageOutcome, WorkloadFailure, WorkloadJobState } from "../../schema/enums";
import type { Outbox } from "../events/outbox";
import { type Metering, newRequestId } from "../metering/metering";
import type { BoundedUsage } from "../metering/usage-bounds";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { newId } from "../platform/ids";
import { transaction } from "../platform/transaction";
import type { Quote } from "../pricing/quote";
import { answerForStartup, unanswered } from "./answer-line";
import { appendLines, openJobFile } from "./file-store";
import { gpuNanosOf, quoteOf } from "./job-price";
import { advancedState, isEnd } from "./job-states";
import type { Sighting } from "./sighting";
import { isWorthAStage, linesUsage, trainingUsage, withinWallTime } from "./stage-usage";

export interface CourseDependencies {
  readonly db: Database;
  readonly metering: Metering;
  readonly outbox: Outbox;
  readonly retentionMs: number;
  /** A job that ended without a charge although it had run. */
  onUncaptured(job: WorkloadJob): void;
}

/** Where the job runs, for its usage records. */
export interface JobPlace {
  readonly accelerator: string;
  readonly region: string;
  readonly card: Quote["card"];
}

/** Somebody else has moved the job since it was read: what was seen is seen again at the next look. */
export class JobMoved extends Error {
  override readonly name = "JobMoved";
}

export interface Step {
  readonly at: Date;
  readonly nextPollAt: Date;
  /** Ends the job so, whatever its provider says. */
  readonly end?: { readonly state: WorkloadJobState; readonly failure: WorkloadFailure | null };
}

const outcomes: Partial<Record<WorkloadJobState, UsageOutcome>> = {
  FAILED: "PARTIAL",
  EXPIRED: "PARTIAL",
  CANCELLED: "ABORTED",
};

export class JobCourse {
  constructor(private readonly dependencies: CourseDependencies) {}

  /** What was seen, or null: only the end, or the next look, is written. Errors: JobMoved, SETTLEMENT_REFUSED. */
  async take(job: WorkloadJob, place: JobPlace, seen: Sighting | null, step: Step): Promise<WorkloadJob> {
    const { db, metering } = this.dependencies;
    const word = step.end?.state ?? advancedState(job.state, seen?.state ?? job.state);
    const ended = isEnd(word);
    const usage =
      seen === null ? null : usageOf(job, seen, { state: word, at: step.at, quote: quoteOf(job, place.card) });
    // What is not worth a booking yet is seen again.
    const waits = usage !== null && !ended && !isWorthAStage(usage, boundsOf(job));
    const taken = waits ? { ...seen!, answers: [], outputRead: job.upstreamOutputRead } : seen;
    const charged = waits ? null : usage;
    const next: WorkloadJob = { ...job };
    await transaction(db, async (tx) => {
      Object.assign(next, job, moved(job, word, taken, { ...step, progress: usage !== null }));
      await this.keepFiles(tx, next, taken, ended);
      await this.keepCourse(tx, job, next, taken);
      if (charged === null && ended) next.uncaptured = word === "SUCCEEDED" && job.stageCount === 0;
      await this.settle(tx, job, next, { place, usage: charged, ended });
      await write(tx, job, next);
      await this.tell(tx, job, next);
    });
    if (charged !== null || ended) metering.staged({ startupId: job.startupId, providerId: job.providerId! });
    if (next.uncaptured) this.dependencies.onUncaptured(next);
    return next;
  }

  /** The hold is gone before the job ended: nothing can be charged any more, and somebody has to know. Errors: JobMoved. */
  async loseHold(job: WorkloadJob, at: Date): Promise<void> {
    const next: WorkloadJob = {
      ...job,
      state: "FAILED",
      failure: "HOLD_LOST",
      endedAt: at,
      holdId: null,
      uncaptured: true,
      version: job.version + 1,
    };
    await transaction(this.dependencies.db, async (tx) => {
      await write(tx, job, next);
      await say(tx, job.id, "ERROR", sentenceOf(next), at);
      await this.tell(tx, job, next);
    });
    this.dependencies.onUncaptured(next);
  }

  private async settle(
    tx: EntityManager,
    job: WorkloadJob,
    next: WorkloadJob,
    { place, usage, ended }: { place: JobPlace; usage: BoundedUsage | null; ended: boolean },
  ): Promise<void> {
    const { metering } = this.dependencies;
    if (job.holdId === null) return;
    if (usage === null) {
      if (ended) await metering.releaseIn(tx, job.holdId);
      if (ended) next.holdId = null;
      return;
    }
    const nextHoldId = ended ? null : newRequestId();
    const at = next.contactAt ?? next.createdAt;
    const settled = await metering.settleStage(
      tx,
      {
        requestId: job.holdId,
        startupId: job.startupId,
        apiKeyId: job.apiKeyId,
        providerId: job.providerId!,
        endpointId: job.endpointId!,
        offeringId: job.offeringId!,
        model: job.model,
        workload: job.kind,
        accelerator: place.accelerator,
        region: place.region,
        quote: quoteOf(job, place.card),
        heldNanoCredit: job.heldNanoCredit - job.capturedNanoCredit,
        leaseId: null,
        usage,
        outcome: outcomes[next.state] ?? "COMPLETED",
        attempts: 1,
        streamed: false,
        ttftMs: null,
        durationMs: Math.max(0, at.getTime() - (job.submittedAt ?? job.createdAt).getTime()),
      },
      nextHoldId,
    );
    next.stageCount += 1;
    next.promptTokens += BigInt(usage.promptTokens);
    next.completionTokens += BigInt(usage.completionTokens);
    next.capturedNanoCredit += settled.chargedNanoCredit;
    next.usageBounded ||= usage.clamped || usage.source === "ESTIMATED";
    // All of it is spent: what is still reported has nothing to be charged to.
    next.holdId = settled.carriedNanoCredit > 0n ? nextHoldId : null;
    await tx.insert(WorkloadCapture, {
      id: job.holdId,
      jobId: job.id,
      stage: next.stageCount,
      chargeNanoCredit: settled.chargedNanoCredit,
      capturedAt: at,
    });
  }

  private async keepFiles(tx: EntityManager, next: WorkloadJob, seen: Sighting | null, ended: boolean): Promise<void> {
    if (next.kind === "FINE_TUNING") {
      if (next.state === "SUCCEEDED") await this.writeResults(tx, next);
      return;
    }
    const answers = seen?.answers ?? [];
    await tx.query(
      `INSERT INTO workload_answer (job_id, line, succeeded)
       SELECT $1, a.line, a.succeeded FROM json_to_recordset($2) AS a(line integer, succeeded boolean)`,
      [next.id, JSON.stringify(answers.map(({ line, succeeded }) => ({ line, succeeded })))],
    );
    const text = (answer: Sighting["answers"][number]) =>
      answerForStartup(answer, { lineId: lineIdOf(next.id, answer.line), model: next.model });
    const good = answers.filter(({ succeeded }) => succeeded).map(text);
    const bad = answers.filter(({ succeeded }) => !succeeded).map(text);
    next.answeredCount += good.length;
    if (ended) bad.push(...(await leftOver(tx, next)));
    next.errorCount += bad.length;
    if (good.length > 0) next.outputFileId ??= await this.open(tx, next, "output");
    if (bad.length > 0) next.errorFileId ??= await this.open(tx, next, "errors");
    if (good.length > 0) await appendLines(tx, next.outputFileId!, good);
    if (bad.length > 0) await appendLines(tx, next.errorFileId!, bad);
  }

  private open(tx: EntityManager, job: WorkloadJob, what: "output" | "errors" | "metrics"): Promise<string> {
    const at = job.contactAt ?? job.createdAt;
    const name = `${job.kind === "BATCH" ? "batch" : "ftjob"}_${job.id.replaceAll("-", "")}_${what}`;
    return openJobFile(tx, {
      startupId: job.startupId,
      purpose: job.kind === "BATCH" ? "BATCH_OUTPUT" : "FINE_TUNE_RESULTS",
      filename: what === "metrics" ? `${name}.csv` : `${name}.jsonl`,
      at,
      expiresAt: new Date(at.getTime() + this.dependencies.retentionMs),
    });
  }

  /** The figures of all steps, as a table. */
  private async writeResults(tx: EntityManager, next: WorkloadJob): Promise<void> {
    const steps = await tx.find(WorkloadEvent, { where: { jobId: next.id }, order: { id: "ASC" } });
    const rows = steps.map(({ metrics }) => metrics).filter((metrics) => metrics !== null);
    const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    next.outputFileId = await this.open(tx, next, "metrics");
    const lines = [names.join(","), ...rows.map((row) => names.map((name) => row[name] ?? "").join(","))];
    await appendLines(tx, next.outputFileId, lines);
  }

  private async keepCourse(
    tx: EntityManager,
    job: WorkloadJob,
    next: WorkloadJob,
    seen: Sighting | null,
  ): Promise<void> {
    const at = next.contactAt ?? next.createdAt;
    for (const { step, metrics } of seen?.steps ?? []) {
      const loss = metrics.train_loss === undefined ? "" : `: training loss=${metrics.train_loss}`;
      await say(tx, job.id, "INFO", `Step ${step}${loss}`, at, metrics);
    }
    for (const { step, upstreamModel, metrics } of seen?.checkpoints ?? []) {
      const model = `${modelNameOf(job)}:ckpt-step-${step}`;
      await tx
        .createQueryBuilder()
        .insert()
        .into(WorkloadCheckpoint)
        .values({ id: newId(), jobId: job.id, step, model, upstreamModel, metrics, createdAt: at })
        .orIgnore()
        .execute();
    }
    if (next.state !== job.state)
      await say(tx, job.id, next.state === "FAILED" ? "ERROR" : "INFO", sentenceOf(next), next.endedAt ?? at);
  }

  private async tell(tx: EntityManager, job: WorkloadJob, next: WorkloadJob): Promise<void> {
    if (next.state === job.state && next.stageCount === job.stageCount) return;
    await this.dependencies.outbox.append(tx, "workload.changed", job.startupId, { jobId: job.id });
  }
}

/** A line's id, so that a repeat of it has the same. */
const lineIdOf = (jobId: string, line: number): string =>
  `${jobId.replaceAll("-", "")}${line.toString(16).padStart(5, "0")}`;

/** Our name of what a job trains. */
export function modelNameOf({ id, model, terms }: Pick<WorkloadJob, "id" | "model" | "terms">): string {
  return ["ft", model, ...(terms.suffix == null ? [] : [terms.suffix]), id.replaceAll("-", "").slice(-15, -3)].join(
    ":",
  );
}

const boundsOf = (job: WorkloadJob) => ({
  promptTokens: job.promptTokensBound,
  completionTokens: job.completionTokensBound,
});

function usageOf(
  job: WorkloadJob,
  seen: Sighting,
  { state, at, quote }: { state: WorkloadJobState; at: Date; quote: Quote },
): BoundedUsage | null {
  // An answer without a byte of output costs nothing, as that of a request of its own. A training that failed has left nothing; what it had reported while it ran is charged already.
  const usage =
    job.kind === "BATCH"
      ? linesUsage(seen.answers.filter(({ succeeded, deliveredBytes }) => succeeded && deliveredBytes > 0))
      : state === "FAILED"
        ? null
        : trainingUsage({
            claim: seen.trainedTokens,
            tokensMax: job.promptTokensBound,
            chargedTokens: job.promptTokens,
            finished: state === "SUCCEEDED",
          });
  if (usage === null) return null;
  return withinWallTime(usage, {
    throughput: quote.throughput,
    elapsedMs: at.getTime() - (job.submittedAt ?? at).getTime(),
    gpuCount: job.gpuCount,
    chargedGpuNanos: gpuNanosOf(job),
  });
}

/** The job as it is after this step, but for what is charged and kept. */
function moved(
  job: WorkloadJob,
  state: WorkloadJobState,
  seen: Sighting | null,
  step: Step & { progress: boolean },
): Partial<WorkloadJob> {
  const { at } = step;
  const ended = isEnd(state);
  const began = ["RUNNING", "FINALISING", "SUCCEEDED"].includes(state);
  const progress =
    step.progress || (seen !== null && (state !== job.state || seen.answers.length > 0 || seen.steps.length > 0));
  return {
    state,
    failure: step.end?.failure ?? (state === "FAILED" ? "PROVIDER_FAILED" : state === "EXPIRED" ? "OVERDUE" : null),
    startedAt: job.startedAt ?? (began ? at : null),
    finalisingAt: job.finalisingAt ?? (state === "FINALISING" ? at : null),
    endedAt: ended ? at : null,
    contactAt: seen === null ? job.contactAt : at,
    progressAt: progress ? at : job.progressAt,
    upstreamOutputRead: seen === null || job.kind !== "BATCH" ? job.upstreamOutputRead : seen.outputRead,
    upstreamStep: seen?.steps.at(-1)?.step ?? job.upstreamStep,
    resultModel: state === "SUCCEEDED" && job.kind === "FINE_TUNING" ? modelNameOf(job) : null,
    failures: seen === null ? job.failures + 1 : 0,
    nextPollAt: step.nextPollAt,
    version: job.version + 1,
  };
}

/** Errors: JobMoved. */
async function write(tx: EntityManager, job: WorkloadJob, next: WorkloadJob): Promise<void> {
  const { id, ...columns } = next;
  const { affected } = await tx.update(WorkloadJob, { id, version: job.version }, columns);
  if (affected !== 1) throw new JobMoved(`job ${id} was moved by somebody else`);
}

export async function say(
  tx: EntityManager,
  jobId: string,
  level: WorkloadEvent["level"],
  message: string,
  at: Date,
  metrics: Record<string, number> | null = null,
): Promise<void> {
  await tx.insert(WorkloadEvent, { id: newId(), jobId, level, message, metrics, createdAt: at });
}

function sentenceOf({ state, failure }: Pick<WorkloadJob, "state" | "failure">): string {
  return failure === null ? sentences[state] : `${sentences[state]} (${failure.toLowerCase()})`;
}

const sentences: Readonly<Record<WorkloadJobState, string>> = {
  QUEUED: "The job was admitted and its credit is held.",
  SUBMITTED: "A provider has taken the job.",
  RUNNING: "The job is running.",
  FINALISING: "The results are being put together.",
  SUCCEEDED: "The job has succeeded.",
  FAILED: "The job has failed; what was not charged is free again.",
  CANCELLED: "The job was cancelled; what was not charged is free again.",
  EXPIRED: "The job's time is over; what was not charged is free again.",
};

/** Lines that nobody answered, for the file of errors. */
async function leftOver(tx: EntityManager, job: WorkloadJob): Promise<string[]> {
  const rows: { line: number; custom_id: string }[] = await tx.query(
    `SELECT l.line, l.custom_id FROM workload_file_line l
      WHERE l.file_id = $1 AND NOT EXISTS (SELECT FROM workload_answer a WHERE a.job_id = $2 AND a.line = l.line) ORDER BY l.line`,
    [job.inputFileId, job.id],
  );
  const [code, message] = {
    CANCELLED: ["batch_cancelled", "This line was not answered before the batch was cancelled."],
    EXPIRED: ["batch_expired", "This line was not answered before the batch expired."],
  }[job.state as string] ?? ["not_answered", "This line was not answered."];
  return rows.map(({ line, custom_id: customId }) =>
    unanswered({ lineId: lineIdOf(job.id, line), customId, code: code!, message: message! }),
  );
}

/** Whether a settlement met a hold that is gone. */
export const isHoldLost = (error: unknown): boolean =>
  error instanceof DomainError && error.code === "SETTLEMENT_REFUSED";
