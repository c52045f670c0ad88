/** Works a statement out again, from usage records, stored fixings, the stored card versions and stored evidence alone. */
import { CreditNote } from "../../entities/credit-note";
import { ProviderClaim } from "../../entities/provider-claim";
import type { Statement } from "../../entities/statement";
import { StatementDispute } from "../../entities/statement-dispute";
import { StatementLine } from "../../entities/statement-line";
import type { StatementLineKind } from "../../schema/enums";
import type { Database } from "../platform/database";
import { readRows } from "../platform/rows";
import type { RateCard } from "../pricing/rate-card";
import { monthRevenue } from "../pricing/revenue";
import { holdbackNanoUsd, sumOf } from "./lines";
import { monthParts } from "./month-usage";
import { keyOf, type Repriced, repricedUsage } from "./replay-usage";
import { adjustmentNanoUsd, adjustmentPpm } from "./sla-adjustment";

export interface ReplayedLine {
  /** Null: usage that no line tells of. */
  readonly lineId: string | null;
  readonly kind: StatementLineKind;
  readonly statedNanoUsd: bigint;
  readonly replayedNanoUsd: bigint;
}

export interface Replay {
  readonly matches: boolean;
  readonly statedNanoUsd: bigint;
  readonly replayedNanoUsd: bigint;
  readonly requests: number;
  readonly lines: readonly ReplayedLine[];
}

interface Decisions {
  /** By the id that a line names as its source. */
  readonly amounts: ReadonlyMap<string, bigint>;
  /** Those that an answer to a dispute put on the statement when it was drafted already: its holdback knew nothing of them. */
  readonly answers: ReadonlySet<string>;
}

async function decisionsOn(db: Database, lines: readonly StatementLine[]): Promise<Decisions> {
  const ids = lines.map(({ sourceId }) => sourceId).filter((id) => id !== null);
  const [claims, disputes, notes, kept, applied] = await Promise.all([
    readRows(db, ProviderClaim, "WHERE id = ANY ($1) AND state = 'PAID'", [ids]),
    readRows(db, StatementDispute, "WHERE id = ANY ($1) AND state = 'UPHELD'", [ids]),
    readRows(db, CreditNote, "WHERE id = ANY ($1)", [ids]),
    readRows(db, StatementLine, "WHERE id = ANY ($1) AND kind = 'HOLDBACK'", [ids]),
    readRows(db, StatementLine, "WHERE source_id = ANY ($1) AND kind = 'CREDIT_NOTE'", [ids]),
  ]);
  const amounts = new Map<string, bigint>();
  for (const { id, amountNanoUsd } of claims) amounts.set(id, amountNanoUsd);
  for (const { id, creditNanoUsd } of disputes) amounts.set(id, creditNanoUsd ?? 0n);
  for (const { id, amountNanoUsd } of kept) amounts.set(id, -amountNanoUsd);
  const own = new Set(lines.map(({ id }) => id));
  for (const note of notes) {
    // A note may be spread over several statements: what it was, less what remains and what the others took.
    const elsewhere = applied.filter(({ id, sourceId }) => sourceId === note.id && !own.has(id));
    amounts.set(note.id, note.amountNanoUsd - note.remainingNanoUsd - sumOf(elsewhere));
  }
  return { amounts, answers: new Set(disputes.map(({ id }) => id)) };
}

interface Known {
  readonly usage: Repriced;
  readonly decisions: Decisions;
  readonly cards: ReadonlyMap<string, RateCard>;
}

function replayedLines(lines: readonly StatementLine[], known: Known): ReplayedLine[] {
  const groups = new Map(known.usage.groups.map((group) => [group.key, group]));
  const replayed = lines
    .filter(({ kind }) => kind !== "HOLDBACK")
    .map((line) => {
      const replayedNanoUsd =
        line.kind === "ACCRUAL" ? (groups.get(keyOf(line))?.amountNanoUsd ?? 0n) : amountOf(line, known);
      if (line.kind === "ACCRUAL") groups.delete(keyOf(line));
      return { line, replayedNanoUsd };
    });
  const beforeHoldback = replayed
    .filter(({ line }) => !known.decisions.answers.has(line.sourceId ?? ""))
    .reduce((sum, { replayedNanoUsd }) => sum + replayedNanoUsd, 0n);
  for (const line of lines.filter(({ kind }) => kind === "HOLDBACK")) {
    replayed.push({ line, replayedNanoUsd: -holdbackNanoUsd(beforeHoldback, line.sharePpm ?? 0n) });
  }
  const untold = [...groups.values()].map(({ amountNanoUsd }) => ({
    lineId: null,
    kind: "ACCRUAL" as const,
    statedNanoUsd: 0n,
    replayedNanoUsd: amountNanoUsd,
  }));
  const told = replayed.map(({ line, replayedNanoUsd }) => ({
    lineId: line.id,
    kind: line.kind,
    statedNanoUsd: line.amountNanoUsd,
    replayedNanoUsd,
  }));
  return [...told, ...untold, ...missedTrueUp(lines, known)];
}

function amountOf(line: StatementLine, known: Known): bigint {
  const { usage, decisions } = known;
  if (line.kind === "TRUE_UP") return trueUpOf(known);
  if (line.kind === "SLA_ADJUSTMENT" && line.evidence !== null) {
    const accrued = usage.byEndpoint.get(line.evidence.endpointId) ?? 0n;
    return -adjustmentNanoUsd(accrued, adjustmentPpm(line.evidence));
  }
  return decisions.amounts.get(line.sourceId ?? "") ?? 0n;
}

function trueUpOf({ usage, cards }: Known): bigint {
  const accrued = usage.groups.reduce((sum, { amountNanoUsd }) => sum + amountNanoUsd, 0n);
  const priced = usage.groups.filter(({ rateCardId }) => cards.has(rateCardId));
  return monthRevenue(monthParts(priced, cards)).totalNanoUsd - accrued;
}

/** A statement without the line has to be one that needed none. */
function missedTrueUp(lines: readonly StatementLine[], known: Known): ReplayedLine[] {
  const amount = lines.some(({ kind }) => kind === "TRUE_UP") ? 0n : trueUpOf(known);
  return amount === 0n ? [] : [{ lineId: null, kind: "TRUE_UP", statedNanoUsd: 0n, replayedNanoUsd: amount }];
}

/** Nothing is written. What a reader may not see (another's card) would come to nothing, so a provider gets its own only. */
export async function replay(
  db: Database,
  statement: Statement,
  rateCardsByIds: (ids: readonly string[]) => Promise<readonly RateCard[]>,
): Promise<Replay> {
  const lines = await readRows(db, StatementLine, "WHERE statement_id = $1 ORDER BY id", [statement.id]);
  const ids = [...new Set(lines.flatMap((line) => line.rateCardId ?? []))];
  const cards = new Map((await rateCardsByIds(ids)).map((card) => [card.id, card]));
  const usage = await repricedUsage(db, statement, cards);
  const replayed = replayedLines(lines, { usage, decisions: await decisionsOn(db, lines), cards });
  const replayedNanoUsd = replayed.reduce((sum, line) => sum + line.replayedNanoUsd, 0n);
  const exact = replayed.every((line) => line.statedNanoUsd === line.replayedNanoUsd);
  return {
    matches: exact && replayedNanoUsd === statement.totalNanoUsd,
    statedNanoUsd: statement.totalNanoUsd,
    replayedNanoUsd,
    requests: usage.requests,
    lines: replayed,
  };
}
