/** A billing month in a minute: the test clock moves to its end, through review and net 30, to the day on which providers are paid. */
import { randomUUID } from "node:crypto";
import {
  type PayoutState,
  PayoutsDocument,
  StatementApproveDocument,
  StatementReplayDocument,
  StatementsDocument,
} from "../codegen/generated/graphql";
import { nanoOf } from "./exact";
import type { MarketTime } from "./market-time";
import type { ProviderParticipant, World } from "./onboarding";
import { until } from "./wait";

export interface ProviderMonth {
  readonly name: string;
  readonly approvedBy: "the provider" | "silence";
  /** Of the requests, each as it was accrued. */
  readonly accrualLinesNanoUsd: bigint;
  /** With what the whole month changes about them: the tier reached, the rounding of each request. */
  readonly totalNanoUsd: bigint;
  /** The same worked out again from usage records and stored fixings. */
  readonly replayedNanoUsd: bigint;
  readonly replayMatches: boolean;
  readonly dueOn: string;
  readonly payout: PayoutState | null;
  readonly paidNanoUsd: bigint;
  /** Less than a cent: it goes into the next payout. */
  readonly carriedNanoUsd: bigint;
}

export interface Month {
  /** `YYYY-MM`, UTC. */
  readonly period: string;
  readonly providers: readonly ProviderMonth[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Books close six hours after a month's end; silence is approval after three days; what is due is paid thirty days after the end. */
const CLOSED_MS = 7 * HOUR_MS;
const APPROVED_MS = 4 * DAY_MS;
const DUE_MS = 30 * DAY_MS + HOUR_MS;
const PATIENCE_MS = 30_000;

export async function billMonth(world: World, time: MarketTime, tell: (line: string) => void): Promise<Month> {
  const now = new Date(time.nowMs());
  const period = now.toISOString().slice(0, 7);
  const endMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
  const [prompt, ...silent] = world.providers;
  tell(`${period} ends, and its books close`);
  await time.moveTo(endMs + CLOSED_MS);
  await all(
    world,
    "have a statement to review",
    async (provider) => (await statementOf(provider, period))?.state === "IN_REVIEW",
  );
  tell(`${prompt!.name} approves its statement, the others say nothing`);
  const { id } = (await statementOf(prompt!, period))!;
  await prompt!.api.act(StatementApproveDocument, { input: { id }, idempotencyKey: randomUUID() });
  await time.moveTo(endMs + APPROVED_MS);
  await all(
    world,
    "have a final statement",
    async (provider) => (await statementOf(provider, period))?.state === "FINAL",
  );
  tell("net 30 passes, and the bank is told to pay");
  await time.moveTo(endMs + DUE_MS);
  await all(world, "have been paid", async (provider) => {
    const state = (await payoutOf(provider, period))?.state;
    return state === "SETTLED" || state === "CARRIED";
  });
  const providers = await Promise.all(
    world.providers.map((provider) => monthOf(provider, period, !silent.includes(provider))),
  );
  return { period, providers };
}

async function all(
  world: World,
  what: string,
  holds: (provider: ProviderParticipant) => Promise<boolean>,
): Promise<void> {
  const waiting = new Set(world.providers);
  const done = await until(async () => {
    for (const provider of waiting) if (await holds(provider)) waiting.delete(provider);
    return waiting.size === 0;
  }, PATIENCE_MS);
  if (!done) throw new Error(`${[...waiting].map(({ name }) => name).join(", ")} should ${what} by now.`);
}

async function statementOf({ api }: ProviderParticipant, period: string) {
  const [statement] = await api.all(StatementsDocument, { filter: { period } });
  return statement;
}

async function payoutOf({ api }: ProviderParticipant, period: string) {
  const [payout] = await api.all(PayoutsDocument, { filter: { period } });
  return payout;
}

async function monthOf(provider: ProviderParticipant, period: string, prompt: boolean): Promise<ProviderMonth> {
  const [statement, payout] = await Promise.all([statementOf(provider, period), payoutOf(provider, period)]);
  const { statementReplay } = await provider.api.ask(StatementReplayDocument, { statementId: statement!.id });
  return {
    name: provider.name,
    approvedBy: prompt ? "the provider" : "silence",
    accrualLinesNanoUsd: nanoOf(statementReplay.kinds.find(({ kind }) => kind === "ACCRUAL")?.stated.amount ?? "0"),
    totalNanoUsd: nanoOf(statement!.total.amount),
    replayedNanoUsd: nanoOf(statementReplay.replayed.amount),
    replayMatches: statementReplay.matches,
    dueOn: statement!.dueAt!.slice(0, 10),
    payout: payout?.state ?? null,
    paidNanoUsd: nanoOf(payout?.amount.amount ?? "0"),
    carriedNanoUsd: nanoOf(payout?.leftOver.amount ?? "0"),
  };
}
