/** How long blocks take: from the request to the moment from which no relay process can spend what they cover. */
import type { Metrics } from "../platform/metrics";
import type { Blocks } from "./blocks";

/** Half a second is what may be promised; ten is the end of a dead process's lease. */
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

export function watchBlocks(metrics: Metrics, blocks: Pick<Blocks, "observe">): void {
  const seconds = metrics.histogram<"scope" | "extent">({
    name: "exergy_block_seconds",
    help: "From a request to block credit until no relay process could set any of it aside.",
    labels: ["scope", "extent"],
    buckets: BUCKETS_SECONDS,
  });
  blocks.observe(({ scope, amountNanoCredit }, tookMs) => {
    const extent = amountNanoCredit === null ? "WHOLE" : "PART";
    seconds.observe({ scope, extent }, tookMs / 1_000);
  });
}
