/** What routing knows of the supply: every offering with its endpoint, capacity now and price terms, read in one go. */
import type { CapacityWindow, CapacityWindow as CapacityWindowTable } from "../../entities/capacity-window";
import type { Fixing } from "../../entities/fixing";
import type { EndpointKind, SlaTierCode } from "../../schema/enums";
import { inMaintenance, listedGpus } from "../capacity/window-rules";
import type { Database } from "../platform/database";
import type { Quote } from "../pricing/quote";
import type { RateCard } from "../pricing/rate-card";
import { pricePerMillionTokens } from "../pricing/token-price";
import type { UpstreamEndpoint } from "../upstreams/upstreams";
import { type Candidate, type LiveState, newLiveState } from "./candidate";

/** A candidate with all that an attempt at it needs. `quote` is null when its place has no fixing. */
export interface Route extends Candidate {
  readonly upstream: UpstreamEndpoint;
  readonly upstreamModel: string;
  readonly architecture: string;
  readonly offeredAt: Date;
  readonly gpuCount: number;
  readonly quote: Quote | null;
}

export interface Supply {
  readonly byModel: ReadonlyMap<string, readonly Route[]>;
  readonly routes: readonly Route[];
}

interface OfferingRow {
  offering_id: string;
  model: string;
  upstream_model: string;
  architecture: string;
  context_length: number;
  max_output_tokens: number;
  prefill: number;
  decode: number;
  offering_state: string;
  offered_at: Date;
  endpoint_id: string;
  provider_id: string;
  base_url: string;
  ca_pem: string;
  accelerator: string;
  region: string;
  zone: string;
  gpu_count: number;
  slots: number;
  sla_tier: SlaTierCode;
  endpoint_state: string;
}

const offerings = {
  name: "routing-offerings",
  text: `SELECT o.id AS offering_id, o.model, o.upstream_model, o.architecture, o.context_length, o.max_output_tokens,
                o.prefill_tokens_per_gpu_second AS prefill, o.decode_tokens_per_gpu_second AS decode, o.state AS offering_state, o.created_at AS offered_at,
                e.id AS endpoint_id, e.provider_id, e.base_url, e.ca_pem, e.accelerator, e.region, e.zone, e.gpu_count, e.slots,
                e.sla_tier, e.state AS endpoint_state
           FROM offering o JOIN endpoint e ON e.id = o.endpoint_id
          WHERE o.state <> 'WITHDRAWN' AND e.state <> 'RETIRED' AND e.kind = $1
          ORDER BY o.id`,
};

/** Everything as of `at`. `live` is kept from one reading to the next: what was learnt about an endpoint outlives a reload. */
export async function readSupply(
  db: Database,
  terms: {
    windows: readonly CapacityWindow[];
    fixings: readonly Fixing[];
    cardOf: (providerId: string) => RateCard;
    at: Date;
  },
  live: Map<string, LiveState>,
  kind: EndpointKind = "INFERENCE",
): Promise<Supply> {
  const rows = await db.query<OfferingRow>(offerings, [kind]);
  const fixings = new Map(terms.fixings.map((fixing) => [`${fixing.accelerator}|${fixing.region}`, fixing]));
  const routes = rows.map((row) => routeOf(row, fixings.get(`${row.accelerator}|${row.region}`), terms, live));
  const byModel = new Map<string, Route[]>();
  for (const route of routes) {
    const group = byModel.get(route.model);
    if (group === undefined) byModel.set(route.model, [route]);
    else group.push(route);
  }
  for (const group of byModel.values()) setCostFactors(group);
  forgetRetired(live, routes);
  return { byModel, routes };
}

function routeOf(
  row: OfferingRow,
  fixing: Fixing | undefined,
  terms: { windows: readonly CapacityWindowTable[]; cardOf: (providerId: string) => RateCard; at: Date },
  live: Map<string, LiveState>,
): Route {
  const place = { providerId: row.provider_id, accelerator: row.accelerator, region: row.region, zone: row.zone };
  let state = live.get(row.endpoint_id);
  if (state === undefined) {
    state = newLiveState();
    live.set(row.endpoint_id, state);
  }
  return {
    endpointId: row.endpoint_id,
    providerId: row.provider_id,
    offeringId: row.offering_id,
    model: row.model,
    upstreamModel: row.upstream_model,
    architecture: row.architecture,
    offeredAt: row.offered_at,
    accelerator: row.accelerator,
    region: row.region,
    zone: row.zone,
    slaTier: row.sla_tier,
    endpointState: row.endpoint_state,
    offeringState: row.offering_state,
    contextLength: row.context_length,
    maxOutputTokens: row.max_output_tokens,
    slots: row.slots,
    gpuCount: row.gpu_count,
    listedGpus: listedGpus(terms.windows, place, terms.at),
    inMaintenance: inMaintenance(terms.windows, place, terms.at),
    priced: fixing !== undefined,
    costFactor: 1,
    live: state,
    upstream: { id: row.endpoint_id, baseUrl: row.base_url, caPem: row.ca_pem },
    quote:
      fixing === undefined
        ? null
        : {
            fixingId: fixing.id,
            fixingNanoUsdPerGpuHour: fixing.priceNanoUsd,
            throughput: { prefillTokensPerGpuSecond: row.prefill, decodeTokensPerGpuSecond: row.decode },
            card: terms.cardOf(row.provider_id),
          },
  };
}

/** Endpoints that are gone and have nothing in flight. */
function forgetRetired(live: Map<string, LiveState>, routes: readonly Route[]): void {
  const known = new Set(routes.map((route) => route.endpointId));
  for (const [endpointId, { inFlight }] of live) if (inFlight === 0 && !known.has(endpointId)) live.delete(endpointId);
}

/** Relative price of a million output tokens among the offerings of one model; the cheapest is 1. */
function setCostFactors(group: Route[]): void {
  const prices = group.map((route) =>
    route.quote === null
      ? null
      : Number(
          pricePerMillionTokens(route.quote.throughput, route.quote.fixingNanoUsdPerGpuHour, route.quote.card)
            .completionNanoCredit,
        ),
  );
  const cheapest = Math.min(...prices.filter((price): price is number => price !== null && price > 0));
  group.forEach((route, index) => {
    const price = prices[index];
    if (price != null && price > 0) route.costFactor = price / cheapest;
  });
}
