/** What a monitor watches coverage by. */
import type { Metrics } from "../platform/metrics";
import type { CoverageWatch } from "./coverage-watch";

/** `evaluates`: whether this process is the one that does; of another one the figures would be old. */
export function watchCoverage(
  metrics: Metrics,
  coverage: Pick<CoverageWatch, "onEvaluated">,
  evaluates: () => boolean,
): void {
  let latest: ReadonlyMap<string, bigint | null> = new Map();
  coverage.onEvaluated((ratiosPpm) => {
    latest = ratiosPpm;
  });
  metrics.gauge<"facility">({
    name: "exergy_coverage_ratio",
    help: "Backing over what the outstanding credit of a facility, or of ALL, may cost; those without any are left out.",
    labels: ["facility"],
    *readAll() {
      if (!evaluates()) return;
      for (const [facility, ratioPpm] of latest)
        if (ratioPpm !== null) yield [{ facility }, Number(ratioPpm) / 1_000_000];
    },
  });
}
