/** Works out a statement's lines from what is known of the month; pure, so that a replay can do it again. */
import type { StatementLine } from "../../entities/statement-line";
import type { StatementLineKind } from "../../schema/enums";
import { mulDivDown, PPM } from "../money/nano";
import type { RateCard } from "../pricing/rate-card";
import { monthRevenue } from "../pricing/revenue";
import { monthParts, type UsageGroup } from "./month-usage";
import { adjustmentNanoUsd, adjustmentPpm, type UptimeWindow, uptimePpm } from "./sla-adjustment";

export type NewLine = Omit<StatementLine, "id" | "statementId" | "createdAt">;

/** An amount that was decided elsewhere: a claim, a credit note, a holdback that is released. */
export interface Decided {
  readonly id: string;
  readonly amountNanoUsd: bigint;
  readonly reason: string | null;
}

export interface Month {
  readonly used: readonly UsageGroup[];
  readonly cards: ReadonlyMap<string, RateCard>;
  readonly accruedByEndpoint: ReadonlyMap<string, bigint>;
  readonly uptime: readonly UptimeWindow[];
  readonly claims: readonly Decided[];
  /** What remains of each; negative ones take only what there is. */
  readonly creditNotes: readonly Decided[];
  readonly releases: readonly Decided[];
  readonly holdbackPpm: bigint;
}

const blank = {
  accelerator: null,
  region: null,
  segment: null,
  workload: null,
  fixingId: null,
  rateCardId: null,
  priceNanoUsd: null,
  sharePpm: null,
  requests: 0,
  gpuNanos: 0n,
  sourceId: null,
  reason: null,
  evidence: null,
} as const;

export const sumOf = (lines: readonly { readonly amountNanoUsd: bigint }[]): bigint =>
  lines.reduce((sum, { amountNanoUsd }) => sum + amountNanoUsd, 0n);

export const decidedLine = (kind: StatementLineKind, { id, amountNanoUsd, reason }: Decided): NewLine => ({
  ...blank,
  kind,
  amountNanoUsd,
  sourceId: id,
  reason,
});

const accrualLine = ({ accruedNanoUsd, ...used }: UsageGroup): NewLine => ({
  ...blank,
  kind: "ACCRUAL",
  ...used,
  amountNanoUsd: accruedNanoUsd,
});

/** What the month earns as a whole, less what was accrued request by request: the tier reached, and the dust of rounding. */
export const trueUpNanoUsd = (used: readonly UsageGroup[], cards: ReadonlyMap<string, RateCard>): bigint =>
  monthRevenue(monthParts(used, cards)).totalNanoUsd -
  used.reduce((sum, { accruedNanoUsd }) => sum + accruedNanoUsd, 0n);

function slaLines({ uptime, accruedByEndpoint }: Month): NewLine[] {
  const lines: NewLine[] = [];
  for (const window of uptime) {
    const accrued = accruedByEndpoint.get(window.endpointId) ?? 0n;
    const ppm = adjustmentPpm(window);
    const amountNanoUsd = -adjustmentNanoUsd(accrued, ppm);
    if (amountNanoUsd === 0n) continue;
    const evidence = { ...window, uptimePpm: uptimePpm(window), accruedNanoUsd: accrued.toString() };
    lines.push({ ...blank, kind: "SLA_ADJUSTMENT", amountNanoUsd, sharePpm: ppm, evidence });
  }
  return lines;
}

/** The parts of negative notes that `room` covers, in their order; what is left of them waits for the next month. */
function takenBack(notes: readonly Decided[], room: bigint): NewLine[] {
  const lines: NewLine[] = [];
  let left = room;
  for (const note of notes) {
    const taken = -note.amountNanoUsd < left ? -note.amountNanoUsd : left;
    if (taken === 0n) continue;
    left -= taken;
    lines.push(decidedLine("CREDIT_NOTE", { ...note, amountNanoUsd: -taken }));
  }
  return lines;
}

/** Kept back of everything that the month comes to otherwise. */
export const holdbackNanoUsd = (subtotalNanoUsd: bigint, ppm: bigint): bigint => mulDivDown(subtotalNanoUsd, ppm, PPM);

/** Never less than nothing in sum: the payable account cannot be overdrawn. No line is over nothing. */
export function statementLines(month: Month): NewLine[] {
  const { used, cards, creditNotes, holdbackPpm } = month;
  const trueUp = trueUpNanoUsd(used, cards);
  const lines = [
    ...used.map(accrualLine),
    ...(trueUp === 0n ? [] : [{ ...blank, kind: "TRUE_UP" as const, amountNanoUsd: trueUp }]),
    ...month.claims.map((claim) => decidedLine("CLAIM", claim)),
    ...slaLines(month),
    ...month.releases.map((release) => decidedLine("HOLDBACK_RELEASE", release)),
    ...creditNotes.filter(({ amountNanoUsd }) => amountNanoUsd > 0n).map((note) => decidedLine("CREDIT_NOTE", note)),
  ];
  lines.push(
    ...takenBack(
      creditNotes.filter(({ amountNanoUsd }) => amountNanoUsd < 0n),
      sumOf(lines),
    ),
  );
  const kept = holdbackNanoUsd(sumOf(lines), holdbackPpm);
  if (kept > 0n) lines.push({ ...blank, kind: "HOLDBACK", amountNanoUsd: -kept, sharePpm: holdbackPpm });
  return lines;
}
