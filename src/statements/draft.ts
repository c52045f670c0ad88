/** Drafts one provider's statement of a closed month: lines from usage, claims, uptime and notes, booked with them. */
import { type EntityManager, In } from "typeorm";
import { CreditNote } from "../../entities/credit-note";
import { ProviderClaim } from "../../entities/provider-claim";
import { Statement } from "../../entities/statement";
import { StatementLine } from "../../entities/statement-line";
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import { newId } from "../platform/ids";
import type { RateCard } from "../pricing/rate-card";
import { type Decided, type Month, type NewLine, statementLines, sumOf } from "./lines";
import { accruedByEndpoint, usageGroups } from "./month-usage";
import { dueAt, endOf, monthsAfter } from "./period";
import { holdbackAccount, payableAccount, postingOf } from "./postings";
import type { UptimeWindow } from "./sla-adjustment";

export interface DraftDependencies {
  readonly ledger: Ledger;
  readonly outbox: Outbox;
  readonly rateCardsByIds: (ids: readonly string[]) => Promise<readonly RateCard[]>;
  readonly uptimeBetween: (endpointIds: readonly string[], span: { from: Date; to: Date }) => Promise<UptimeWindow[]>;
  readonly holdbackPpm: bigint;
}

export interface DraftOf {
  readonly providerId: string;
  readonly period: string;
  readonly at: Date;
}

const UPTIME_WINDOW_MS = 30 * 86_400_000;
/** A holdback is paid with the statement of the second month after. */
export const HOLDBACK_MONTHS = 2;
const INSERTED_TOGETHER_MAX = 1_000;

/**
 * Every provider with something to tell of the month: a payable, a holdback that comes free, a note in its favour. The
 * month is closed, so nothing joins them later.
 */
export async function providersToDraft(tx: EntityManager, period: string): Promise<string[]> {
  const rows: { provider_id: string }[] = await tx.query(
    `SELECT provider_id FROM (
       SELECT organisation_id AS provider_id FROM ledger_account
        WHERE kind = 'PROVIDER_PAYABLE' AND period = $1 AND credits_posted > 0
       UNION SELECT s.provider_id FROM statement s JOIN statement_line l ON l.statement_id = s.id
        WHERE s.period = $2 AND l.kind = 'HOLDBACK'
       UNION SELECT provider_id FROM credit_note WHERE remaining_nano_usd > 0) AS p
      WHERE NOT EXISTS (SELECT FROM statement s WHERE s.provider_id = p.provider_id AND s.period = $1)
      ORDER BY provider_id`,
    [period, monthsAfter(period, -HOLDBACK_MONTHS)],
  );
  return rows.map((row) => row.provider_id);
}

/** Null when the month's statement is there already: a repeat, or another worker, changes nothing. */
export async function draftStatement(
  tx: EntityManager,
  { providerId, period, at }: DraftOf,
  dependencies: DraftDependencies,
): Promise<Statement | null> {
  const statement: Statement = {
    id: newId(),
    providerId,
    period,
    state: "DRAFT",
    totalNanoUsd: 0n,
    draftedAt: at,
    reviewEndsAt: null,
    approvedAt: null,
    approvedBy: null,
    finalisedAt: null,
    dueAt: dueAt(period),
    version: 1,
  };
  const made = await tx
    .createQueryBuilder()
    .insert()
    .into(Statement)
    .values(statement)
    .orIgnore()
    .returning("id")
    .execute();
  if ((made.raw as unknown[]).length === 0) return null;
  const lines = statementLines(await monthOf(tx, { providerId, period, at }, dependencies));
  await book(tx, statement, { lines, at }, dependencies.ledger);
  await settleNotes(tx, lines);
  statement.totalNanoUsd = sumOf(lines);
  await tx.update(Statement, { id: statement.id }, { totalNanoUsd: statement.totalNanoUsd });
  await dependencies.outbox.append(tx, "statement.changed", providerId, { statementId: statement.id });
  return statement;
}

async function monthOf(
  tx: EntityManager,
  { providerId, period }: DraftOf,
  { rateCardsByIds, uptimeBetween, holdbackPpm }: DraftDependencies,
): Promise<Month> {
  const used = await usageGroups(tx, providerId, period);
  const cards = await rateCardsByIds([...new Set(used.map(({ rateCardId }) => rateCardId))]);
  const accrued = await accruedByEndpoint(tx, providerId, period);
  const to = endOf(period);
  const from = new Date(to.getTime() - UPTIME_WINDOW_MS);
  return {
    used,
    cards: new Map(cards.map((card) => [card.id, card])),
    accruedByEndpoint: accrued,
    uptime: await uptimeBetween([...accrued.keys()], { from, to }),
    claims: await paidClaims(tx, providerId, period),
    creditNotes: await openNotes(tx, providerId),
    releases: await freeHoldbacks(tx, providerId, period),
    holdbackPpm,
  };
}

async function paidClaims(tx: EntityManager, providerId: string, period: string): Promise<Decided[]> {
  const claims = await tx.find(ProviderClaim, { where: { providerId, period, state: "PAID" }, order: { id: "ASC" } });
  return claims.map(({ id, amountNanoUsd, decision }) => ({ id, amountNanoUsd, reason: decision }));
}

async function openNotes(tx: EntityManager, providerId: string): Promise<Decided[]> {
  const notes = await tx
    .createQueryBuilder(CreditNote, "note")
    .setLock("pessimistic_write")
    .where("note.providerId = :providerId AND note.remainingNanoUsd <> 0", { providerId })
    .orderBy("note.id")
    .getMany();
  return notes.map(({ id, remainingNanoUsd, reason }) => ({ id, amountNanoUsd: remainingNanoUsd, reason }));
}

async function freeHoldbacks(tx: EntityManager, providerId: string, period: string): Promise<Decided[]> {
  const earlier = await tx.findOneBy(Statement, { providerId, period: monthsAfter(period, -HOLDBACK_MONTHS) });
  if (earlier === null) return [];
  const kept = await tx.find(StatementLine, { where: { statementId: earlier.id, kind: "HOLDBACK" } });
  return kept.map(({ id, amountNanoUsd }) => ({ id, amountNanoUsd: -amountNanoUsd, reason: null }));
}

/** Writes the lines and moves their money, in one act whose group is the statement. */
export async function book(
  tx: EntityManager,
  statement: Pick<Statement, "id" | "providerId" | "period">,
  { lines, at }: { lines: readonly NewLine[]; at: Date },
  ledger: Ledger,
): Promise<void> {
  const { id: statementId, providerId, period } = statement;
  const rows = lines.map((line) => ({ ...line, id: newId(), statementId, createdAt: at }));
  for (let start = 0; start < rows.length; start += INSERTED_TOGETHER_MAX) {
    await tx.insert(StatementLine, rows.slice(start, start + INSERTED_TOGETHER_MAX));
  }
  await ledger.openAccount(tx, payableAccount(providerId, period));
  if (lines.some(({ kind }) => kind === "HOLDBACK")) await ledger.openAccount(tx, holdbackAccount(providerId));
  const postings = lines.map((line) => postingOf(line, { providerId, period })).filter((posting) => posting !== null);
  if (postings.length > 0) await ledger.post(tx, { groupId: statementId, bookedAt: at, postings });
}

async function settleNotes(tx: EntityManager, lines: readonly NewLine[]): Promise<void> {
  const applied = lines.filter(({ kind, sourceId }) => kind === "CREDIT_NOTE" && sourceId !== null);
  const notes = await tx.findBy(CreditNote, { id: In(applied.map(({ sourceId }) => sourceId)) });
  for (const note of notes) {
    const taken = sumOf(applied.filter(({ sourceId }) => sourceId === note.id));
    await tx.update(CreditNote, { id: note.id }, { remainingNanoUsd: note.remainingNanoUsd - taken });
  }
}
