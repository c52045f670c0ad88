/** Files, batches and fine-tuning jobs: which routes there are, what they take and how they answer. */
import type { ErrorCode } from "../../platform/errors";
import { operations } from "../operations/operations";
import { errorAnswers, everywhere } from "./errors";
import { answerHeaders, rateHeaders } from "./headers";
import { type Answer, open, type Parameter, type PathOperation, type Paths, type Schema, schemaRef } from "./shapes";

const text: Schema = { type: "string" };
const textOrNull: Schema = { type: ["string", "null"] };
const seconds: Schema = { type: ["integer", "null"], description: "Unix seconds." };

const listOf = (name: string): Schema =>
  open(
    {
      object: { const: "list" },
      data: { type: "array", items: schemaRef(name) },
      first_id: textOrNull,
      last_id: textOrNull,
      has_more: { type: "boolean" },
    },
    ["object", "data", "has_more"],
  );

const cost: Schema = open(
  {
    currency: { const: "CRD" },
    gpu_seconds: { type: "string", description: "GPU time that was charged." },
    held: { type: "string", description: "Set aside for the job at this moment: the most that it can still cost." },
    charged: { type: "string", description: "What it has cost by now." },
  },
  ["currency", "gpu_seconds", "held", "charged"],
  { description: "Ours, beside OpenAI's fields." },
);

export const workloadSchemas: Readonly<Record<string, Schema>> = {
  File: open(
    {
      id: text,
      object: { const: "file" },
      bytes: { type: "integer" },
      created_at: seconds,
      expires_at: seconds,
      filename: text,
      purpose: { enum: ["batch", "fine-tune", "batch_output", "fine-tune-results"] },
    },
    ["id", "object", "bytes", "created_at", "filename", "purpose"],
  ),
  FileList: listOf("File"),
  FileDeleted: open({ id: text, object: { const: "file" }, deleted: { const: true } }, ["id", "object", "deleted"]),
  Batch: open(
    {
      id: text,
      object: { const: "batch" },
      endpoint: text,
      status: {
        enum: ["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"],
      },
      errors: { type: ["object", "null"], description: "What cannot be read, line by line." },
      input_file_id: text,
      output_file_id: textOrNull,
      error_file_id: textOrNull,
      completion_window: text,
      created_at: seconds,
      request_counts: open(
        { total: { type: "integer" }, completed: { type: "integer" }, failed: { type: "integer" } },
        ["total", "completed", "failed"],
      ),
      exergy: cost,
    },
    ["id", "object", "endpoint", "status", "input_file_id", "completion_window", "created_at", "exergy"],
  ),
  BatchList: listOf("Batch"),
  FineTuningJob: open(
    {
      id: text,
      object: { const: "fine_tuning.job" },
      model: text,
      status: { enum: ["queued", "running", "succeeded", "failed", "cancelled"] },
      created_at: seconds,
      finished_at: seconds,
      fine_tuned_model: textOrNull,
      training_file: text,
      validation_file: textOrNull,
      result_files: { type: "array", items: text },
      trained_tokens: { type: ["integer", "null"] },
      error: { type: ["object", "null"] },
      exergy: cost,
    },
    ["id", "object", "model", "status", "created_at", "training_file", "exergy"],
  ),
  FineTuningJobList: listOf("FineTuningJob"),
  FineTuningEvent: open(
    {
      id: text,
      object: { const: "fine_tuning.job.event" },
      created_at: seconds,
      level: { enum: ["info", "warn", "error"] },
      message: text,
      type: { enum: ["message", "metrics"] },
      data: { type: "object" },
    },
    ["id", "object", "created_at", "level", "message"],
  ),
  FineTuningEventList: listOf("FineTuningEvent"),
  FineTuningCheckpoint: open(
    {
      id: text,
      object: { const: "fine_tuning.job.checkpoint" },
      created_at: seconds,
      fine_tuned_model_checkpoint: text,
      fine_tuning_job_id: text,
      step_number: { type: "integer" },
      metrics: { type: "object" },
    },
    ["id", "object", "created_at", "fine_tuned_model_checkpoint", "fine_tuning_job_id", "step_number", "metrics"],
  ),
  FineTuningCheckpointList: listOf("FineTuningCheckpoint"),
};

const jobErrors = [
  "MALFORMED_BODY",
  "BODY_TOO_LARGE",
  "NOT_FOUND",
  "MODEL_NOT_FOUND",
  "INSUFFICIENT_CREDITS",
  "BUDGET_EXCEEDED",
  "IDEMPOTENCY_KEY_REUSED",
  "NO_ROUTE",
] as const satisfies readonly ErrorCode[];

const id: Parameter = { name: "id", in: "path", required: true, description: "Its id.", schema: text };
const paging: readonly Parameter[] = [
  { name: "limit", in: "query", description: "How many, 20 unless told.", schema: { type: "integer", minimum: 1 } },
  { name: "after", in: "query", description: "The last one of the page before.", schema: text },
];
const idempotency: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  description: "One key makes one job; with another body it is refused.",
  schema: { type: "string", maxLength: 255 },
};

const found = (name: string): Answer => ({
  description: "As it is now.",
  headers: answerHeaders("x-request-id", ...rateHeaders),
  content: { "application/json": { schema: schemaRef(name) } },
});
const mayFail = (...more: readonly ErrorCode[]) =>
  errorAnswers([...everywhere, "RATE_LIMIT_EXCEEDED", ...more], rateHeaders);

interface Route {
  readonly id: string;
  readonly summary: string;
  readonly answers: string;
  readonly parameters?: readonly Parameter[];
  readonly body?: PathOperation["requestBody"];
  readonly errors?: readonly ErrorCode[];
}

const route = (tag: "Files" | "Jobs", { id: operationId, summary, answers, parameters, body, errors }: Route) => ({
  operationId,
  summary,
  tags: [tag],
  ...(parameters === undefined ? {} : { parameters }),
  ...(body === undefined ? {} : { requestBody: body }),
  responses: { "200": found(answers), ...mayFail(...(errors ?? [])) },
});
const file = (its: Route): PathOperation => route("Files", its);
const job = (its: Route): PathOperation => route("Jobs", its);
const json = (schema: Schema, example: object): PathOperation["requestBody"] => ({
  required: true,
  content: { "application/json": { schema, example } },
});

const missing = ["NOT_FOUND"] as const;
const upload: PathOperation["requestBody"] = {
  required: true,
  content: {
    "multipart/form-data": {
      schema: open({ purpose: { enum: ["batch", "fine-tune"] }, file: text }, ["purpose", "file"]),
      example: { purpose: "batch", file: '{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{}}' },
    },
  },
};

const filePaths: Paths = {
  "/v1/files": {
    post: file({
      id: "createFile",
      summary: "Takes a file in",
      answers: "File",
      body: upload,
      errors: ["MALFORMED_BODY", "BODY_TOO_LARGE"],
    }),
    get: file({ id: "listFiles", summary: "Files", answers: "FileList", parameters: paging, errors: missing }),
  },
  "/v1/files/{id}": {
    get: file({ id: "retrieveFile", summary: "One file", answers: "File", parameters: [id], errors: missing }),
    delete: file({
      id: "deleteFile",
      summary: "Forgets a file",
      answers: "FileDeleted",
      parameters: [id],
      errors: ["NOT_FOUND", "STATE_CONFLICT"],
    }),
  },
  "/v1/files/{id}/content": {
    get: {
      operationId: "downloadFile",
      summary: "What is in a file",
      tags: ["Files"],
      parameters: [id],
      responses: {
        "200": {
          description: "Its bytes.",
          headers: answerHeaders("x-request-id", ...rateHeaders),
          content: { "application/octet-stream": { schema: text } },
        },
        ...mayFail("NOT_FOUND"),
      },
    },
  },
};

const batch = open(
  {
    input_file_id: text,
    endpoint: {
      enum: operations.map(({ path }) => path),
      description: "What every line of the file calls, as its `url`.",
    },
    completion_window: { const: "24h" },
    metadata: { type: ["object", "null"] },
  },
  ["input_file_id", "endpoint", "completion_window"],
);
const batchExample = { input_file_id: "file-…", endpoint: "/v1/chat/completions", completion_window: "24h" };
const training = open(
  {
    training_file: text,
    validation_file: textOrNull,
    model: text,
    hyperparameters: { type: ["object", "null"] },
    suffix: textOrNull,
    seed: { type: ["integer", "null"] },
  },
  ["training_file", "model"],
);

/** The four routes that both kinds of jobs have. */
function jobPaths(its: { base: string; name: string; words: string; body: PathOperation["requestBody"] }): Paths {
  const { base, name, words, body } = its;
  const list = { answers: `${name}List`, parameters: paging, errors: missing };
  const one = { answers: name, parameters: [id] };
  return {
    [base]: {
      post: job({
        id: `create${name}`,
        summary: `Makes a ${words}: its most possible cost is held until it has ended`,
        answers: name,
        parameters: [idempotency],
        body,
        errors: jobErrors,
      }),
      get: job({ id: `list${name}s`, summary: `Every ${words}, newest first`, ...list }),
    },
    [`${base}/{id}`]: { get: job({ id: `retrieve${name}`, summary: `One ${words}`, ...one, errors: missing }) },
    [`${base}/{id}/cancel`]: {
      post: job({
        id: `cancel${name}`,
        summary: `Cancels a ${words}`,
        ...one,
        errors: ["NOT_FOUND", "STATE_CONFLICT"],
      }),
    },
  };
}

const trainings = "/v1/fine_tuning/jobs";
const listOfJob = (operationId: string, summary: string, answers: string) => ({
  get: job({ id: operationId, summary, answers, parameters: [id, ...paging], errors: missing }),
});

export const workloadPaths: Paths = {
  ...filePaths,
  ...jobPaths({ base: "/v1/batches", name: "Batch", words: "batch", body: json(batch, batchExample) }),
  ...jobPaths({
    base: trainings,
    name: "FineTuningJob",
    words: "fine-tuning job",
    body: json(training, { training_file: "file-…", model: "acme/train-8b" }),
  }),
  [`${trainings}/{id}/events`]: listOfJob("listFineTuningEvents", "Its course, newest first", "FineTuningEventList"),
  [`${trainings}/{id}/checkpoints`]: listOfJob(
    "listFineTuningCheckpoints",
    "States of the model that were kept",
    "FineTuningCheckpointList",
  ),
};
