/** Rate cards: which is in force for whom, and how a negotiated one comes about, by two people. */
import { Organisation } from "../../entities/organisation";
import { PricingTierRow } from "../../entities/pricing-tier";
import { RateCardRow } from "../../entities/rate-card";
import type { RateCardState } from "../../schema/enums";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import { changed, made, recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import { checked, existingId } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { asSystem } from "../platform/tenancy";
import { transaction } from "../platform/transaction";
import type { RateCardTerms } from "./rate-card";
import {
  approveCard,
  insertProposal,
  type NewRateCard,
  rateCardFields,
  readCards,
  retireCard,
  type StoredRateCard,
  withTiers,
} from "./rate-card-book";
import { cardInForce, checkTerms } from "./rate-card-rules";

export interface RateCardFilter {
  readonly providerId?: string | null | undefined;
  readonly state?: RateCardState | null | undefined;
}

const CARDS_TTL_MS = 30_000;

export class RateCards {
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  private cards: { read: Promise<StoredRateCard[]>; staleAtMs: number } | null = null;

  constructor(dependencies: { db: Database; bus: EventBus; clock: Clock }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
  }

  /** The provider's card in force at `at`, or else the standard one; a new card is noticed within 30 s. Public. */
  async inForce(at: Date, providerId: string | null): Promise<StoredRateCard> {
    const card = cardInForce(await this.known(), at, providerId);
    if (card === undefined) throw new Error(`No rate card is in force at ${at.toISOString()}.`);
    return card;
  }

  /** The same for many providers at once, without waiting in between. */
  async choose(at: Date): Promise<(providerId: string) => StoredRateCard> {
    const [cards, standard] = await Promise.all([this.known(), this.inForce(at, null)]);
    return (providerId) => cardInForce(cards, at, providerId) ?? standard;
  }

  /** A provider's own and the standard ones, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(viewer: Viewer | null, page: PageRequest, filter: RateCardFilter = {}): Promise<Page<StoredRateCard>> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const asked = organisationScope(known, "READ", filter.providerId);
    const query = this.db.source.getRepository(RateCardRow).createQueryBuilder("card");
    if (known.kind === "PROVIDER") {
      query.andWhere("card.state <> 'PROPOSED'");
      const own = "card.providerId = :own";
      query.andWhere(filter.providerId == null ? `(${own} OR card.providerId IS NULL)` : own, { own: asked });
    } else if (asked !== null) query.andWhere("card.providerId = :asked", { asked });
    if (filter.state != null) query.andWhere("card.state = :state", { state: filter.state });
    const { rows, ...rest } = await fetchPage(this.db, query, page);
    return { ...rest, rows: await this.complete(rows) };
  }

  /** Loader source: in no order, unknown ids left out, nobody authorised. */
  async byIds(ids: readonly string[]): Promise<StoredRateCard[]> {
    return this.complete(await readRows(this.db, RateCardRow, "WHERE id = ANY ($1)", [ids.filter(isId)]));
  }

  /** Writes terms down for somebody else to approve. Errors: UNAUTHENTICATED, FORBIDDEN (operators only), NOT_FOUND, BAD_USER_INPUT. */
  async propose(viewer: Viewer | null, input: NewRateCard): Promise<StoredRateCard> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const at = this.clock.now();
    const { reason } = checked(rateCardFields, input);
    if (input.effectiveAt < at) {
      throw new DomainError("BAD_USER_INPUT", "effectiveAt: lies in the past", { field: "effectiveAt" });
    }
    const terms = await this.termsOf(input, at);
    checkTerms(terms);
    return transaction(this.db, async (tx) => {
      if (input.providerId !== null) {
        const provider = { id: existingId(input.providerId, "provider"), kind: "PROVIDER" as const };
        if (!(await tx.existsBy(Organisation, provider))) throw notFound("provider", "providerId");
      }
      const card = await insertProposal(tx, { ...input, reason, terms, proposedBy: personOf(known), at });
      await recordAct(tx, known, {
        ...actOn(card, known, at),
        action: "rate-card.propose",
        change: {
          ...made(card, "version", "effectiveAt", "baseSharePpm", "redemptionFactorPpm", "reason"),
          tiers: { to: card.tiers.length },
        },
      });
      return card;
    });
  }

  /**
   * From its instant on it is in force. Whoever proposed it cannot; terms that could owe providers more than was funded
   * are refused. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, STATE_CONFLICT, SECOND_PERSON_REQUIRED, RATE_CARD_INSOLVENT.
   */
  approve(viewer: Viewer | null, id: string): Promise<StoredRateCard> {
    return this.move(viewer, id, "rate-card.approve", approveCard);
  }

  /** Takes a card or a proposal back. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, STATE_CONFLICT. */
  retire(viewer: Viewer | null, id: string): Promise<StoredRateCard> {
    return this.move(viewer, id, "rate-card.retire", retireCard);
  }

  private async move(
    viewer: Viewer | null,
    id: string,
    action: string,
    act: typeof approveCard,
  ): Promise<StoredRateCard> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const at = this.clock.now();
    const after = await transaction(this.db, async (tx) => {
      const [before, after] = await act(tx, id, personOf(known), at);
      const { state, approvedAt, retiredAt } = after;
      await recordAct(tx, known, {
        ...actOn(after, known, at),
        action,
        change: changed<Partial<StoredRateCard>>(before, { state, approvedAt, retiredAt }),
      });
      return after;
    });
    this.cards = null;
    this.bus.publish("supply.changed", {});
    return after;
  }

  private async termsOf(input: NewRateCard, at: Date): Promise<RateCardTerms> {
    const { baseSharePpm, tierReading, premiumReading, tiers } = input;
    const standard = await this.inForce(at, null);
    return {
      baseSharePpm,
      tierReading,
      premiumReading,
      redemptionFactorPpm: input.redemptionFactorPpm ?? standard.redemptionFactorPpm,
      tiers: tiers.map((tier, index) => ({ ...tier, position: index + 1, negotiated: false })),
    };
  }

  private async complete(rows: readonly RateCardRow[]): Promise<StoredRateCard[]> {
    if (rows.length === 0) return [];
    const rest = "WHERE rate_card_id = ANY ($1) ORDER BY position";
    return withTiers(rows, await readRows(this.db, PricingTierRow, rest, [rows.map(({ id }) => id)]));
  }

  private known(): Promise<StoredRateCard[]> {
    const nowMs = this.clock.nowMs();
    if (this.cards === null || nowMs >= this.cards.staleAtMs) {
      // Kept for all, so it must not be what one of them may see.
      const read = asSystem(() => readCards(this.db));
      this.cards = { read, staleAtMs: nowMs + CARDS_TTL_MS };
      // A failed reading must not be served for half a minute.
      read.catch(() => {
        if (this.cards?.read === read) this.cards = null;
      });
    }
    return this.cards.read;
  }
}

/** Two keys count as two people: an organisation that lets one person have both has let go of the rule. */
const personOf = (viewer: Viewer): string => viewer.memberId ?? viewer.keyId!;

const actOn = ({ id, providerId }: RateCardRow, by: Viewer, at: Date) => ({
  at,
  subjectType: "RateCard" as const,
  subjectId: id,
  organisationId: providerId ?? by.organisationId,
});
