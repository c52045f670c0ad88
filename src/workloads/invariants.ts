/** What must hold of jobs and their holds, as SQL that reconciliation runs with the ledger's own rules. */
import type { Invariant } from "../ledger/reconciliation";

/** Work without credit that is set aside for it; all of a hold may be spent, and then there is none. */
const uncovered = `
  SELECT 'job ' || j.id || ' runs without a hold' AS fault FROM workload_job j
    LEFT JOIN hold h ON h.id = j.hold_id
   WHERE j.ended_at IS NULL AND j.captured_nano_credit < j.held_nano_credit
     AND (h.state IS DISTINCT FROM 'HELD' OR h.amount_nano_credit <> j.held_nano_credit - j.captured_nano_credit)`;

/** Credit that is set aside for work that is over. */
const stranded = `
  SELECT 'job ' || j.id || ' has ended and still holds' AS fault FROM workload_job j
   WHERE j.ended_at IS NOT NULL
     AND EXISTS (SELECT FROM hold h WHERE h.state = 'HELD'
                    AND (h.id = j.hold_id OR h.id IN (SELECT c.id FROM workload_capture c WHERE c.job_id = j.id)))`;

const captures = `
  SELECT 'captures of job ' || j.id AS fault FROM workload_job j
    LEFT JOIN LATERAL (SELECT count(*) AS stages, coalesce(sum(c.charge_nano_credit), 0) AS charged,
                              coalesce(sum(u.charge_nano_credit), 0) AS recorded
                         FROM workload_capture c LEFT JOIN usage_record u ON u.id = c.id WHERE c.job_id = j.id) c ON true
   WHERE (c.stages, c.charged, c.recorded) <> (j.stage_count, j.captured_nano_credit, j.captured_nano_credit)`;

export const workloadInvariants: readonly Invariant[] = [
  { name: "workloads", text: uncovered },
  { name: "workloads", text: stranded },
  { name: "workloads", text: captures },
];
