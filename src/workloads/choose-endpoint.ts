/** Which training endpoint gets a job: of those that can take it the cheapest that its credit may pay for, then the emptiest. */
import type { Quote } from "../pricing/quote";

/** An offering at a training endpoint, as routing reads it. */
export interface TrainingRoute {
  readonly endpointId: string;
  readonly providerId: string;
  readonly offeringId: string;
  readonly model: string;
  readonly accelerator: string;
  readonly region: string;
  readonly endpointState: string;
  readonly offeringState: string;
  readonly maxOutputTokens: number;
  readonly slots: number;
  readonly gpuCount: number;
  readonly listedGpus: number;
  readonly inMaintenance: boolean;
  readonly quote: Quote | null;
}

export interface PricedRoute extends TrainingRoute {
  readonly quote: Quote;
}

export interface Chosen {
  readonly route: PricedRoute;
  readonly priceNanoCredit: bigint;
}

export type JobRefusal =
  | "OFFERING_NOT_LIVE"
  | "ENDPOINT_NOT_LIVE"
  | "IN_MAINTENANCE"
  | "NO_CAPACITY_WINDOW"
  | "NOT_PRICED"
  | "SATURATED";

/** A slot of a training endpoint is one job at a time. */
export function refusalOfJob(route: TrainingRoute, openJobs: number): JobRefusal | null {
  if (route.offeringState !== "LIVE") return "OFFERING_NOT_LIVE";
  if (route.endpointState !== "LIVE") return "ENDPOINT_NOT_LIVE";
  if (route.inMaintenance) return "IN_MAINTENANCE";
  if (route.listedGpus <= 0) return "NO_CAPACITY_WINDOW";
  if (route.quote === null) return "NOT_PRICED";
  return openJobs >= route.slots ? "SATURATED" : null;
}

/**
 * One per accelerator, the cheapest first: what credit does not cover there it covers at no dearer one of the same kind.
 * `openJobs` counts by endpoint; `priceOf` is what the job is held for at that route.
 */
export function rankEndpoints(
  routes: readonly TrainingRoute[],
  openJobs: ReadonlyMap<string, number>,
  priceOf: (route: PricedRoute) => bigint,
): { readonly ranked: readonly Chosen[]; readonly reasons: readonly JobRefusal[] } {
  const reasons = new Set<JobRefusal>();
  const fit: Chosen[] = [];
  for (const route of routes) {
    const refusal = refusalOfJob(route, openJobs.get(route.endpointId) ?? 0);
    if (refusal !== null) reasons.add(refusal);
    else fit.push({ route: route as PricedRoute, priceNanoCredit: priceOf(route as PricedRoute) });
  }
  const load = ({ route }: Chosen) => (openJobs.get(route.endpointId) ?? 0) / route.slots;
  fit.sort((a, b) =>
    a.priceNanoCredit === b.priceNanoCredit ? load(a) - load(b) : a.priceNanoCredit < b.priceNanoCredit ? -1 : 1,
  );
  const first = new Map<string, Chosen>();
  for (const one of fit) if (!first.has(one.route.accelerator)) first.set(one.route.accelerator, one);
  return { ranked: [...first.values()], reasons: [...reasons] };
}
