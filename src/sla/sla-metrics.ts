/** What a monitor watches service levels by. */
import { SlaBreachKind } from "../../schema/enums";
import type { Metrics } from "../platform/metrics";
import type { Sla } from "./sla";

/** `judges`: whether this process is the one that does; of another one the figures would be old. */
export function watchSla(metrics: Metrics, sla: Pick<Sla, "openBreaches">, judges: () => boolean): void {
  metrics.gauge<"kind">({
    name: "exergy_sla_open_breaches",
    help: "Promises of endpoints that are broken, by kind, as the worker that leads last judged.",
    labels: ["kind"],
    *readAll() {
      if (!judges()) return;
      for (const kind of Object.keys(SlaBreachKind) as SlaBreachKind[])
        yield [{ kind }, sla.openBreaches.get(kind) ?? 0];
    },
  });
}
