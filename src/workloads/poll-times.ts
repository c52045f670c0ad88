/** When a job is looked at next, and when it is given up. */

/** A job of days need not be looked at every few seconds. */
const POLL_MS_MAX = 60_000;
const BACKOFF_MS_MAX = 300_000;
const AGE_SHARE = 100;

/** The older the job, the longer the pause; the more often nobody answered, the longer still. */
export function pauseMs(terms: { intervalMs: number; ageMs: number; failures: number }): number {
  const { intervalMs, ageMs, failures } = terms;
  if (failures > 0) return Math.min(intervalMs * 2 ** Math.min(failures, 16), BACKOFF_MS_MAX);
  return Math.max(intervalMs, Math.min(ageMs / AGE_SHARE, POLL_MS_MAX));
}

/** A provider that does not heed a cancellation within this time works on at its own expense. */
export const CANCEL_GRACE_MS = 300_000;
/** A batch has a day, whatever its provider says. */
export const BATCH_MAX_MS = 86_400_000;
/** If nobody looks after a job for so long after its end, the sweep frees what was held for it. */
export const HOLD_GRACE_MS = 86_400_000;
/** Between the hold and the job's row: a crash there leaves a hold that ends by itself. */
export const ADMISSION_MS = 120_000;

interface Times {
  readonly createdAt: Date;
  readonly submittedAt: Date | null;
  readonly contactAt: Date | null;
  readonly progressAt: Date | null;
  readonly cancelAskedAt: Date | null;
  readonly endsBy: Date;
}

/** Some missed looks are no silence: a restart, a deployment. */
const SILENT_FAILURES_MIN = 3;

/** Whether its time is over, however far it is; null: not yet. */
export function timeIsUp({ cancelAskedAt, endsBy }: Times, nowMs: number): "UNHEEDED" | "OVERDUE" | null {
  if (cancelAskedAt !== null && nowMs - cancelAskedAt.getTime() >= CANCEL_GRACE_MS) return "UNHEEDED";
  return nowMs >= endsBy.getTime() ? "OVERDUE" : null;
}

/** Whether nobody knows any more that it will end; null: it goes on. */
export function lostTrack(
  job: Times & { readonly failures: number },
  limits: { silenceMs: number; stallMs: number },
  nowMs: number,
): "SILENT" | "STALLED" | null {
  const since = (at: Date | null) => nowMs - (at ?? job.submittedAt ?? job.createdAt).getTime();
  if (job.failures >= SILENT_FAILURES_MIN && since(job.contactAt) >= limits.silenceMs) return "SILENT";
  return job.failures === 0 && since(job.progressAt) >= limits.stallMs ? "STALLED" : null;
}
