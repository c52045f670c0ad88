/** The door to service levels: tiers, what was observed per endpoint and minute, and the breaches that it comes to. */
import { Between, type EntityManager } from "typeorm";
import { Endpoint } from "../../entities/endpoint";
import { SlaBreach } from "../../entities/sla-breach";
import { SlaMinute } from "../../entities/sla-minute";
import { SlaTier } from "../../entities/sla-tier";
import type { SlaBreachKind } from "../../schema/enums";
import { organisationScope, owns, requireKind, type Viewer } from "../accounts/viewer";
import type { Outbox } from "../events/outbox";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { existingId } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import { breachActs, type KnownBreach, minutesToJudge } from "./evaluate";
import { addMinutes, readMinutes, type StoredMinute } from "./minute-book";
import { MinuteCounts } from "./minute-counts";
import { type JudgedWindow, judgedWindows } from "./window";

export interface BreachFilter {
  providerId?: string | null | undefined;
  endpointId?: string | null | undefined;
  /** True: still open; false: closed. */
  open?: boolean | null | undefined;
  /** When it was opened: from inclusive, to exclusive. */
  from?: Date | null | undefined;
  to?: Date | null | undefined;
}

/** A week of minutes is 10,080 rows. */
const MINUTES_SPAN_MS_MAX = 7 * 86_400_000;

export class Sla {
  private readonly db: Database;
  private readonly outbox: Outbox;
  private readonly clock: Clock;
  private readonly counts = new MinuteCounts();
  private open: ReadonlyMap<SlaBreachKind, number> = new Map();

  constructor(dependencies: { db: Database; outbox: Outbox; clock: Clock }) {
    this.db = dependencies.db;
    this.outbox = dependencies.outbox;
    this.clock = dependencies.clock;
  }

  /** By rank. Public. */
  tiers(): Promise<SlaTier[]> {
    return readRows(this.db, SlaTier, "ORDER BY rank");
  }

  /** One try at an endpoint, counted in the minute in which it ended. `ttftMs`: to the first byte of content, if any came. */
  observeAttempt(endpointId: string, outcome: { failed: boolean; ttftMs?: number | null | undefined }): void {
    this.counts.attempt(endpointId, this.clock.nowMs(), outcome);
  }

  observeProbe(endpointId: string, ok: boolean): void {
    this.counts.probe(endpointId, this.clock.nowMs(), ok);
  }

  /**
   * Writes what was observed since the last time; the worker calls it each second. What fails to be written is kept for
   * the next time, so a commit whose reply was lost counts twice. Errors: those of the database.
   */
  async flush(): Promise<void> {
    const taken = this.counts.take();
    if (taken.length === 0) return;
    try {
      await addMinutes(this.db, taken);
    } catch (error) {
      this.counts.putBack(taken);
      throw error;
    }
  }

  /**
   * Judges the newest complete minute and the current ones of all endpoints, opens and closes breaches, and tells it in
   * the outbox, all in one transaction. Repeating it changes nothing; several processes take turns.
   */
  async evaluate(at: Date = this.clock.now()): Promise<void> {
    const minutesMs = minutesToJudge(at.getTime()).map(({ minuteMs }) => minuteMs);
    await transaction(this.db, async (tx) => {
      await tx.query("SELECT pg_advisory_xact_lock(hashtext('exergy.sla'))");
      await this.closePromiseless(tx, at);
      const minutes = await readMinutes(tx, minutesMs);
      if (minutes.length === 0) return;
      const providers = new Map(minutes.map(({ endpointId, providerId }) => [endpointId, providerId]));
      const breaches = await knownBreaches(tx, [...providers.keys()], new Date(Math.min(...minutesMs)));
      const acts = breachActs(minutes, breaches, at.getTime());
      for (const { breach, atMs } of acts.close) {
        await tx.update(SlaBreach, { id: breach.id }, { closedAt: new Date(atMs) });
        await this.tell(tx, "sla.breach.closed", providers.get(breach.endpointId), breach.id);
      }
      for (const { kind, minute } of acts.open) {
        const breach = newBreach(kind, minute as StoredMinute);
        await tx.insert(SlaBreach, breach);
        await this.tell(tx, "sla.breach.opened", providers.get(minute.endpointId), breach.id);
      }
    });
    this.open = await openBreaches(this.db);
  }

  /** How many promises were broken when this process last judged them, by kind; for the metrics. */
  get openBreaches(): ReadonlyMap<SlaBreachKind, number> {
    return this.open;
  }

  /** An endpoint that was suspended or retired promises nothing any more: no minute of it will ever close its breach. */
  private async closePromiseless(tx: EntityManager, at: Date): Promise<void> {
    const rows: { id: string; providerId: string }[] = await tx.query(
      `SELECT b.id, e.provider_id AS "providerId" FROM sla_breach b JOIN endpoint e ON e.id = b.endpoint_id
        WHERE b.closed_at IS NULL AND e.state NOT IN ('LIVE', 'DRAINING')`,
    );
    for (const { id, providerId } of rows) {
      await tx.update(SlaBreach, { id }, { closedAt: at });
      await this.tell(tx, "sla.breach.closed", providerId, id);
    }
  }

  /** A provider's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async breaches(viewer: Viewer | null, page: PageRequest, filter: BreachFilter = {}): Promise<Page<SlaBreach>> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(known, "READ", filter.providerId);
    const query = this.db.source.getRepository(SlaBreach).createQueryBuilder("breach");
    if (providerId !== null) {
      query.innerJoin(Endpoint, "endpoint", "endpoint.id = breach.endpointId");
      query.andWhere("endpoint.providerId = :providerId", { providerId });
    }
    if (filter.endpointId != null) {
      query.andWhere("breach.endpointId = :endpointId", { endpointId: existingId(filter.endpointId, "endpoint") });
    }
    if (filter.from != null) query.andWhere("breach.openedAt >= :from", { from: filter.from });
    if (filter.to != null) query.andWhere("breach.openedAt < :to", { to: filter.to });
    if (filter.open != null) query.andWhere(`breach.closedAt IS ${filter.open ? "" : "NOT"} NULL`);
    return fetchPage(this.db, query, page);
  }

  /** Uptime over a span, per endpoint that has a judged minute in it. For the system. */
  uptimeBetween(endpointIds: readonly string[], span: { from: Date; to: Date }): Promise<JudgedWindow[]> {
    return judgedWindows(this.db, endpointIds, span);
  }

  /** Loader source: in no order, unknown ids left out, nobody authorised. */
  breachesByIds(ids: readonly string[]): Promise<SlaBreach[]> {
    return readRows(this.db, SlaBreach, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  /**
   * Minutes that begin in [from, to), oldest first; those without counts are left out.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (more than a week).
   */
  async minutes(viewer: Viewer | null, endpointId: string, from: Date, to: Date): Promise<SlaMinute[]> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const id = existingId(endpointId, "endpoint");
    const endpoint = await this.db.source.getRepository(Endpoint).findOneBy({ id });
    if (endpoint === null || !owns(known, endpoint.providerId)) throw notFound("endpoint");
    if (!(from < to) || to.getTime() - from.getTime() > MINUTES_SPAN_MS_MAX) {
      throw new DomainError("BAD_USER_INPUT", "to: must lie after from, by a week at most", { field: "to" });
    }
    return this.db.source.getRepository(SlaMinute).find({
      where: { endpointId: id, minute: Between(from, new Date(to.getTime() - 1)) },
      order: { minute: "ASC" },
    });
  }

  private async tell(
    tx: EntityManager,
    topic: "sla.breach.opened" | "sla.breach.closed",
    providerId: string | undefined,
    breachId: string,
  ): Promise<void> {
    if (providerId === undefined) throw new Error(`breach ${breachId} is of an endpoint that was not judged`);
    await this.outbox.append(tx, topic, providerId, { breachId });
  }
}

/** Those that are open, and those that were closed after `since`. */
async function knownBreaches(tx: EntityManager, endpointIds: readonly string[], since: Date): Promise<KnownBreach[]> {
  const rows = await tx
    .createQueryBuilder(SlaBreach, "breach")
    .where("breach.endpointId IN (:...endpointIds)", { endpointIds })
    .andWhere("(breach.closedAt IS NULL OR breach.closedAt > :since)", { since })
    .getMany();
  return rows.map(({ id, endpointId, kind, openedAt, closedAt }) => ({
    id,
    endpointId,
    kind,
    openedAtMs: openedAt.getTime(),
    closedAtMs: closedAt?.getTime() ?? null,
  }));
}

const openStatement = {
  name: "sla-open-breaches",
  text: "SELECT kind, count(*)::int AS count FROM sla_breach WHERE closed_at IS NULL GROUP BY kind",
};

async function openBreaches(db: Database): Promise<ReadonlyMap<SlaBreachKind, number>> {
  const rows = await db.query<{ kind: SlaBreachKind; count: number }>(openStatement, []);
  return new Map(rows.map(({ kind, count }) => [kind, count]));
}

function newBreach(kind: SlaBreachKind, minute: StoredMinute): SlaBreach {
  const openedAt = new Date(minute.minuteMs);
  return {
    id: newId(),
    endpointId: minute.endpointId,
    kind,
    slaTier: minute.terms.code,
    openedAt,
    closedAt: null,
    evidence: { minute: openedAt.toISOString(), ...minute.counters },
  };
}
