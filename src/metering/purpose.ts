/** What a request may end up using, which decides what credit may pay for it. */
import type { Workload } from "../../schema/enums";

export interface Purpose {
  readonly workload: Workload;
  /** Every kind of accelerator that may serve it, sorted: a reroute may end at any of them. */
  readonly accelerators: readonly string[];
  /** Same for the same purpose. */
  readonly key: string;
}

export function purposeOf(workload: Workload, accelerators: Iterable<string>): Purpose {
  const sorted = [...new Set(accelerators)].sort();
  return { workload, accelerators: sorted, key: `${workload}|${sorted.join(",")}` };
}
