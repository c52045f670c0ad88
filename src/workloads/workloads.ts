/** The door to batches and fine-tuning jobs: make one, follow it, cancel it; its credit is held until it has ended. */
import type { SelectQueryBuilder } from "typeorm";
import { WorkloadCheckpoint } from "../../entities/workload-checkpoint";
import { WorkloadEvent } from "../../entities/workload-event";
import type { WorkloadFile } from "../../entities/workload-file";
import { WorkloadJob } from "../../entities/workload-job";
import type { WorkloadJobState, WorkloadKind } from "../../schema/enums";
import type { LineFault } from "../../schema/line-fault";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import type { Metering } from "../metering/metering";
import type { Clock } from "../platform/clock";
import type { Config } from "../platform/config";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import { checked } from "../platform/input";
import type { Log } from "../platform/log";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readQuery } from "../platform/rows";
import type { Quote } from "../pricing/quote";
import type { Upstreams } from "../upstreams/upstreams";
import { FAULTS_MAX } from "./batch-line";
import { type BatchOperation, type BatchOperations, byUrl } from "./batch-operation";
import type { TrainingRoute } from "./choose-endpoint";
import { FileStore } from "./file-store";
import { JobAdmission, type RequestMark } from "./job-admission";
import { JobCourse } from "./job-course";
import { batchFields, EPOCHS_DEFAULT, type NewBatch, type NewTraining, trainingFields } from "./job-input";
import { batchBounds, type LineSums } from "./job-price";
import { BATCH_MAX_MS } from "./poll-times";
import { Poller } from "./poller";
import { trainedTokensMax } from "./stage-usage";
import { type ListPage, type ListRequest, WorkloadFiles } from "./workload-files";

export type { RequestMark } from "./job-admission";
export type { NewBatch, NewTraining } from "./job-input";
export type { ListPage, ListRequest } from "./workload-files";

export interface WorkloadsDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metering: Metering;
  readonly ledger: Ledger;
  readonly outbox: Outbox;
  readonly upstreams: Upstreams;
  readonly trainingRoutes: (model: string) => Promise<readonly TrainingRoute[]>;
  readonly rateCardsByIds: (ids: readonly string[]) => Promise<readonly Quote["card"][]>;
  readonly config: Pick<Config, "workloads" | "upstream">;
  /** What lines of batches may call. */
  readonly operations: readonly BatchOperation[];
}

export interface JobFilter {
  readonly startupId?: string | null | undefined;
  readonly kind?: WorkloadKind | null | undefined;
  readonly state?: WorkloadJobState | null | undefined;
  readonly uncaptured?: boolean | null | undefined;
}

export interface HostedFilter {
  readonly providerId?: string | null | undefined;
  readonly endpointId?: string | null | undefined;
  readonly kind?: WorkloadKind | null | undefined;
  readonly state?: WorkloadJobState | null | undefined;
}

const sums = {
  name: "workloads-line-sums",
  text: `SELECT count(*)::int AS lines, coalesce(sum(prompt_bytes), 0)::text AS prompt_bytes, min(model) AS model,
                coalesce(sum(choices::bigint * max_tokens), 0)::text AS limited_tokens,
                coalesce(sum(choices) FILTER (WHERE max_tokens IS NULL), 0)::text AS open_choices
           FROM workload_file_line WHERE file_id = $1`,
};
const strangers = {
  name: "workloads-lines-elsewhere",
  text: `SELECT line FROM workload_file_line WHERE file_id = $1 AND url <> $2 ORDER BY line LIMIT ${FAULTS_MAX}`,
};

export class Workloads {
  readonly files: WorkloadFiles;
  private readonly dependencies: WorkloadsDependencies;
  private readonly operations: BatchOperations;
  private readonly store: FileStore;
  private readonly admission: JobAdmission;
  private readonly poller: Poller;
  private readonly onUncaptured: ((job: WorkloadJob) => void)[] = [];

  constructor(dependencies: WorkloadsDependencies) {
    const { db, clock, log, config, rateCardsByIds } = dependencies;
    const { workloads: limits, upstream } = config;
    this.dependencies = dependencies;
    this.operations = byUrl(dependencies.operations);
    this.store = new FileStore(db, clock, limits, this.operations);
    this.files = new WorkloadFiles(db, clock, this.store, limits.retentionMs);
    this.admission = new JobAdmission(dependencies);
    const course = new JobCourse({
      ...dependencies,
      retentionMs: limits.retentionMs,
      onUncaptured: (job) => {
        log.error({ jobId: job.id, state: job.state, failure: job.failure }, "a job ended without a capture");
        for (const listener of this.onUncaptured) listener(job);
      },
    });
    this.poller = new Poller({
      ...dependencies,
      ...limits,
      files: this.store,
      operations: this.operations,
      course,
      cardById: async (id) => (await rateCardsByIds([id]))[0]!,
      callTimeoutMs: upstream.firstByteTimeoutMs,
      transferTimeoutMs: upstream.totalTimeoutMs,
    });
  }

  /**
   * Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, MODEL_NOT_FOUND, NO_ROUTE, INSUFFICIENT_CREDITS,
   * IDEMPOTENCY_KEY_REUSED, DATABASE_UNAVAILABLE, OVERLOADED. A file that cannot be read makes a job that has failed.
   */
  async createBatch(viewer: Viewer | null, input: NewBatch, mark: RequestMark): Promise<WorkloadJob> {
    const { organisationId: startupId, keyId } = payer(viewer);
    const known = await this.admission.repeated(startupId, keyId, mark);
    if (known !== null) return known;
    const { input_file_id: fileId, ...asked } = checked(batchFields([...this.operations.keys()]), input);
    const file = await this.files.one(viewer, fileId, "input_file_id");
    if (file.purpose !== "BATCH") throw wrongPurpose("input_file_id", "batch");
    const lines = await this.lineSums(file.id);
    const application = {
      startupId,
      apiKeyId: keyId,
      kind: "BATCH" as const,
      model: lines.model ?? "",
      terms: { metadata: asked.metadata ?? null, url: asked.endpoint, completionWindow: asked.completion_window },
      input: { ...file, faults: await this.faultsOf(file, lines.lines, asked.endpoint) },
      validation: null,
      lastsMs: BATCH_MAX_MS,
      mark,
    };
    if (application.input.faults.length > 0) return this.admission.refuse(application);
    return this.admission.admit({
      ...application,
      boundsAt: ({ maxOutputTokens }) => batchBounds(lines, maxOutputTokens),
    });
  }

  /** Errors: as createBatch; BAD_USER_INPUT for a file that nothing can be trained on. */
  async createTraining(viewer: Viewer | null, input: NewTraining, mark: RequestMark): Promise<WorkloadJob> {
    const { organisationId: startupId, keyId } = payer(viewer);
    const known = await this.admission.repeated(startupId, keyId, mark);
    if (known !== null) return known;
    const {
      training_file: trainingId,
      validation_file: validationId,
      model,
      ...asked
    } = checked(trainingFields, input);
    const training = await this.examples(viewer, trainingId, "training_file");
    const validation = validationId == null ? null : await this.examples(viewer, validationId, "validation_file");
    const { n_epochs, batch_size, learning_rate_multiplier } = asked.hyperparameters ?? {};
    const epochs = chosen(n_epochs) ?? EPOCHS_DEFAULT;
    const bounds = { promptTokens: trainedTokensMax(training.bytes, epochs), completionTokens: 0n };
    return this.admission.admit({
      startupId,
      apiKeyId: keyId,
      kind: "FINE_TUNING",
      model,
      terms: {
        metadata: asked.metadata ?? null,
        epochs,
        batchSize: chosen(batch_size),
        learningRateMultiplier: chosen(learning_rate_multiplier)?.toString() ?? null,
        seed: asked.seed ?? 0,
        suffix: asked.suffix ?? null,
      },
      input: training,
      validation,
      boundsAt: () => bounds,
      lastsMs: this.dependencies.config.workloads.trainingMaxMs,
      mark,
    });
  }

  /** Newest first. Errors: UNAUTHENTICATED, FORBIDDEN. */
  async list(viewer: Viewer | null, kind: WorkloadKind, { limit, after }: ListRequest): Promise<ListPage<WorkloadJob>> {
    const { organisationId: startupId } = requireKind(viewer, "INFER", "STARTUP");
    const query = this.jobs().createQueryBuilder("j").where("j.startupId = :startupId", { startupId });
    query.andWhere("j.kind = :kind", { kind });
    if (after !== null) query.andWhere("j.id < :after", { after });
    return listed(
      await query
        .orderBy("j.id", "DESC")
        .limit(limit + 1)
        .getMany(),
      limit,
    );
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND. */
  async one(viewer: Viewer | null, kind: WorkloadKind, id: string): Promise<WorkloadJob> {
    const { organisationId: startupId } = requireKind(viewer, "INFER", "STARTUP");
    const job = isId(id) ? await this.jobs().findOneBy({ id, startupId, kind }) : null;
    if (job === null) throw notFound(kind === "BATCH" ? "batch" : "fine-tuning job");
    return job;
  }

  /** The provider hears of it within seconds. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND; STATE_CONFLICT when it has ended. */
  async cancel(viewer: Viewer | null, kind: WorkloadKind, id: string): Promise<WorkloadJob> {
    const { endedAt, state } = await this.one(viewer, kind, id);
    const at = this.dependencies.clock.now();
    // Whoever looks after it now has read an older version: it writes nothing, and looks again at once.
    if (endedAt === null)
      await this.dependencies.db.source.query(
        `UPDATE workload_job SET cancel_asked_at = coalesce(cancel_asked_at, $2), next_poll_at = $2, version = version + 1
          WHERE id = $1 AND ended_at IS NULL`,
        [id, at],
      );
    else if (state !== "CANCELLED")
      throw new DomainError("STATE_CONFLICT", "The job has ended already: there is nothing to cancel.");
    return this.one(viewer, kind, id);
  }

  /** Newest first. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND. */
  async events(viewer: Viewer | null, id: string, { limit, after }: ListRequest): Promise<ListPage<WorkloadEvent>> {
    const { id: jobId } = await this.one(viewer, "FINE_TUNING", id);
    const query = this.dependencies.db.source.getRepository(WorkloadEvent).createQueryBuilder("e");
    query.where("e.jobId = :jobId", { jobId });
    if (after !== null) query.andWhere("e.id < :after", { after });
    return listed(
      await query
        .orderBy("e.id", "DESC")
        .limit(limit + 1)
        .getMany(),
      limit,
    );
  }

  /** Newest first. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND. */
  async checkpoints(
    viewer: Viewer | null,
    id: string,
    { limit, after }: ListRequest,
  ): Promise<ListPage<WorkloadCheckpoint>> {
    const { id: jobId } = await this.one(viewer, "FINE_TUNING", id);
    const query = this.dependencies.db.source.getRepository(WorkloadCheckpoint).createQueryBuilder("c");
    query.where("c.jobId = :jobId", { jobId });
    if (after !== null) query.andWhere("c.id < :after", { after });
    return listed(
      await query
        .orderBy("c.id", "DESC")
        .limit(limit + 1)
        .getMany(),
      limit,
    );
  }

  /** A startup's own jobs; the operator sees all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT. */
  async page(viewer: Viewer | null, page: PageRequest, filter: JobFilter): Promise<Page<WorkloadJob>> {
    requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    const startupId = organisationScope(viewer, "READ", filter.startupId);
    const { kind, state, uncaptured } = filter;
    return this.pageOf(page, { startupId, kind, state, uncaptured });
  }

  /** The same at a provider's endpoints; the operator sees all that have a place. Errors: as `page`. */
  async hostedPage(viewer: Viewer | null, page: PageRequest, filter: HostedFilter): Promise<Page<WorkloadJob>> {
    requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(viewer, "READ", filter.providerId);
    const { endpointId, kind, state } = filter;
    return this.pageOf(page, { providerId, endpointId, kind, state }, "j.endpointId IS NOT NULL");
  }

  /** Jobs that have not ended, of a startup or all. Errors: UNAUTHENTICATED, FORBIDDEN. */
  async underWay(viewer: Viewer | null): Promise<WorkloadJob[]> {
    const query = this.jobs().createQueryBuilder("j").where("j.endedAt IS NULL");
    return readQuery(this.dependencies.db, ownJobs(query, viewer).orderBy("j.id"));
  }

  /** Those of them that the viewer may see, in no order. Errors: UNAUTHENTICATED, FORBIDDEN. */
  async shownByIds(viewer: Viewer | null, ids: readonly string[]): Promise<WorkloadJob[]> {
    const query = this.jobs()
      .createQueryBuilder("j")
      .where("j.id = ANY (:ids)", { ids: ids.filter(isId) });
    return readQuery(this.dependencies.db, ownJobs(query, viewer));
  }

  private pageOf(
    page: PageRequest,
    wanted: Readonly<Record<string, unknown>>,
    more = "true",
  ): Promise<Page<WorkloadJob>> {
    const query = this.jobs().createQueryBuilder("j").where(more);
    for (const [name, value] of Object.entries(wanted))
      if (value != null) query.andWhere(`j.${name} = :${name}`, { [name]: value });
    return fetchPage(this.dependencies.db, query, page);
  }

  /** Begins to look after what is due, and answers without waiting for it; each second in the leading worker. */
  pollDue(): Promise<void> {
    return this.poller.start();
  }

  /** The same to its end. */
  pollToEnd(): Promise<void> {
    return this.poller.run();
  }

  /** Jobs that are being looked after at this moment. */
  get tended(): number {
    return this.poller.size;
  }

  /** Forgets files whose time is over. */
  sweepFiles(): Promise<void> {
    return this.store.sweep();
  }

  /** Told of each job that ended without a charge although it had run. */
  whenUncaptured(listener: (job: WorkloadJob) => void): void {
    this.onUncaptured.push(listener);
  }

  /** For the end of the process. What is not finished is taken up by the next one, from the database. */
  drain(graceMs = 2_000): Promise<void> {
    return this.poller.drain(graceMs);
  }

  private jobs() {
    return this.dependencies.db.source.getRepository(WorkloadJob);
  }

  private async lineSums(fileId: string): Promise<LineSums & { model: string | null }> {
    const [row] = await this.dependencies.db.query<{
      lines: number;
      prompt_bytes: string;
      model: string | null;
      limited_tokens: string;
      open_choices: string;
    }>(sums, [fileId]);
    return {
      lines: row!.lines,
      model: row!.model,
      promptBytes: BigInt(row!.prompt_bytes),
      limitedTokens: BigInt(row!.limited_tokens),
      openChoices: BigInt(row!.open_choices),
    };
  }

  /** A line may be read by itself and still call another endpoint than its batch. */
  private async faultsOf(file: WorkloadFile, lines: number, endpoint: string): Promise<LineFault[]> {
    if (lines === 0 && file.faults.length === 0) return [emptyFile];
    const rows = await this.dependencies.db.query<{ line: number }>(strangers, [file.id, endpoint]);
    const message = `The \`url\` of this line is not the batch's \`endpoint\`, ${endpoint}.`;
    const elsewhere = rows.map(({ line }) => ({ line, code: "invalid_url", message, param: "url" }));
    return [...file.faults, ...elsewhere].sort((a, b) => (a.line ?? 0) - (b.line ?? 0)).slice(0, FAULTS_MAX);
  }

  private async examples(viewer: Viewer | null, id: string, field: string) {
    const file = await this.files.one(viewer, id, field);
    if (file.purpose !== "FINE_TUNE") throw wrongPurpose(field, "fine-tune");
    const fault = file.lineCount === 0 ? emptyFile : file.faults[0];
    if (fault === undefined) return file;
    throw new DomainError("BAD_USER_INPUT", `Line ${fault.line} of the file: ${fault.message}`, { field });
  }
}

function ownJobs(query: SelectQueryBuilder<WorkloadJob>, viewer: Viewer | null): SelectQueryBuilder<WorkloadJob> {
  requireKind(viewer, "READ", "STARTUP", "OPERATOR");
  const startupId = organisationScope(viewer, "READ");
  return startupId === null ? query : query.andWhere("j.startupId = :startupId", { startupId });
}

const emptyFile = { line: 1, code: "empty_file", message: "The file has no lines.", param: null };

const chosen = <T>(value: T | "auto" | null | undefined): T | null =>
  value === "auto" || value == null ? null : value;

function listed<Row>(rows: readonly Row[], limit: number): ListPage<Row> {
  return { rows: rows.slice(0, limit), hasMore: rows.length > limit };
}

function wrongPurpose(field: string, purpose: string): DomainError {
  return new DomainError("BAD_USER_INPUT", `${field}: the file was not uploaded with the purpose \`${purpose}\`.`, {
    field,
  });
}

/** A workload is charged to a key. Errors: UNAUTHENTICATED, FORBIDDEN. */
function payer(viewer: Viewer | null): Viewer & { keyId: string } {
  const known = requireKind(viewer, "INFER", "STARTUP");
  if (known.keyId === null) throw new DomainError("FORBIDDEN", "Jobs are charged to an API key: send one.");
  return known as Viewer & { keyId: string };
}
