/** What a monitor watches the ledger by; docs/operations.md says when to wake somebody. */
import type { Metrics } from "../platform/metrics";
import type { Journal } from "./journal";
import type { Reconciliation } from "./reconciliation";

/** Of the process that leads; another worker's stay as they were when it last led. */
export function watchLedger(metrics: Metrics, ledger: { journal: Journal; reconciliation: Reconciliation }): void {
  const { journal, reconciliation } = ledger;
  metrics.gauge({
    name: "exergy_ledger_drift_nano",
    help: "By how much accounts' counters are off what was posted, in nano-units, all together. Anything but 0 is an alarm.",
    read: () => Number(reconciliation.last?.driftNano ?? 0n),
  });
  metrics.gauge({
    name: "exergy_ledger_faults",
    help: "Rows and rules of the ledger that the last reconciliation found broken; the log names them. Anything but 0 is an alarm.",
    read: () => reconciliation.last?.faults.length ?? 0,
  });
  metrics.gauge({
    name: "exergy_ledger_reconciled_seconds",
    help: "When the last reconciliation ended, in seconds since 1970; 0 before the first.",
    read: () => (reconciliation.last?.at.getTime() ?? 0) / 1_000,
  });
  metrics.gauge({
    name: "exergy_journal_lag_transfers",
    help: "Transfers that the journal had not written up when it last looked.",
    read: () => journal.waiting,
  });
}
