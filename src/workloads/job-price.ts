/** The most that a job can come to by what we know before it runs: the tokens that bound it, and the credit that is held for it. */
import type { WorkloadJob } from "../../entities/workload-job";
import { holdAmountNanoCredit } from "../metering/hold-amount";
import { TEMPLATE_TOKENS_MAX } from "../metering/usage-bounds";
import type { Quote } from "../pricing/quote";
import { gpuNanosFor } from "../pricing/token-price";

export interface JobBounds {
  readonly promptTokens: bigint;
  readonly completionTokens: bigint;
}

/** A batch's lines summed up. */
export interface LineSums {
  readonly lines: number;
  readonly promptBytes: bigint;
  /** Choices × limit, of lines that name a limit. */
  readonly limitedTokens: bigint;
  /** Choices of lines that name none. */
  readonly openChoices: bigint;
}

export function batchBounds(sums: LineSums, maxOutputTokens: number): JobBounds {
  return {
    promptTokens: sums.promptBytes + BigInt(sums.lines * TEMPLATE_TOKENS_MAX),
    completionTokens: sums.limitedTokens + sums.openChoices * BigInt(maxOutputTokens),
  };
}

export function priceOfBounds(quote: Quote, bounds: JobBounds): bigint {
  return holdAmountNanoCredit([quote], {
    promptTokens: Number(bounds.promptTokens),
    completionTokens: Number(bounds.completionTokens),
  });
}

/** GPU time that the tokens which were charged account for. */
export function gpuNanosOf(job: WorkloadJob): bigint {
  const { prefillTokensPerGpuSecond, decodeTokensPerGpuSecond } = job;
  const tokens = { promptTokens: Number(job.promptTokens), completionTokens: Number(job.completionTokens) };
  return gpuNanosFor(tokens, { prefillTokensPerGpuSecond, decodeTokensPerGpuSecond });
}

/** What the job was priced by, as it was frozen when it was admitted. */
export function quoteOf(job: WorkloadJob, card: Quote["card"]): Quote {
  return {
    fixingId: job.fixingId!,
    fixingNanoUsdPerGpuHour: job.fixingNanoUsdPerGpuHour,
    throughput: {
      prefillTokensPerGpuSecond: job.prefillTokensPerGpuSecond,
      decodeTokensPerGpuSecond: job.decodeTokensPerGpuSecond,
    },
    card,
  };
}
