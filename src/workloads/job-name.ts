/** The name by which a startup knows a job: OpenAI's prefix and our id; never a provider's. */
import type { WorkloadKind } from "../../schema/enums";

export const jobPrefixes: Readonly<Record<WorkloadKind, string>> = { BATCH: "batch_", FINE_TUNING: "ftjob-" };

export const jobName = ({ kind, id }: { kind: WorkloadKind; id: string }): string =>
  jobPrefixes[kind] + id.replaceAll("-", "");
