/** Waiting for what others do, with an end. */
import { setTimeout as pause } from "node:timers/promises";

const POLL_MS = 50;

/** False when `holds` did not hold in time. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() >= deadlineMs) return false;
    await pause(POLL_MS);
  }
  return true;
}
