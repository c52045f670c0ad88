/** The door to when capacity is offered: baseline, burst and maintenance windows. */
import { z } from "zod";
import { Accelerator } from "../../entities/accelerator";
import { CapacityWindow } from "../../entities/capacity-window";
import { Organisation } from "../../entities/organisation";
import type { CapacityWindowKind } from "../../schema/enums";
import { organisationScope, ownerOfNew, owns, requireKind, type Viewer } from "../accounts/viewer";
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { checked, checkVersion, count, existingId, placeName } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
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
  private readonly clock: Clock;

  constructor(dependencies: { db: Database; bus: EventBus; clock: Clock }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT. */
  async openWindow(viewer: Viewer | null, input: NewWindow): Promise<CapacityWindow> {
    const providerId = ownerOfNew(viewer, "PROVIDER", { field: "providerId", id: input.providerId });
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
    return fetchPage(query, page);
  }

  /** Of all providers; for routing, which authorises nobody. */
  activeWindows(at: Date): Promise<CapacityWindow[]> {
    const query = this.db.source.getRepository(CapacityWindow).createQueryBuilder("capacity");
    return query.where(covering("capacity", ":at"), { at }).getMany();
  }
}
