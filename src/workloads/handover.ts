/** Hands a job over to its provider: its files first, then the job, each noted as soon as it is done. */

import type { WorkloadFile } from "../../entities/workload-file";
import type { WorkloadJob } from "../../entities/workload-job";
import { lineForProvider } from "./batch-line";
import type { BatchOperations } from "./batch-operation";
import type { FileStore } from "./file-store";
import { LineSplitter } from "./line-splitter";
import type { ProviderCalls } from "./provider-calls";

export interface HandoverTerms {
  readonly calls: ProviderCalls;
  readonly files: FileStore;
  readonly operations: BatchOperations;
  readonly upstreamModel: string;
  /** What was done survives a crash: a file is not sent twice. */
  note(done: Partial<Pick<WorkloadJob, "upstreamFileId" | "upstreamValidationFileId">>): Promise<void>;
}

/** The input is gone: deleted or expired before the job began. */
export class InputGone extends Error {
  override readonly name = "InputGone";
}

/** Answers the provider's id of the job. Errors: ProviderAway, ProviderRefuses, UnreadableAnswer, InputGone. */
export async function handOver(
  job: WorkloadJob,
  inputs: { input: WorkloadFile; validation: WorkloadFile | null },
  terms: HandoverTerms,
): Promise<string> {
  const { calls } = terms;
  let { upstreamFileId, upstreamValidationFileId } = job;
  if (upstreamFileId === null) {
    const content = await contentOf(inputs.input, terms.files);
    const sent = job.kind === "BATCH" ? rewritten(content, job, terms) : content;
    upstreamFileId = await calls.upload(sent, job.kind === "BATCH" ? "batch" : "fine-tune");
    await terms.note({ upstreamFileId });
  }
  if (inputs.validation !== null && upstreamValidationFileId === null) {
    upstreamValidationFileId = await calls.upload(await contentOf(inputs.validation, terms.files), "fine-tune");
    await terms.note({ upstreamValidationFileId });
  }
  if (job.kind === "BATCH") {
    const { url, completionWindow } = job.terms;
    const batch = { input_file_id: upstreamFileId, endpoint: url, completion_window: completionWindow };
    return calls.create("/v1/batches", batch);
  }
  return calls.create("/v1/fine_tuning/jobs", {
    training_file: upstreamFileId,
    ...(upstreamValidationFileId === null ? {} : { validation_file: upstreamValidationFileId }),
    model: terms.upstreamModel,
    seed: job.terms.seed,
    hyperparameters: hyperparametersOf(job),
  });
}

/** The epochs always: they are what the hold was reckoned with. */
function hyperparametersOf({ terms: { epochs, batchSize, learningRateMultiplier } }: WorkloadJob) {
  return {
    n_epochs: epochs,
    ...(batchSize == null ? {} : { batch_size: batchSize }),
    ...(learningRateMultiplier == null ? {} : { learning_rate_multiplier: Number(learningRateMultiplier) }),
  };
}

async function contentOf(file: WorkloadFile, files: FileStore): Promise<Buffer> {
  if (file.deletedAt !== null) throw new InputGone("the input was deleted before the job began");
  return files.whole(file);
}

function rewritten(content: Buffer, job: WorkloadJob, { operations, upstreamModel }: HandoverTerms): Buffer {
  const lines: string[] = [];
  const terms = { upstreamModel, maxTokens: job.maxOutputTokens };
  const splitter = new LineSplitter(content.length + 1, (text) =>
    lines.push(lineForProvider(text!, operations, terms)),
  );
  splitter.push(content);
  splitter.end();
  return Buffer.from(`${lines.join("\n")}\n`);
}
