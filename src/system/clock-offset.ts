/** How far the time of a test system has been moved ahead, where all its processes find it. */
import type { EntityManager } from "typeorm";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";

/** A quarter of a century in all: dates stay what everything can print and compare. */
const OFFSET_MS_MAX = 25 * 366 * 86_400_000;

export class TimeWasMoved extends Error {
  override readonly name = "TimeWasMoved";
  readonly code = "TIME_WAS_MOVED";

  constructor(offsetMs: number) {
    const days = Math.ceil(offsetMs / 86_400_000);
    super(
      `this database's time was moved ${days} day${days === 1 ? "" : "s"} ahead by a test clock, and books do not go back: start with TEST_CLOCK=on, or on another database`,
    );
  }
}

/** Errors: those of the database. */
export async function readOffsetMs(db: Pick<Database, "query">): Promise<number> {
  const [row] = await db.query<{ offset_ms: string }>(
    { name: "system-clock-offset", text: "SELECT offset_ms FROM test_clock" },
    [],
  );
  return Number(row?.offset_ms ?? 0);
}

/** `moved` gets the offset as it is, and tells the new one; others wait meanwhile. Returns both, and when it really was. */
export async function moveOffset(
  tx: EntityManager,
  real: Clock,
  moved: (realNow: Date, offsetMs: number) => number,
): Promise<{ fromMs: number; toMs: number; realNow: Date }> {
  const [row]: { offset_ms: string }[] = await tx.query("SELECT offset_ms FROM test_clock FOR UPDATE");
  const fromMs = Number(row?.offset_ms ?? 0);
  // After the wait: of two moves to one instant the second comes too late.
  const realNow = real.now();
  const toMs = Math.min(moved(realNow, fromMs), OFFSET_MS_MAX);
  await tx.query("UPDATE test_clock SET offset_ms = $1, moved_at = $2", [toMs, realNow]);
  return { fromMs, toMs, realNow };
}
