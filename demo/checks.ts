/** The figures held against each other: what must be equal if no request was lost, charged twice or paid to nobody. */
import { releasedNanoUsd, shown, sum } from "./exact";
import type { Figures, StartupFigures } from "./figures";
import type { Month } from "./month";
import type { CallResult } from "./traffic";

export interface Check {
  readonly ok: boolean;
  readonly claim: string;
  /** Both sides, as read. */
  readonly detail: string;
}

/** What happened on the stage, beside the figures. */
export interface Events {
  readonly calls: readonly CallResult[];
  /** The last balance that the subscription sent, as spent credit; null when it sent none. */
  readonly streamedSpentNano: bigint | null;
  readonly breachHeard: boolean;
  readonly month: Month | null;
}

/** Credit spent by startup, over what the facility released: who got the dollars. */
export interface Split {
  readonly releasedNanoUsd: bigint;
  readonly accruedNanoUsd: bigint;
  readonly spreadNanoUsd: bigint;
}

/** The release of each charge by the lot's multiplier; what the provider did not earn of it is the marketplace's spread. */
export function splitOf({ startups, providers, facility }: Figures): Split {
  const charges = startups.flatMap(({ usage }) => usage.map(({ chargeNano }) => chargeNano));
  const released = sum(charges.map((charge) => releasedNanoUsd(charge, facility.multiplierNano)));
  const accrued = sum(providers.map(({ accruedNanoUsd }) => accruedNanoUsd));
  return { releasedNanoUsd: released, accruedNanoUsd: accrued, spreadNanoUsd: released - accrued };
}

export function checksOf(figures: Figures, events: Events): Check[] {
  return [
    ...money(figures),
    ...traffic(figures, events),
    ...story(figures, events),
    ...(events.month === null ? [] : billed(figures, events.month)),
  ];
}

const equal = (claim: string, left: bigint | number, right: bigint | number, unit: string): Check => {
  const words = [left, right].map((side) => (typeof side === "bigint" ? shown(side) : `${side}`));
  return { ok: left === right, claim, detail: `${words.join(left === right ? " = " : " ≠ ")} ${unit}` };
};

function money({ startups, providers, facility }: Figures): Check[] {
  const charged = sum(startups.flatMap(({ usage }) => usage.map(({ chargeNano }) => chargeNano)));
  const spent = sum(startups.map(({ balance }) => balance.spentNano));
  const issued = sum(startups.map(({ balance }) => balance.issuedNano));
  const delivered = sum(providers.flatMap(({ deliveries }) => deliveries.map(({ accrualNanoUsd }) => accrualNanoUsd)));
  const accrued = sum(providers.map(({ accruedNanoUsd }) => accruedNanoUsd));
  const split = splitOf({ startups, providers, facility });
  const released = facility.fundedNanoUsd - facility.backingNanoUsd;
  return [
    equal("Σ charges of requests = Σ credit spent", charged, spent, "CRD"),
    ...startups.map(balances),
    equal("credit issued by the facility = credit in the wallets", facility.issuedNano, issued, "CRD"),
    equal("one credit lot per drawdown, though each was sent twice", facility.lots, startups.length, "lots"),
    equal("Σ accruals of deliveries = Σ accrued for payout", delivered, accrued, "USD"),
    {
      ...equal("backing released = Σ accruals + Σ spread", released, split.accruedNanoUsd + split.spreadNanoUsd, "USD"),
      ok: released === split.releasedNanoUsd && split.spreadNanoUsd >= 0n,
    },
  ];
}

const CENT_NANO_USD = 10_000_000n;

function billed({ providers }: Figures, { period, providers: months }: Month): Check[] {
  const accrued = sum(providers.map(({ accruedNanoUsd }) => accruedNanoUsd));
  const lines = sum(months.map(({ accrualLinesNanoUsd }) => accrualLinesNanoUsd));
  const stated = sum(months.map(({ totalNanoUsd }) => totalNanoUsd));
  const replayed = sum(months.map(({ replayedNanoUsd }) => replayedNanoUsd));
  const paid = sum(months.map(({ paidNanoUsd, carriedNanoUsd }) => paidNanoUsd + carriedNanoUsd));
  const done = months.filter(
    ({ payout, totalNanoUsd }) => payout === "SETTLED" || (payout === "CARRIED" && totalNanoUsd < CENT_NANO_USD),
  ).length;
  return [
    equal(`Σ accrual lines of the statements of ${period} = Σ accruals`, lines, accrued, "USD"),
    {
      ...equal("statements worked out again from usage and stored fixings = statements", replayed, stated, "USD"),
      ok: months.every(({ replayMatches }) => replayMatches) && replayed === stated,
    },
    equal("Σ paid by the bank + Σ carried over below a cent = Σ statements", paid, stated, "USD"),
    equal("one payout per provider, settled, or carried over below a cent", done, months.length, "payouts"),
  ];
}

function balances({ name, balance: { issuedNano, availableNano, heldNano, spentNano } }: StartupFigures): Check {
  return equal(`${name}: issued = available + held + spent`, issuedNano, availableNano + heldNano + spentNano, "CRD");
}

function traffic({ startups, providers }: Figures, { calls }: Events): Check[] {
  const served = calls.filter(({ outcome }) => outcome === "OK");
  const usage = startups.flatMap((startup) => startup.usage);
  const completed = usage.filter(({ outcome }) => outcome === "COMPLETED");
  const deliveries = providers.flatMap((provider) => provider.deliveries);
  const accruedRequests = providers.reduce((count, provider) => count + provider.accruedRequests, 0);
  const decided = new Map<string, number>();
  for (const { requestId } of startups.flatMap(({ decisions }) => decisions))
    decided.set(requestId, (decided.get(requestId) ?? 0) + 1);
  const explained = served.filter(({ requestId }) => requestId !== null && decided.get(requestId) === 1);
  return [
    equal("usage records = successful calls of the openai client", completed.length, served.length, "requests"),
    equal("deliveries of all providers = usage of all startups", deliveries.length, usage.length, "requests"),
    equal("requests in the accruals = deliveries", accruedRequests, deliveries.length, "requests"),
    equal("successful calls with exactly one routing decision", explained.length, served.length, "requests"),
  ];
}

function story({ startups }: Figures, { calls, streamedSpentNano, breachHeard }: Events): Check[] {
  const failed = calls.filter(({ outcome }) => outcome === "FAILED");
  const cut = calls.filter(({ outcome }) => outcome === "CUT");
  const rerouted = startups.flatMap(({ decisions }) => decisions).filter(({ outcome }) => outcome === "REROUTED");
  const reason = failed[0] === undefined ? "" : `, first: ${failed[0].problem}`;
  const cuts = cut.length === 0 ? "" : `; ${cut.length} streams cut after their first byte, counted apart`;
  return [
    {
      ok: failed.length === 0,
      claim: "no call failed although a provider died",
      detail: `${failed.length} of ${calls.length} failed${reason}${cuts}`,
    },
    {
      ok: rerouted.length > 0,
      claim: "requests of the dead provider were rerouted",
      detail: `${rerouted.length} REROUTED`,
    },
    {
      ok: breachHeard,
      claim: "its UPTIME breach reached it on the subscription",
      detail: breachHeard ? "OPENED" : "not heard",
    },
    {
      ok: streamedSpentNano !== null && streamedSpentNano === startups[0]?.balance.spentNano,
      claim: "the balance stream ends where the balance query stands",
      detail: streamedSpentNano === null ? "nothing heard" : `${shown(streamedSpentNano)} CRD spent`,
    },
  ];
}
