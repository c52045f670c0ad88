/** Statements, their lines, disputes and replays as views. */
import type { CreditNote } from "../../../entities/credit-note";
import type { Statement } from "../../../entities/statement";
import type { StatementDispute } from "../../../entities/statement-dispute";
import type { SlaLineEvidence, StatementLine } from "../../../entities/statement-line";
import type { StatementLineKind } from "../../../schema/enums";
import { encodeId } from "../../../schema/node";
import type {
  CreditNoteView,
  StatementDisputeView,
  StatementLineView,
  StatementReplayKindView,
  StatementReplayView,
  StatementSlaEvidenceView,
  StatementView,
} from "../../../schema/views/statements.view";
import type { Replay, ReplayedLine } from "../../statements/statements";
import { gpuSeconds, ratio, usd } from "./money";

const DIFFERENCES_MAX = 100;

export const statementView = (row: Statement): StatementView => ({
  id: encodeId("Statement", row.id),
  statementId: row.id,
  providerId: row.providerId,
  period: row.period,
  state: row.state,
  total: usd(row.totalNanoUsd),
  draftedAt: row.draftedAt,
  reviewEndsAt: row.reviewEndsAt,
  approvedAt: row.approvedAt,
  finalisedAt: row.finalisedAt,
  dueAt: row.dueAt,
  version: row.version,
});

export const statementLineView = (row: StatementLine): StatementLineView => ({
  id: encodeId("StatementLine", row.id),
  statementId: row.statementId,
  kind: row.kind,
  amount: usd(row.amountNanoUsd),
  accelerator: row.accelerator,
  region: row.region,
  segment: row.segment,
  workload: row.workload,
  fixingId: row.fixingId,
  spotPricePerGpuHour: row.priceNanoUsd === null ? null : usd(row.priceNanoUsd),
  share: row.sharePpm === null ? null : ratio(row.sharePpm),
  requests: row.requests,
  gpuSeconds: gpuSeconds(row.gpuNanos),
  reason: row.reason,
  evidence: row.evidence && evidenceView(row.evidence),
  createdAt: row.createdAt,
});

const evidenceView = (evidence: SlaLineEvidence): StatementSlaEvidenceView => ({
  target: ratio(evidence.targetPpm),
  uptime: ratio(evidence.uptimePpm),
  eligibleMinutes: evidence.eligibleMinutes,
  badMinutes: evidence.badMinutes,
  accrued: usd(BigInt(evidence.accruedNanoUsd)),
  endpointId: evidence.endpointId,
});

export const statementDisputeView = (row: StatementDispute): StatementDisputeView => ({
  id: encodeId("StatementDispute", row.id),
  statementId: row.statementId,
  lineId: row.lineId,
  state: row.state,
  reason: row.reason,
  openedAt: row.openedAt,
  answer: row.answer,
  credit: row.creditNanoUsd === null ? null : usd(row.creditNanoUsd),
  resolvedAt: row.resolvedAt,
});

export const creditNoteView = (row: CreditNote): CreditNoteView => ({
  id: encodeId("CreditNote", row.id),
  statementId: row.statementId,
  amount: usd(row.amountNanoUsd),
  remaining: usd(row.remainingNanoUsd),
  reason: row.reason,
  createdAt: row.createdAt,
});

export const statementReplayView = (statement: Statement, replay: Replay): StatementReplayView => ({
  matches: replay.matches,
  statement: statementView(statement),
  stated: usd(replay.statedNanoUsd),
  replayed: usd(replay.replayedNanoUsd),
  requests: replay.requests,
  kinds: kindsOf(replay.lines),
  differences: replay.lines
    .filter(({ statedNanoUsd, replayedNanoUsd }) => statedNanoUsd !== replayedNanoUsd)
    .slice(0, DIFFERENCES_MAX)
    .map((line) => ({
      lineId: line.lineId,
      kind: line.kind,
      stated: usd(line.statedNanoUsd),
      replayed: usd(line.replayedNanoUsd),
    })),
});

function kindsOf(lines: readonly ReplayedLine[]): StatementReplayKindView[] {
  const sums = new Map<StatementLineKind, { lines: number; stated: bigint; replayed: bigint }>();
  for (const { kind, statedNanoUsd, replayedNanoUsd } of lines) {
    const sum = sums.get(kind) ?? { lines: 0, stated: 0n, replayed: 0n };
    sum.lines += 1;
    sum.stated += statedNanoUsd;
    sum.replayed += replayedNanoUsd;
    sums.set(kind, sum);
  }
  return [...sums].map(([kind, sum]) => ({
    kind,
    lines: sum.lines,
    stated: usd(sum.stated),
    replayed: usd(sum.replayed),
  }));
}
