/** Looks after the jobs that are under way: hands them over, follows them, and ends what nobody else ends. Its state is the database's. */
import { WorkloadFile } from "../../entities/workload-file";
import { WorkloadJob } from "../../entities/workload-job";
import type { WorkloadFailure, WorkloadJobState } from "../../schema/enums";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import type { Log } from "../platform/log";
import { transaction } from "../platform/transaction";
import type { Quote } from "../pricing/quote";
import type { UpstreamEndpoint, Upstreams } from "../upstreams/upstreams";
import type { BatchOperations } from "./batch-operation";
import type { FileStore } from "./file-store";
import { handOver, InputGone } from "./handover";
import { isHoldLost, type JobCourse, JobMoved, type JobPlace, say } from "./job-course";
import { isEnd } from "./job-states";
import { lostTrack, pauseMs, timeIsUp } from "./poll-times";
import { ProviderAway, ProviderCalls, ProviderRefuses } from "./provider-calls";
import { UnreadableAnswer } from "./provider-job";
import { lookAt, type Sighting } from "./sighting";

export interface PollerDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly upstreams: Upstreams;
  readonly files: FileStore;
  readonly operations: BatchOperations;
  readonly course: JobCourse;
  readonly cardById: (id: string) => Promise<Quote["card"]>;
  readonly pollIntervalMs: number;
  readonly silenceMs: number;
  readonly stallMs: number;
  readonly callTimeoutMs: number;
  readonly transferTimeoutMs: number;
  readonly fileLimitBytes: number;
}

interface Whereabouts extends JobPlace {
  readonly endpoint: UpstreamEndpoint;
  readonly upstreamModel: string;
}

/** A file on its way is in memory: so many of them at once. */
const LANES = 4;
const DUE_MAX = 100;
/** An output file holds the answers of an input file, which may be many times its size. */
const OUTPUT_FACTOR = 16;

const statements = {
  due: {
    name: "workloads-due",
    text: `SELECT id FROM workload_job WHERE ended_at IS NULL AND next_poll_at <= $1 ORDER BY next_poll_at LIMIT ${DUE_MAX}`,
  },
  whereabouts: {
    name: "workloads-whereabouts",
    text: `SELECT e.id, e.base_url, e.ca_pem, e.accelerator, e.region, o.upstream_model FROM endpoint e JOIN offering o ON o.endpoint_id = e.id
            WHERE o.id = $1`,
  },
};

interface JobEnd {
  readonly state: WorkloadJobState;
  readonly failure: WorkloadFailure | null;
}

const ends = {
  SILENT: { state: "FAILED", failure: "PROVIDER_SILENT" },
  STALLED: { state: "FAILED", failure: "NO_PROGRESS" },
  OVERDUE: { state: "EXPIRED", failure: "OVERDUE" },
  UNHEEDED: { state: "CANCELLED", failure: null },
} as const satisfies Readonly<Record<string, JobEnd>>;

/** Only a batch expires: what it has answered is worth something. */
function endOf({ kind }: WorkloadJob, reason: keyof typeof ends): JobEnd {
  return reason === "OVERDUE" && kind === "FINE_TUNING" ? { ...ends.OVERDUE, state: "FAILED" } : ends[reason];
}

export class Poller {
  private readonly tending = new Map<string, Promise<void>>();
  private closing = false;

  constructor(private readonly dependencies: PollerDependencies) {}

  /** Begins with what is due, as far as there is room; what it begins goes on after it has answered. */
  async start(): Promise<void> {
    if (this.closing || this.tending.size >= LANES) return;
    const due = await this.dependencies.db.query<{ id: string }>(statements.due, [this.dependencies.clock.now()]);
    for (const { id } of due) {
      if (this.closing || this.tending.size >= LANES) return;
      if (this.tending.has(id)) continue;
      this.tending.set(
        id,
        this.tend(id).finally(() => this.tending.delete(id)),
      );
    }
  }

  /** All that is due now, to its end. */
  async run(): Promise<void> {
    await this.start();
    while (this.tending.size > 0) {
      await Promise.race(this.tending.values());
      await this.start();
    }
  }

  get size(): number {
    return this.tending.size;
  }

  /** Nothing new; waits for what is under way, at most so long. */
  async drain(graceMs: number): Promise<void> {
    this.closing = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all(this.tending.values()), late]);
    clearTimeout(timer);
  }

  private async tend(id: string): Promise<void> {
    const { db, log, course, clock } = this.dependencies;
    const job = await db.source.getRepository(WorkloadJob).findOneBy({ id });
    if (job === null || job.endedAt !== null) return;
    try {
      await this.step(job);
    } catch (error) {
      if (error instanceof JobMoved) return;
      if (!isHoldLost(error)) {
        if (!this.closing) log.error({ err: error, jobId: id }, "a workload job could not be looked after");
        return void (await this.later(id).catch(() => undefined));
      }
      await course
        .loseHold(job, clock.now())
        .catch((err) => log.error({ err, jobId: id }, "a job without a hold goes on"));
    }
  }

  private async step(job: WorkloadJob): Promise<void> {
    const where = await this.whereabouts(job);
    const calls = this.callsTo(job, where.endpoint);
    if (job.cancelAskedAt !== null && job.upstreamJobId === null) return this.finish(job, where, null, ends.UNHEEDED);
    let seen: Sighting | null = null;
    try {
      if (job.upstreamJobId === null) return await this.submit(job, where, calls);
      seen = await lookAt(this.dependencies.db, calls, this.dependencies.operations, job);
    } catch (error) {
      if (error instanceof InputGone)
        return this.finish(job, where, null, { state: "FAILED", failure: "INPUT_INVALID" });
      if (error instanceof ProviderRefuses) {
        // A job that its provider does not know any more has failed there.
        const failure = job.upstreamJobId === null ? "PROVIDER_REFUSED" : "PROVIDER_FAILED";
        return this.finish(job, where, null, { state: "FAILED", failure });
      }
      if (!(error instanceof ProviderAway || error instanceof UnreadableAnswer)) throw error;
      this.dependencies.log.warn({ err: error, jobId: job.id, failures: job.failures + 1 }, "a job's provider is away");
    }
    await this.follow(job, where, seen, calls);
  }

  private async follow(
    job: WorkloadJob,
    where: Whereabouts,
    seen: Sighting | null,
    calls: ProviderCalls,
  ): Promise<void> {
    const { clock } = this.dependencies;
    const over = seen !== null && isEnd(seen.state) ? null : timeIsUp(job, clock.nowMs());
    if (over !== null) {
      await this.stop(job, calls);
      return this.finish(job, where, seen, endOf(job, over));
    }
    const next = await this.take(job, where, seen);
    if (isEnd(next.state)) return this.tidy(next, calls);
    const lost = lostTrack(next, this.dependencies, clock.nowMs());
    if (lost === null) return;
    await this.stop(job, calls);
    await this.finish(next, where, null, endOf(job, lost));
  }

  /** It may work on all the same, at its own expense from here on. */
  private async stop(job: WorkloadJob, calls: ProviderCalls): Promise<void> {
    if (job.upstreamJobId !== null) await calls.tell(`${pathOf(job)}/cancel`).catch(() => undefined);
  }

  private async submit(job: WorkloadJob, where: Whereabouts, calls: ProviderCalls): Promise<void> {
    const { db, files, operations, clock } = this.dependencies;
    let current = job;
    const set = async (columns: Partial<WorkloadJob>) => {
      const version = current.version + 1;
      const { affected } = await db.source
        .getRepository(WorkloadJob)
        .update({ id: job.id, version: current.version }, { ...columns, version });
      if (affected !== 1) throw new JobMoved(`job ${job.id} was moved by somebody else`);
      current = { ...current, ...columns, version };
    };
    const rows = db.source.getRepository(WorkloadFile);
    const input = await rows.findOneByOrFail({ id: job.inputFileId });
    const validation = job.validationFileId === null ? null : await rows.findOneByOrFail({ id: job.validationFileId });
    const handed = { calls, files, operations, upstreamModel: where.upstreamModel, note: set };
    // From before the job is there: its GPUs cannot have worked on it for longer.
    const submittedAt = clock.now();
    const upstreamJobId = await handOver(job, { input, validation }, handed);
    const at = clock.now();
    await set({
      upstreamJobId,
      state: "SUBMITTED",
      submittedAt,
      contactAt: at,
      progressAt: at,
      failures: 0,
      nextPollAt: at,
    });
    await transaction(db, (tx) => say(tx, job.id, "INFO", "A provider has taken the job.", at));
  }

  private take(job: WorkloadJob, where: Whereabouts, seen: Sighting | null): Promise<WorkloadJob> {
    const { clock, pollIntervalMs, course } = this.dependencies;
    const at = clock.now();
    const pause = pauseMs({
      intervalMs: pollIntervalMs,
      ageMs: at.getTime() - job.createdAt.getTime(),
      failures: seen === null ? job.failures + 1 : 0,
    });
    return course.take(job, where, seen, { at, nextPollAt: new Date(at.getTime() + pause) });
  }

  private async finish(job: WorkloadJob, where: Whereabouts, seen: Sighting | null, end: JobEnd): Promise<void> {
    const at = this.dependencies.clock.now();
    await this.dependencies.course.take(job, where, seen, { at, nextPollAt: at, end });
  }

  /** What the provider was given is not its to keep. Its not heeding this harms no job. */
  private async tidy(job: WorkloadJob, calls: ProviderCalls): Promise<void> {
    for (const fileId of [job.upstreamFileId, job.upstreamValidationFileId])
      if (fileId !== null) await calls.remove(fileId).catch(() => undefined);
  }

  private async whereabouts(job: WorkloadJob): Promise<Whereabouts> {
    const [row] = await this.dependencies.db.query<{
      id: string;
      base_url: string;
      ca_pem: string;
      accelerator: string;
      region: string;
      upstream_model: string;
    }>(statements.whereabouts, [job.offeringId]);
    const { id, base_url: baseUrl, ca_pem: caPem, accelerator, region, upstream_model: upstreamModel } = row!;
    const card = await this.dependencies.cardById(job.rateCardId!);
    return { endpoint: { id, baseUrl, caPem }, accelerator, region, upstreamModel, card };
  }

  private callsTo(job: WorkloadJob, endpoint: UpstreamEndpoint): ProviderCalls {
    const { upstreams, callTimeoutMs, transferTimeoutMs, fileLimitBytes } = this.dependencies;
    return new ProviderCalls({
      upstreams,
      endpoint,
      job,
      callTimeoutMs,
      transferTimeoutMs,
      transferBytesMax: fileLimitBytes * OUTPUT_FACTOR,
    });
  }

  /** After a fault of ours: not at once again. */
  private async later(id: string): Promise<void> {
    const { db, clock, pollIntervalMs } = this.dependencies;
    const nextPollAt = new Date(clock.nowMs() + pauseMs({ intervalMs: pollIntervalMs, ageMs: 0, failures: 3 }));
    await db.source.getRepository(WorkloadJob).update({ id }, { nextPollAt });
  }
}

const pathOf = (job: WorkloadJob): string =>
  `${job.kind === "BATCH" ? "/v1/batches" : "/v1/fine_tuning/jobs"}/${job.upstreamJobId}`;
