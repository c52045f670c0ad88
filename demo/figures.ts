/** Every figure of the demo, read back through the public API as the one whom it concerns; nothing is counted locally. */
import {
  AccrualsDocument,
  CreditBalanceDocument,
  CreditLotsDocument,
  DeliveriesDocument,
  FacilitiesDocument,
  RoutingDecisionsDocument,
  type RoutingOutcome,
  SlaBreachesDocument,
  UsageDocument,
  type UsageOutcome,
} from "../codegen/generated/graphql";
import { nanoOf, sum } from "./exact";
import type { Participant, ProviderParticipant, World } from "./onboarding";
import { until } from "./wait";

export interface UsageFigures {
  readonly requestId: string;
  readonly outcome: UsageOutcome;
  readonly tokens: number;
  readonly chargeNano: bigint;
}

export interface Balance {
  readonly issuedNano: bigint;
  readonly availableNano: bigint;
  readonly heldNano: bigint;
  readonly spentNano: bigint;
}

export interface Decision {
  readonly requestId: string;
  readonly outcome: RoutingOutcome;
}

export interface StartupFigures {
  readonly name: string;
  readonly usage: readonly UsageFigures[];
  readonly decisions: readonly Decision[];
  readonly balance: Balance;
}

export interface ProviderFigures {
  readonly name: string;
  readonly deliveries: readonly {
    readonly requestId: string;
    readonly gpuNanos: bigint;
    readonly accrualNanoUsd: bigint;
  }[];
  /** By month, added up; and how many requests the months say they were earned with. */
  readonly accruedNanoUsd: bigint;
  readonly accruedRequests: number;
  readonly openBreaches: readonly string[];
}

export interface FacilityFigures {
  readonly multiplierNano: bigint;
  readonly drawnNanoUsd: bigint;
  readonly fundedNanoUsd: bigint;
  readonly backingNanoUsd: bigint;
  readonly issuedNano: bigint;
  readonly spentNano: bigint;
  readonly lots: number;
}

export interface Figures {
  readonly startups: readonly StartupFigures[];
  readonly providers: readonly ProviderFigures[];
  readonly facility: FacilityFigures;
}

const SETTLE_MS_MAX = 5_000;

/** Decisions are written behind the answers; waits until as many are there as calls were made, then reads all. */
export async function readFigures(world: World, facilityId: string, calls: number): Promise<Figures> {
  let startups: StartupFigures[] = [];
  await until(async () => {
    startups = await Promise.all(world.startups.map(readStartup));
    return startups.reduce((count, { decisions }) => count + decisions.length, 0) >= calls;
  }, SETTLE_MS_MAX);
  const [providers, facility] = await Promise.all([
    Promise.all(world.providers.map(readProvider)),
    readFacility(world.capitalPartner, facilityId),
  ]);
  return { startups, providers, facility };
}

async function readStartup({ name, api }: Participant): Promise<StartupFigures> {
  const [usage, decisions, { creditBalance }] = await Promise.all([
    api.all(UsageDocument, {}),
    api.all(RoutingDecisionsDocument, {}),
    api.ask(CreditBalanceDocument, {}),
  ]);
  return {
    name,
    usage: usage.map(({ requestId, outcome, promptTokens, completionTokens, charge }) => {
      return { requestId, outcome, tokens: promptTokens + completionTokens, chargeNano: nanoOf(charge.amount) };
    }),
    decisions: decisions.map(({ requestId, outcome }) => ({ requestId, outcome })),
    balance: {
      issuedNano: nanoOf(creditBalance.issued.amount),
      availableNano: nanoOf(creditBalance.available.amount),
      heldNano: nanoOf(creditBalance.held.amount),
      spentNano: nanoOf(creditBalance.spent.amount),
    },
  };
}

async function readProvider({ name, api }: ProviderParticipant): Promise<ProviderFigures> {
  const [deliveries, accruals, breaches] = await Promise.all([
    api.all(DeliveriesDocument, {}),
    api.all(AccrualsDocument, {}),
    api.all(SlaBreachesDocument, { filter: { open: true } }),
  ]);
  return {
    name,
    deliveries: deliveries.map(({ requestId, gpuSeconds, accrual }) => {
      return { requestId, gpuNanos: nanoOf(gpuSeconds), accrualNanoUsd: nanoOf(accrual.amount) };
    }),
    accruedNanoUsd: sum(accruals.map(({ accrued }) => nanoOf(accrued.amount))),
    accruedRequests: accruals.reduce((count, { requests }) => count + requests, 0),
    openBreaches: breaches.map(({ kind }) => kind),
  };
}

async function readFacility({ api }: Participant, facilityId: string): Promise<FacilityFigures> {
  const [facilities, lots] = await Promise.all([
    api.all(FacilitiesDocument, {}),
    api.all(CreditLotsDocument, { filter: { facilityId } }),
  ]);
  const found = facilities.find(({ id }) => id === facilityId);
  if (found === undefined) throw new Error("The facility of this demo is not among its capital partner's.");
  const { multiplier, drawn, balance } = found;
  return {
    multiplierNano: nanoOf(multiplier),
    drawnNanoUsd: nanoOf(drawn.amount),
    fundedNanoUsd: nanoOf(balance.funded.amount),
    backingNanoUsd: nanoOf(balance.backing.amount),
    issuedNano: nanoOf(balance.issued.amount),
    spentNano: nanoOf(balance.spent.amount),
    lots: lots.length,
  };
}
