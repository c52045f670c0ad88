/** Closes ended months and takes every statement of them as far as it can go by itself: drafted, under review, final. */
import type { Statement } from "../../entities/statement";
import { closePeriod, lastClosed } from "../ledger/periods";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import type { Log } from "../platform/log";
import { transaction } from "../platform/transaction";
import { type DraftDependencies, draftStatement, providersToDraft } from "./draft";
import { endOf, monthsAfter } from "./period";
import { drafts, finalisable, finalise, openReview } from "./review";

export interface CloseDependencies extends DraftDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** After a month's end, for usage that is settled late. */
  readonly closeAfterMs: number;
  readonly reviewDays: number;
}

export class PeriodClose {
  constructor(private readonly dependencies: CloseDependencies) {}

  /** For the worker; repeating it changes nothing, and several processes do nothing twice. */
  async advance(): Promise<void> {
    await this.closeEnded();
    const last = await lastClosed(this.dependencies.db);
    if (last !== null) await this.draftMonth(last);
    await this.openReviews();
    await this.finaliseSilent();
  }

  /** Each provider in a transaction of its own: what a crash leaves out, the next run drafts. Returns how many were drafted. */
  async draftMonth(period: string): Promise<number> {
    const { db, clock } = this.dependencies;
    const providers = await transaction(db, (tx) => providersToDraft(tx, period));
    let drafted = 0;
    for (const providerId of providers) {
      const act = { providerId, period, at: clock.now() };
      const made = await this.tried({ providerId, period }, () =>
        transaction(db, (tx) => draftStatement(tx, act, this.dependencies)),
      );
      if (made) drafted += 1;
    }
    return drafted;
  }

  /** A draft that does not match stays one, and says so in the log each time. */
  async openReviews(): Promise<void> {
    const { db, clock, outbox, reviewDays } = this.dependencies;
    const at = clock.now();
    for (const id of await transaction(db, (tx) => drafts(tx, at))) {
      await this.tried({ statementId: id }, () =>
        transaction(db, (tx) => openReview(tx, id, { outbox, at, reviewDays })),
      );
    }
  }

  async finaliseSilent(): Promise<void> {
    const { db, clock } = this.dependencies;
    for (const id of await transaction(db, (tx) => finalisable(tx, clock.now()))) await this.finalise(id);
  }

  /** Null when it cannot be final yet, or does not match: the log says which. */
  async finalise(id: string): Promise<Statement | null> {
    const { db, clock, outbox, ledger } = this.dependencies;
    const done = await this.tried({ statementId: id }, () =>
      transaction(db, (tx) => finalise(tx, id, { outbox, ledger, at: clock.now() })),
    );
    return done?.[1] ?? null;
  }

  /** In their order, each once it is over long enough; from the first in which anything was booked. */
  private async closeEnded(): Promise<void> {
    const { db, clock, closeAfterMs } = this.dependencies;
    const at = clock.now();
    for (;;) {
      const next = await nextPeriod(db);
      if (next === null || endOf(next).getTime() + closeAfterMs > at.getTime()) return;
      // What a crash left undrafted of the month before would wait for ever behind the newest closed one.
      await this.draftMonth(monthsAfter(next, -1));
      try {
        await transaction(db, (tx) => closePeriod(tx, next, null, at));
      } catch (error) {
        // Another worker, or an operator, was faster: the next run goes on from there.
        if (error instanceof DomainError && error.code === "STATE_CONFLICT") return;
        throw error;
      }
    }
  }

  /** One provider's figures that do not add up, or whose state moved on, must not keep the others waiting. */
  private async tried<Result>(about: object, work: () => Promise<Result>): Promise<Result | null> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code === "STATEMENT_MISMATCH") {
        this.dependencies.log.error({ ...about, code: error.code, figures: shown(error.details) }, error.message);
        return null;
      }
      if (error.code === "STATE_CONFLICT") return null;
      throw error;
    }
  }
}

const shown = (details: Readonly<Record<string, unknown>> | undefined) =>
  Object.fromEntries(Object.entries(details ?? {}).map(([name, value]) => [name, String(value)]));

/** The first month that is not closed; null when nothing was ever booked. */
async function nextPeriod(db: Database): Promise<string | null> {
  const statement = { name: "statements-next-period", text: "SELECT ledger_next_period() AS next" };
  const [row] = await db.query<{ next: string | null }>(statement, []);
  return row?.next ?? null;
}
