/** The door to when capacity is offered: baseline, burst and maintenance windows. */
import { z } from "zod";
import { Accelerator } from "../../entities/accelerator";
import { CapacityWindow } from "../../entities/capacity-window";
import { Organisation } from "../../entities/organisation";
import type { CapacityWindowKind } from "../../schema/enums";
import { organisationScope, ownerOfNew, owns, requireKind, requireScope, type Viewer } from "../accounts/viewer";
import { type Act, type Change, changed, made, recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Outbox } from "../events/outbox";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, checkVersion, count, existingId, placeName } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";

export interface NewWindow {
  /** Whose it is; only an operator has to say. */
  providerId?: string | null | undefined;
  accelerator: string;
  region: string;
  zone: string;
  kind: CapacityWindowKind;
  gpuCount: number;
  startsAt: Date;
  /** Absent: until further notice. */
  endsAt?: Date | null | undefined;
}

export interface WindowFilter {
  providerId?: string | null | undefined;
  accelerator?: string | null | undefined;
  region?: string | null | undefined;
  kind?: CapacityWindowKind | null | undefined;
  activeAt?: Date | null | undefined;
}

const DAY_MS = 86_400_000;
/** A leap year: longer plans are more likely a slip of the date than a plan. */
const SPAN_MS_MAX = 366 * DAY_MS;

/** The same rule as `covers` in window-rules.ts, for the database. */
const covering = (alias: string, at: string): string =>
  `${alias}.starts_at <= ${at} AND (${alias}.ends_at IS NULL OR ${alias}.ends_at > ${at})
   AND (${alias}.cancelled_at IS NULL OR ${alias}.cancelled_at > ${at})`;

const windowFields = z
  .object({
    region: placeName,
    zone: placeName,
    kind: z.string(),
    gpuCount: count(1_000_000),
    startsAt: z.date(),
    endsAt: z.date().nullish(),
  })
  .refine(({ kind, endsAt }) => kind !== "MAINTENANCE" || endsAt != null, {
    path: ["endsAt"],
    error: "a MAINTENANCE window has to end",
  })
  .refine(({ startsAt, endsAt }) => endsAt == null || endsAt > startsAt, {
    path: ["endsAt"],
    error: "must lie after startsAt",
  })
  .refine(({ startsAt, endsAt }) => endsAt == null || endsAt.getTime() - startsAt.getTime() <= SPAN_MS_MAX, {
    path: ["endsAt"],
    error: "a window spans at most 366 days",
  });

export class Capacity {
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly outbox: Outbox;
  private readonly clock: Clock;

  constructor(dependencies: { db: Database; bus: EventBus; outbox: Outbox; clock: Clock }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.outbox = dependencies.outbox;
    this.clock = dependencies.clock;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT. */
  async openWindow(viewer: Viewer | null, input: NewWindow): Promise<CapacityWindow> {
    const known = requireScope(viewer, "WRITE");
    const providerId = ownerOfNew(known, "PROVIDER", { field: "providerId", id: input.providerId });
    const fields = checked(windowFields, input);
    const window: CapacityWindow = {
      ...fields,
      id: newId(),
      providerId,
      accelerator: input.accelerator,
      kind: input.kind,
      endsAt: fields.endsAt ?? null,
      cancelledAt: null,
      createdAt: this.clock.now(),
      version: 1,
    };
    await transaction(this.db, async (tx) => {
      if (!(await tx.existsBy(Accelerator, { code: input.accelerator, status: "LISTED" }))) {
        throw new DomainError("BAD_USER_INPUT", "accelerator: is not LISTED", { field: "accelerator" });
      }
      if (!(await tx.existsBy(Organisation, { id: providerId, kind: "PROVIDER" }))) {
        throw notFound("provider", "providerId");
      }
      await tx.insert(CapacityWindow, window);
      await this.outbox.append(tx, "capacity.window.announced", providerId, { windowId: window.id });
      const told = made(window, "kind", "accelerator", "region", "zone", "gpuCount", "startsAt", "endsAt");
      await recordAct(tx, known, actOn(window, "open", window.createdAt, told));
    });
    this.bus.publish("supply.changed", {});
    return window;
  }

  /** What has been stays; from now on it does not hold. A repeat changes nothing. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT (it is over). */
  async cancelWindow(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<CapacityWindow> {
    const known = requireKind(viewer, "WRITE", "PROVIDER", "OPERATOR");
    const now = this.clock.now();
    const cancelled = await transaction(this.db, async (tx) => {
      const window = await tx.findOne(CapacityWindow, {
        where: { id: existingId(id, "capacity window") },
        lock: { mode: "pessimistic_write" },
      });
      if (window === null || !owns(known, window.providerId)) throw notFound("capacity window");
      checkVersion(window, expectedVersion);
      if (window.cancelledAt !== null) return window;
      if (window.endsAt !== null && window.endsAt <= now) {
        throw new DomainError("STATE_CONFLICT", `The window ended at ${window.endsAt.toISOString()}.`);
      }
      const change = { cancelledAt: now, version: window.version + 1 };
      await tx.update(CapacityWindow, { id }, change);
      await this.outbox.append(tx, "capacity.window.cancelled", window.providerId, { windowId: id });
      await recordAct(tx, known, actOn(window, "cancel", now, changed(window, change)));
      return Object.assign(window, change);
    });
    this.bus.publish("supply.changed", {});
    return cancelled;
  }

  /** A provider's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async windows(viewer: Viewer | null, page: PageRequest, filter: WindowFilter = {}): Promise<Page<CapacityWindow>> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(known, "READ", filter.providerId);
    const { accelerator, region, kind, activeAt } = filter;
    const query = this.db.source.getRepository(CapacityWindow).createQueryBuilder("capacity");
    if (providerId !== null) query.andWhere("capacity.providerId = :providerId", { providerId });
    if (accelerator != null) query.andWhere("capacity.accelerator = :accelerator", { accelerator });
    if (region != null) query.andWhere("capacity.region = :region", { region });
    if (kind != null) query.andWhere("capacity.kind = :kind", { kind });
    if (activeAt != null) query.andWhere(covering("capacity", ":activeAt"), { activeAt });
    return fetchPage(this.db, query, page);
  }

  /** Those that are going on or to come, of all pages; a provider's own, an operator's all. Oldest first. Errors: UNAUTHENTICATED, FORBIDDEN. */
  standingWindows(viewer: Viewer | null): Promise<CapacityWindow[]> {
    const providerId = organisationScope(requireKind(viewer, "READ", "PROVIDER", "OPERATOR"), "READ");
    const query = this.db.source
      .getRepository(CapacityWindow)
      .createQueryBuilder("capacity")
      .where("(capacity.endsAt IS NULL OR capacity.endsAt > :now)", { now: this.clock.now() })
      .andWhere("capacity.cancelledAt IS NULL")
      .orderBy("capacity.id", "ASC");
    if (providerId !== null) query.andWhere("capacity.providerId = :providerId", { providerId });
    return query.getMany();
  }

  /** In no order, unknown ids left out. Authorises nobody: whoever hands rows out decides. */
  windowsByIds(ids: readonly string[]): Promise<CapacityWindow[]> {
    return readRows(this.db, CapacityWindow, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  /** Of all providers; for routing, which authorises nobody. */
  activeWindows(at: Date): Promise<CapacityWindow[]> {
    const query = this.db.source.getRepository(CapacityWindow).createQueryBuilder("capacity");
    return query.where(covering("capacity", ":at"), { at }).getMany();
  }
}

function actOn({ id, providerId }: CapacityWindow, verb: string, at: Date, change: Change): Act {
  const action = `capacity-window.${verb}`;
  return { at, action, subjectType: "CapacityWindow", subjectId: id, organisationId: providerId, change };
}
