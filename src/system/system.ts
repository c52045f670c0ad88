/** The door to the running system itself: which processes make it up, and what time it is for them. */
import { requireKind, type Viewer } from "../accounts/viewer";
import { recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Presence, Processes } from "../events/presence";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import type { OffsetClock } from "../platform/test-clock";
import { transaction } from "../platform/transaction";
import { moveOffset, readOffsetMs } from "./clock-offset";

export interface TestTime {
  readonly now: Date;
  readonly realNow: Date;
  readonly offsetMs: number;
}

/** Exactly one of them. */
export interface ClockMove {
  readonly to?: Date | null | undefined;
  readonly byMs?: number | null | undefined;
}

/** A leap year: what is due on the way is done once at its end, and nobody asked for more than a billing year. */
const MOVE_MS_MAX = 366 * 86_400_000;

export class System {
  private readonly processList: Processes;
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: OffsetClock | null;

  /** Without `testClock` the time is the real one, and stays it. */
  constructor(dependencies: { processes: Processes; db: Database; bus: EventBus; testClock: OffsetClock | null }) {
    this.processList = dependencies.processes;
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.testClock;
    this.bus.on("clock.moved", ({ offsetMs }) => void this.clock?.moveTo(offsetMs));
  }

  /** The longest running first; while Redis is away the one that answers. Errors: UNAUTHENTICATED, FORBIDDEN. */
  async processes(viewer: Viewer | null): Promise<Presence[]> {
    requireKind(viewer, "READ", "OPERATOR");
    return this.processList.list();
  }

  /** Null where the time is the real one. Errors: UNAUTHENTICATED, FORBIDDEN. */
  testTime(viewer: Viewer | null): TestTime | null {
    requireKind(viewer, "READ", "OPERATOR");
    return this.clock === null ? null : timeOf(this.clock);
  }

  /**
   * Moves the time of all processes ahead; what became due is done at once. Errors: UNAUTHENTICATED, FORBIDDEN
   * (operators only), STATE_CONFLICT where the time is the real one, BAD_USER_INPUT (backwards, or by more than a year).
   */
  async moveTestClock(viewer: Viewer | null, move: ClockMove): Promise<TestTime> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const { clock } = this;
    if (clock === null) {
      throw new DomainError("STATE_CONFLICT", "The time here is the real one: only TEST_CLOCK=on makes it movable.");
    }
    const { toMs } = await transaction(this.db, async (tx) => {
      const moved = await moveOffset(
        tx,
        clock.real,
        (realNow, offsetMs) => offsetMs + aheadMs(move, realNow, offsetMs),
      );
      await recordAct(tx, known, {
        at: new Date(moved.realNow.getTime() + moved.toMs),
        action: "test-clock.advance",
        subjectType: "Operator",
        subjectId: known.organisationId,
        organisationId: known.organisationId,
        change: { offsetMs: { from: moved.fromMs, to: moved.toMs } },
      });
      return moved;
    });
    clock.moveTo(toMs);
    this.bus.publish("clock.moved", { offsetMs: toMs });
    return timeOf(clock);
  }

  /** Takes over what another process moved, should the bus not have told; each second. Errors: those of the database. */
  async followTestClock(): Promise<void> {
    if (this.clock !== null) this.clock.moveTo(await readOffsetMs(this.db));
  }

  /** After each move, here or elsewhere. Returns the function that ends it. */
  onTestClockMoved(listener: () => void): () => void {
    return this.clock?.onMoved(listener) ?? (() => undefined);
  }

  /** By which time something that may last `spanMs` has really lasted so long; undefined where no clock is moved. */
  nowWithoutMoves(spanMs: number): Date | undefined {
    return this.clock?.nowWithoutMoves(spanMs);
  }
}

const timeOf = (clock: OffsetClock): TestTime => ({
  now: clock.now(),
  realNow: clock.real.now(),
  offsetMs: clock.offsetMs,
});

function aheadMs({ to, byMs }: ClockMove, realNow: Date, offsetMs: number): number {
  const nowMs = realNow.getTime() + offsetMs;
  const [field, ahead] = to == null ? ["by", byMs ?? 0] : ["to", to.getTime() - nowMs];
  if (ahead <= 0) {
    const now = new Date(nowMs).toISOString();
    throw new DomainError("BAD_USER_INPUT", `${field}: time goes forwards only, and it is ${now}`, { field });
  }
  if (ahead > MOVE_MS_MAX) {
    throw new DomainError("BAD_USER_INPUT", `${field}: at most 366 days at a time`, { field });
  }
  return ahead;
}
