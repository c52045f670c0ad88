/** The door to blocks: a lender or an operator freezes credit, lifts it again, or after a default takes it over. */
import type { EntityManager } from "typeorm";
import { Block } from "../../entities/block";
import type { BlockReason, BlockScope, BlockState } from "../../schema/enums";
import { checkIdempotencyKey, claimKey } from "../accounts/idempotency";
import { organisationScope, owns, requireKind, type Viewer } from "../accounts/viewer";
import { type Act, type Change, made, recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Outbox } from "../events/outbox";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import { existingId } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { asSystem } from "../platform/tenancy";
import { transaction } from "../platform/transaction";
import {
  assignBlock,
  type BlockFigures,
  type FiguresRow,
  figuresOf,
  figuresStatement,
  freezeOrTake,
  liftBlock,
  settleBlock,
  startupsUnder,
  unfinishedStatement,
} from "./block-book";
import { exceeds, fingerprintOf, type NewBlock, newBlock } from "./block-input";
import { scopeOf } from "./block-scope";
import { checkAssignable, checkBlockMove, standingStates } from "./block-states";

export interface BlockFilter {
  readonly capitalPartnerId?: string | null | undefined;
  readonly facilityId?: string | null | undefined;
  readonly startupId?: string | null | undefined;
  readonly lotId?: string | null | undefined;
  readonly scope?: BlockScope | null | undefined;
  readonly reason?: BlockReason | null | undefined;
  readonly state?: BlockState | null | undefined;
}

/** What calls credit back that was lent to relay processes; resolves when each has given it back or counts as dead. */
export interface CreditRecall {
  recall(of: { startupId?: string; facilityId?: string; lotId?: string }): Promise<{ readonly outstanding: number }>;
}

/** A block that took effect: what a histogram of latencies is fed with. */
export type BlockObserver = (block: Block, tookMs: number) => void;

/** Left to whoever placed it; afterwards the worker takes it for abandoned and finishes it. */
const FINISH_AFTER_MS = 15_000;
/** Each outlasts the lease of a process that is dead; one that lives and gives nothing back is the worker's to wait for. */
const RECALLS_MAX = 2;

export class Blocks {
  private readonly db: Database;
  private readonly recall: CreditRecall;
  private readonly bus: EventBus;
  private readonly outbox: Outbox;
  private readonly clock: Clock;
  private readonly observers = new Set<BlockObserver>();

  constructor(dependencies: { db: Database; recall: CreditRecall; bus: EventBus; outbox: Outbox; clock: Clock }) {
    this.db = dependencies.db;
    this.recall = dependencies.recall;
    this.bus = dependencies.bus;
    this.outbox = dependencies.outbox;
    this.clock = dependencies.clock;
  }

  /**
   * When it answers, nothing of what it covers can be set aside on any relay process; what was set aside before is still
   * charged. Waits for relay processes that were lent credit, and for the end of the lease of one that is dead. PLACING in the
   * answer: one that lives has not given back what it was lent, and the worker goes on waiting.
   * Errors: UNAUTHENTICATED, FORBIDDEN, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, BAD_USER_INPUT, NOT_FOUND,
   * BLOCK_EXCEEDS_AVAILABLE with the figures.
   */
  async place(viewer: Viewer | null, input: NewBlock, idempotencyKey: string): Promise<Block> {
    const startedMs = performance.now();
    const known = requireKind(viewer, "WRITE", "CAPITAL_PARTNER", "OPERATOR");
    const key = checkIdempotencyKey(idempotencyKey);
    const block = newBlock(known, input, this.clock.now());
    const claim = {
      organisationId: known.organisationId,
      key,
      operation: "block",
      input: fingerprintOf(input),
      result: { blockId: block.id },
      at: block.placedAt,
    };
    const { blockId, placed } = await transaction(this.db, async (tx) => {
      const earlier = await claimKey(tx, claim);
      // Whoever repeats it while it is being placed waits for the same.
      if (earlier !== null) return { blockId: earlier.blockId!, placed: null };
      const scoped: Block = { ...block, ...(await scopeOf(tx, known, input.target)) };
      await tx.insert(Block, scoped);
      const told = made(scoped, "scope", "facilityId", "startupId", "lotId", "amountNanoCredit", "reason");
      await this.tell(tx, scoped);
      await recordAct(tx, known, actOn(scoped, "place", block.placedAt, told));
      const placed = await freezeOrTake(tx, scoped.id, block.placedAt, performance.now() - startedMs);
      if (placed.outcome === "EXCEEDS") throw exceeds(input.amountNanoCredit!, placed);
      return { blockId: scoped.id, placed };
    });
    // From here on it stands; the rest is nobody's request, and goes on when the client has gone.
    return asSystem(async () => {
      if (placed?.outcome === "ACTIVE") return this.announce(blockId, performance.now() - startedMs);
      return this.complete(await this.stored(blockId), () => performance.now() - startedMs);
    });
  }

  /**
   * Restores exactly what the block took and froze; other blocks of the same credit stand.
   * Errors: UNAUTHENTICATED, FORBIDDEN, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, NOT_FOUND, STATE_CONFLICT (ended; an operator's).
   */
  async lift(viewer: Viewer | null, id: string, idempotencyKey: string): Promise<Block> {
    await this.end(viewer, { id, idempotencyKey, to: "LIFTED", verb: "lift" }, async (tx, block, by, at) => {
      checkBlockMove(await liftBlock(tx, block.id, by.organisationId, at), "LIFTED");
    });
    return asSystem(() => this.announce(id, null));
  }

  /**
   * After a default: what is left of the lots becomes the lender's, with the dollars behind it. What requests in flight
   * do not use follows by `finish`. Errors: as `lift`; STATE_CONFLICT also when it is no whole block for DEFAULT.
   */
  async assign(viewer: Viewer | null, id: string, idempotencyKey: string): Promise<Block> {
    await this.end(viewer, { id, idempotencyKey, to: "ASSIGNED", verb: "assign" }, async (tx, block, by, at) => {
      checkAssignable(block);
      if ((await assignBlock(tx, block.id, by.organisationId, at)) === null) checkAssignable(await find(tx, id));
    });
    return asSystem(() => this.announce(id, null));
  }

  /** For the worker: blocks whose process died while placing them, and what has come back to assigned lots. Returns how many. */
  async finish(): Promise<number> {
    const at = this.clock.now();
    const abandonedAt = new Date(at.getTime() - FINISH_AFTER_MS);
    const rows = await this.db.query<{ id: string; state: BlockState }>(unfinishedStatement, [abandonedAt]);
    for (const { id, state } of rows) {
      if (state === "ASSIGNED") {
        await transaction(this.db, (tx) => assignBlock(tx, id, null, at));
        await this.announce(id, null);
        continue;
      }
      const block = await this.stored(id);
      await this.complete(block, () => this.clock.nowMs() - block.placedAt.getTime()).catch((error: unknown) => {
        // Refused: there is nobody left to be told, its state says so.
        if (!(error instanceof DomainError) || error.code !== "BLOCK_EXCEEDS_AVAILABLE") throw error;
      });
    }
    return rows.length;
  }

  /** Of a capital partner's own facilities and borrowers, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(viewer: Viewer | null, page: PageRequest, filter: BlockFilter = {}): Promise<Page<Block>> {
    const known = requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
    const capitalPartnerId = organisationScope(known, "READ", filter.capitalPartnerId);
    const query = this.db.source.getRepository(Block).createQueryBuilder("block");
    if (capitalPartnerId !== null) query.andWhere("block.capitalPartnerId = :capitalPartnerId", { capitalPartnerId });
    for (const column of ["facilityId", "startupId", "lotId"] as const) {
      const id = filter[column];
      if (id != null) query.andWhere(`block.${column} = :${column}`, { [column]: existingId(id, "object") });
    }
    for (const column of ["scope", "reason", "state"] as const) {
      if (filter[column] != null) query.andWhere(`block.${column} = :${column}`, { [column]: filter[column] });
    }
    return fetchPage(this.db, query, page);
  }

  /** Those that stand, oldest first; as `page` otherwise. Errors: UNAUTHENTICATED, FORBIDDEN. */
  standing(viewer: Viewer | null): Promise<Block[]> {
    const capitalPartnerId = organisationScope(requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR"), "READ");
    const own = capitalPartnerId === null ? "" : "AND capital_partner_id = $2";
    return readRows(this.db, Block, `WHERE state = ANY ($1) ${own} ORDER BY id`, [
      [...standingStates],
      ...(capitalPartnerId === null ? [] : [capitalPartnerId]),
    ]);
  }

  /** Loader sources: in no order, unknown ids left out, nobody authorised. */
  byIds(ids: readonly string[]): Promise<Block[]> {
    return readRows(this.db, Block, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  async figures(ids: readonly string[]): Promise<Map<string, BlockFigures>> {
    const rows = await this.db.query<FiguresRow>(figuresStatement, [ids]);
    return new Map(rows.map((row) => [row.id, figuresOf(row)]));
  }

  /** Called with each block that takes effect in this process. */
  observe(observer: BlockObserver): void {
    this.observers.add(observer);
  }

  /** Errors: BLOCK_EXCEEDS_AVAILABLE, when less came back than was to be blocked. */
  private async complete(block: Block, tookMs: () => number): Promise<Block> {
    if (block.state !== "PLACING" && block.state !== "REFUSED") return block;
    if (block.state === "PLACING" && !(await this.allBack(block))) return this.stored(block.id);
    const placed = await transaction(this.db, async (tx) => {
      await this.tell(tx, block);
      return settleBlock(tx, block.id, this.clock.now(), tookMs());
    });
    if (placed.outcome === "REFUSED") throw exceeds(block.amountNanoCredit!, placed);
    return this.announce(block.id, tookMs());
  }

  private async allBack({ facilityId, startupId, lotId }: Block): Promise<boolean> {
    const covered = {
      ...(facilityId === null ? {} : { facilityId }),
      ...(startupId === null ? {} : { startupId }),
      ...(lotId === null ? {} : { lotId }),
    };
    for (let tries = 0; tries < RECALLS_MAX; tries++) {
      if ((await this.recall.recall(covered)).outstanding === 0) return true;
    }
    return false;
  }

  private async end(
    viewer: Viewer | null,
    { id, idempotencyKey, to, verb }: { id: string; idempotencyKey: string; to: BlockState; verb: string },
    work: (tx: EntityManager, block: Block, by: Viewer, at: Date) => Promise<void>,
  ): Promise<void> {
    const known = requireKind(viewer, "WRITE", "CAPITAL_PARTNER", "OPERATOR");
    const key = checkIdempotencyKey(idempotencyKey);
    const at = this.clock.now();
    const claim = {
      organisationId: known.organisationId,
      key,
      operation: `block.${verb}`,
      input: { id },
      result: { blockId: id },
      at,
    };
    await transaction(this.db, async (tx) => {
      if ((await claimKey(tx, claim)) !== null) return;
      const block = await find(tx, id);
      if (!owns(known, block.capitalPartnerId ?? block.placedById)) throw notFound("block");
      if (!owns(known, block.placedById)) {
        throw new DomainError("STATE_CONFLICT", "An operator placed this block, and an operator ends it.");
      }
      checkBlockMove(block.state, to);
      await this.tell(tx, block);
      await recordAct(tx, known, actOn(block, verb, at, { state: { from: block.state, to } }));
      await work(tx, block, known, at);
    });
  }

  private async tell(tx: EntityManager, block: Block): Promise<void> {
    await this.outbox.append(tx, "block.changed", block.capitalPartnerId ?? block.placedById, { blockId: block.id });
  }

  /** After the commit. */
  private async announce(blockId: string, tookMs: number | null): Promise<Block> {
    const block = await this.stored(blockId);
    for (const startupId of await startupsUnder(this.db.source.manager, blockId)) {
      this.bus.publish("balance.changed", { startupId });
    }
    if (tookMs !== null && block.state === "ACTIVE") for (const observe of this.observers) observe(block, tookMs);
    return block;
  }

  private stored(id: string): Promise<Block> {
    return this.db.source.getRepository(Block).findOneByOrFail({ id });
  }
}

async function find(tx: EntityManager, id: string): Promise<Block> {
  const block = await tx.findOneBy(Block, { id: existingId(id, "block") });
  if (block === null) throw notFound("block");
  return block;
}

function actOn(block: Block, verb: string, at: Date, change: Change): Act {
  const organisationId = block.capitalPartnerId ?? block.placedById;
  return { at, action: `block.${verb}`, subjectType: "Block", subjectId: block.id, organisationId, change };
}
