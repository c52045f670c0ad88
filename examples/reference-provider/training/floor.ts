/** The training side of the provider: files, batches and fine-tuning jobs, worked off by a clock of their own. */
import type { IncomingHttpHeaders } from "node:http";
import type { Model } from "../generation";
import { parseJson, Refused } from "../wire";
import { Batch } from "./batch";
import { FineTuning } from "./fine-tuning";
import { parseForm } from "./multipart";
import type { TrainingFault } from "./work";

export interface TrainingOptions {
  /** How long a line of a batch or a step of a training takes; null: they are done when `work` says so. */
  unitMs: number | null;
}

export interface TrainingRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

type Handle = (request: TrainingRequest, id: string) => object | Buffer;

export class TrainingFloor {
  fault: TrainingFault = {};
  private readonly files = new Map<string, Buffer>();
  private readonly jobs = new Map<string, Batch | FineTuning>();
  /** What was made under which key: a repeat gets the same. */
  private readonly made = new Map<string, string>();
  private readonly timer: NodeJS.Timeout | undefined;
  private count = 0;

  constructor(
    private readonly models: ReadonlyMap<string, Model>,
    { unitMs }: TrainingOptions,
  ) {
    if (unitMs !== null) this.timer = setInterval(() => this.work(1), unitMs);
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** So many units of each open job. */
  work(units: number): void {
    for (const job of this.jobs.values()) for (let unit = 0; unit < units && job.step(this.fault); unit++);
  }

  /** What was made here so far. */
  numbers() {
    const jobs = [...this.jobs.values()];
    return { files: this.files.size, jobs: jobs.length, open: jobs.filter((job) => job.isOpen).length };
  }

  states(): string[] {
    return [...this.jobs.values()].map(({ state }) => state);
  }

  /** Undefined: no route of ours. */
  serve(request: TrainingRequest): object | Buffer | undefined {
    for (const [pattern, handle] of this.routes) {
      const found = pattern.exec(`${request.method} ${request.path}`);
      if (found) return handle(request, found[1] ?? "");
    }
    return undefined;
  }

  private readonly routes: [RegExp, Handle][] = [
    [/^POST \/v1\/files$/, (request) => this.takeFile(request)],
    [/^GET \/v1\/files\/([^/]+)\/content$/, (_, id) => this.contentOf(id)],
    [/^DELETE \/v1\/files\/([^/]+)$/, (_, id) => ({ id, deleted: this.files.delete(id) })],
    [/^POST \/v1\/batches$/, (request) => this.once(request, () => this.newBatch(request))],
    [/^POST \/v1\/fine_tuning\/jobs$/, (request) => this.once(request, () => this.newTraining(request))],
    [/^GET \/v1\/batches\/([^/]+)$/, (_, id) => this.job(id).view()],
    [/^GET \/v1\/fine_tuning\/jobs\/([^/]+)$/, (_, id) => this.job(id).view()],
    [/^POST \/v1\/(?:batches|fine_tuning\/jobs)\/([^/]+)\/cancel$/, (_, id) => this.cancel(id)],
    [
      /^GET \/v1\/fine_tuning\/jobs\/([^/]+)\/events$/,
      ({ query }, id) => this.training(id).latestEvents(Number(query.get("limit") ?? 20)),
    ],
    [/^GET \/v1\/fine_tuning\/jobs\/([^/]+)\/checkpoints$/, (_, id) => this.training(id).allCheckpoints()],
  ];

  private takeFile({ headers, body }: TrainingRequest): object {
    const { file, fields } = parseForm(headers, body);
    if (!file) throw new Refused(400, "file_missing", "An upload has a file in it.");
    const id = this.newId("file");
    this.files.set(id, file);
    return { id, object: "file", bytes: file.length, purpose: fields.get("purpose") };
  }

  private newBatch({ body }: TrainingRequest): Batch {
    const { input_file_id } = parseJson<{ input_file_id: string }>(body);
    return new Batch(this.newId("batch"), input_file_id, Batch.requestsIn(this.file(input_file_id)), this.models);
  }

  private newTraining({ body }: TrainingRequest): FineTuning {
    const { model, training_file, hyperparameters } = parseJson<{
      model: string;
      training_file: string;
      hyperparameters: { n_epochs: number };
    }>(body);
    if (!this.models.has(model)) throw new Refused(404, "model_not_found", "The model is not trained here.");
    const job = { model, training_file, epochs: hyperparameters.n_epochs };
    return new FineTuning(this.newId("job"), job, FineTuning.tokensIn(this.file(training_file)));
  }

  private once({ headers }: TrainingRequest, make: () => Batch | FineTuning): object {
    const key = headers["idempotency-key"];
    const known = typeof key === "string" ? this.made.get(key) : undefined;
    if (known !== undefined) return this.job(known).view();
    const job = make();
    this.jobs.set(job.id, job);
    if (typeof key === "string") this.made.set(key, job.id);
    return job.view();
  }

  private cancel(id: string): object {
    const job = this.job(id);
    job.cancel();
    return job.view();
  }

  private contentOf(id: string): Buffer {
    for (const job of this.jobs.values()) {
      const content = job instanceof Batch ? job.contentOf(id) : undefined;
      if (content) return content;
    }
    return this.file(id);
  }

  private file(id: string): Buffer {
    const content = this.files.get(id);
    if (!content) throw new Refused(404, "file_not_found", "There is no such file.");
    return content;
  }

  private job(id: string): Batch | FineTuning {
    const job = this.jobs.get(id);
    if (!job) throw new Refused(404, "job_not_found", "There is no such job.");
    return job;
  }

  private training(id: string): FineTuning {
    const job = this.job(id);
    if (!(job instanceof FineTuning)) throw new Refused(404, "job_not_found", "There is no such training.");
    return job;
  }

  private newId(kind: string): string {
    this.count += 1;
    return `${kind}-${this.count}`;
  }
}
