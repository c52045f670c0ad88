/** Decides whether a job may run: which endpoint takes it, what it can cost at most, and whether credit for that is set aside. */
import type { EntityManager } from "typeorm";
import type { WorkloadFile } from "../../entities/workload-file";
import { WorkloadJob, type WorkloadTerms } from "../../entities/workload-job";
import type { WorkloadKind } from "../../schema/enums";
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import { type Metering, newRequestId } from "../metering/metering";
import { purposeOf } from "../metering/purpose";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { violatesUnique } from "../platform/input";
import { transaction } from "../platform/transaction";
import { type Chosen, type PricedRoute, rankEndpoints, type TrainingRoute } from "./choose-endpoint";
import { say } from "./job-course";
import { type JobBounds, priceOfBounds } from "./job-price";
import { ADMISSION_MS, HOLD_GRACE_MS } from "./poll-times";

export interface AdmissionDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly metering: Metering;
  readonly ledger: Ledger;
  readonly outbox: Outbox;
  readonly trainingRoutes: (model: string) => Promise<readonly TrainingRoute[]>;
}

/** By what a repeated request is known. */
export interface RequestMark {
  readonly idempotencyKey: string | null;
  /** Of the bytes that were sent. */
  readonly digest: string;
  /** The client says itself that it has sent this before. */
  readonly isRetry: boolean;
}

export interface Application {
  readonly startupId: string;
  readonly apiKeyId: string;
  readonly kind: WorkloadKind;
  readonly model: string;
  readonly terms: WorkloadTerms;
  readonly input: WorkloadFile;
  readonly validation: WorkloadFile | null;
  readonly boundsAt: (route: TrainingRoute) => JobBounds;
  readonly lastsMs: number;
  readonly mark: RequestMark;
}

/** How long a client's own retry of a request may come after it. */
const RETRY_MS = 120_000;
/** What a usage record can tell of one stage. */
const TOKENS_MAX = 2_147_483_647n;

export class JobAdmission {
  constructor(private readonly dependencies: AdmissionDependencies) {}

  /** The job that this very request has made already; null: none. Errors: IDEMPOTENCY_KEY_REUSED. */
  async repeated(startupId: string, apiKeyId: string, mark: RequestMark): Promise<WorkloadJob | null> {
    const jobs = this.dependencies.db.source.getRepository(WorkloadJob);
    const { idempotencyKey, digest, isRetry } = mark;
    if (idempotencyKey !== null) {
      const known = await jobs.findOneBy({ startupId, idempotencyKey });
      if (known !== null && known.requestDigest !== digest)
        throw new DomainError("IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key came with another body before.");
      return known;
    }
    if (!isRetry) return null;
    const [latest] = await jobs.find({
      where: { startupId, apiKeyId, requestDigest: digest },
      order: { id: "DESC" },
      take: 1,
    });
    const since = this.dependencies.clock.nowMs() - RETRY_MS;
    return latest !== undefined && latest.createdAt.getTime() >= since ? latest : null;
  }

  /** Errors: MODEL_NOT_FOUND, BAD_USER_INPUT, NO_ROUTE, INSUFFICIENT_CREDITS, NOT_FOUND, DATABASE_UNAVAILABLE, OVERLOADED. */
  async admit(application: Application): Promise<WorkloadJob> {
    const { metering, clock } = this.dependencies;
    const ranked = await this.rank(application);
    const id = newRequestId();
    const { startupId } = application;
    const { route, priceNanoCredit } = await this.hold(id, application, ranked).catch(async (error) =>
      Promise.reject(await this.withFigures(error, startupId)),
    );
    const at = clock.now();
    const job = { ...jobOf(id, application, at), ...placed(application, route, priceNanoCredit), holdId: id };
    try {
      await transaction(this.dependencies.db, (tx) => this.write(tx, job, route, application));
    } catch (error) {
      await metering.release(id, startupId);
      const known = violatesUnique(error, "workload_job_idempotency_key")
        ? await this.repeated(startupId, application.apiKeyId, application.mark)
        : null;
      if (known !== null) return known;
      throw error;
    }
    return job;
  }

  /** A batch that cannot be read is a job that has failed, with what is wrong in each line. */
  async refuse(application: Omit<Application, "boundsAt">): Promise<WorkloadJob> {
    const { db, clock } = this.dependencies;
    const at = clock.now();
    const job: WorkloadJob = {
      ...jobOf(newRequestId(), application, at),
      state: "FAILED",
      failure: "INPUT_INVALID",
      faults: application.input.faults,
      endedAt: at,
    };
    await db.source.getRepository(WorkloadJob).insert(job);
    return job;
  }

  /** Credit may be kept for some accelerators: where it does not cover the cheapest, the next cheapest is asked for. */
  private async hold(id: string, { startupId, apiKeyId, kind }: Application, ranked: readonly Chosen[]) {
    const authorise = async ({ route, priceNanoCredit }: Chosen, hasAlternative: boolean) =>
      this.dependencies.metering.authorise({
        requestId: id,
        startupId,
        apiKeyId,
        amountNanoCredit: priceNanoCredit,
        rateCardId: route.quote.card.id,
        ttlMs: ADMISSION_MS,
        purpose: purposeOf(kind, [route.accelerator]),
        durable: true,
        hasAlternative,
      });
    for (const chosen of ranked.length > 1 ? ranked : []) {
      try {
        await authorise(chosen, true);
        return chosen;
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== "INSUFFICIENT_CREDITS") throw error;
      }
    }
    // The last word has the figures of the cheapest, with all that is lent called back.
    const [cheapest] = ranked as [Chosen];
    await authorise(cheapest, false);
    return cheapest;
  }

  /** Never empty. */
  private async rank(application: Application): Promise<readonly Chosen[]> {
    const { model, boundsAt } = application;
    const routes = await this.dependencies.trainingRoutes(model);
    if (!routes.some(({ offeringState }) => offeringState === "LIVE")) {
      const message = `No provider offers the model \`${model}\` for batches and fine-tuning.`;
      throw new DomainError("MODEL_NOT_FOUND", message, { field: "model" });
    }
    for (const route of routes) {
      const bounds = boundsAt(route);
      if (bounds.promptTokens + bounds.completionTokens > TOKENS_MAX)
        throw new DomainError("BAD_USER_INPUT", `A job may come to ${TOKENS_MAX} tokens: make several of it.`);
    }
    const openJobs = await countOpenJobs(
      this.dependencies.db.source.manager,
      routes.map(({ endpointId }) => endpointId),
    );
    const { ranked, reasons } = rankEndpoints(routes, openJobs, (route) => priceOfBounds(route.quote, boundsAt(route)));
    if (ranked.length === 0)
      throw new DomainError("NO_ROUTE", "Providers offer the model, but none can take a job now.", {
        details: { reasons },
      });
    return ranked;
  }

  private async write(tx: EntityManager, job: WorkloadJob, route: PricedRoute, { input, validation }: Application) {
    // One after the other, so that an endpoint does not get more jobs than it has slots.
    await tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 27))", [route.endpointId]);
    const open = await countOpenJobs(tx, [route.endpointId]);
    if ((open.get(route.endpointId) ?? 0) >= route.slots)
      throw new DomainError("NO_ROUTE", "Providers offer the model, but none can take a job now.", {
        details: { reasons: ["SATURATED"] },
      });
    for (const file of validation === null ? [input] : [input, validation]) {
      const [there] = await tx.query("SELECT FROM workload_file WHERE id = $1 AND deleted_at IS NULL FOR SHARE", [
        file.id,
      ]);
      if (there === undefined) throw notFound("file");
    }
    await tx.insert(WorkloadJob, job);
    await say(tx, job.id, "INFO", "The job was admitted and its credit is held.", job.createdAt);
    await this.dependencies.outbox.append(tx, "workload.changed", job.startupId, { jobId: job.id });
    await this.dependencies.metering.prolong(tx, job.id, new Date(job.endsBy.getTime() + HOLD_GRACE_MS));
  }

  /** With all that the wallet says: what is held by others comes back, what is spent does not. */
  private async withFigures(error: unknown, startupId: string): Promise<unknown> {
    if (!(error instanceof DomainError) || error.code !== "INSUFFICIENT_CREDITS") return error;
    const { heldNanoCredit, spentNanoCredit } = await this.dependencies.ledger.balance(startupId);
    return new DomainError(
      "INSUFFICIENT_CREDITS",
      "The credit that is left does not cover what this job may cost. Add credit, or make a smaller job.",
      { details: { ...error.details, heldNanoCredit, spentNanoCredit } },
    );
  }
}

async function countOpenJobs(tx: EntityManager, endpointIds: readonly string[]): Promise<Map<string, number>> {
  const rows: { endpoint_id: string; jobs: number }[] = await tx.query(
    "SELECT endpoint_id, count(*)::int AS jobs FROM workload_job WHERE ended_at IS NULL AND endpoint_id = ANY ($1) GROUP BY 1",
    [endpointIds],
  );
  return new Map(rows.map(({ endpoint_id, jobs }) => [endpoint_id, jobs]));
}

/** A job as it is before anybody takes it. */
function jobOf(id: string, application: Omit<Application, "boundsAt">, at: Date): WorkloadJob {
  const { startupId, apiKeyId, kind, model, terms, input, validation, lastsMs, mark } = application;
  return {
    ...blank,
    id,
    startupId,
    apiKeyId,
    kind,
    model,
    terms,
    inputFileId: input.id,
    validationFileId: validation?.id ?? null,
    lineCount: input.lineCount,
    createdAt: at,
    nextPollAt: at,
    endsBy: new Date(at.getTime() + lastsMs),
    idempotencyKey: mark.idempotencyKey,
    requestDigest: mark.digest,
  };
}

const blank = {
  state: "QUEUED",
  outputFileId: null,
  errorFileId: null,
  resultModel: null,
  answeredCount: 0,
  errorCount: 0,
  providerId: null,
  endpointId: null,
  offeringId: null,
  upstreamFileId: null,
  upstreamValidationFileId: null,
  upstreamJobId: null,
  upstreamOutputRead: 0n,
  upstreamStep: 0,
  fixingId: null,
  fixingNanoUsdPerGpuHour: 0n,
  rateCardId: null,
  prefillTokensPerGpuSecond: 0,
  decodeTokensPerGpuSecond: 0,
  gpuCount: 0,
  maxOutputTokens: 0,
  promptTokensBound: 0n,
  completionTokensBound: 0n,
  promptTokens: 0n,
  completionTokens: 0n,
  heldNanoCredit: 0n,
  capturedNanoCredit: 0n,
  holdId: null,
  stageCount: 0,
  usageBounded: false,
  uncaptured: false,
  submittedAt: null,
  startedAt: null,
  finalisingAt: null,
  cancelAskedAt: null,
  endedAt: null,
  contactAt: null,
  progressAt: null,
  failures: 0,
  failure: null,
  faults: [],
  version: 1,
} satisfies Partial<WorkloadJob>;

function placed({ boundsAt }: Application, route: PricedRoute, priceNanoCredit: bigint) {
  const bounds = boundsAt(route);
  const { quote } = route;
  return {
    providerId: route.providerId,
    endpointId: route.endpointId,
    offeringId: route.offeringId,
    fixingId: quote.fixingId,
    fixingNanoUsdPerGpuHour: quote.fixingNanoUsdPerGpuHour,
    rateCardId: quote.card.id,
    prefillTokensPerGpuSecond: quote.throughput.prefillTokensPerGpuSecond,
    decodeTokensPerGpuSecond: quote.throughput.decodeTokensPerGpuSecond,
    gpuCount: route.gpuCount,
    maxOutputTokens: route.maxOutputTokens,
    promptTokensBound: bounds.promptTokens,
    completionTokensBound: bounds.completionTokens,
    heldNanoCredit: priceNanoCredit,
  };
}
