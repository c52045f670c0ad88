/** Brings everybody on board through the public API: organisations, keys, prices, endpoints, models, capacity, credit. */
import { randomBytes, randomUUID } from "node:crypto";
import {
  ApiKeyCreateDocument,
  type ApiKeyScope,
  CapacityWindowOpenDocument,
  DrawdownCreateDocument,
  EndpointMoveDocument,
  EndpointRegisterDocument,
  EndpointsDocument,
  FacilityOpenDocument,
  OfferingMoveDocument,
  OfferingPublishDocument,
  OrganisationCreateDocument,
  type OrganisationCreateInput,
  PayoutAccountConfirmDocument,
  PayoutAccountProposeDocument,
  SpotPricesRecordDocument,
} from "../codegen/generated/graphql";
import { capitalPartner, type DemoProvider, facility, providers, simulatedModels, spotPrices, startups } from "./cast";
import { GraphqlClient } from "./graphql-client";
import type { Marketplace, ServerIdentity } from "./host";
import { MarketTime } from "./market-time";
import { ProviderProcess } from "./provider-process";

export interface Participant {
  /** Without the mark of this run. */
  readonly name: string;
  readonly id: string;
  readonly key: string;
  readonly api: GraphqlClient;
}

export interface ProviderParticipant extends Participant {
  readonly script: DemoProvider;
  readonly process: ProviderProcess;
  readonly identity: ServerIdentity;
}

export interface World {
  readonly marketplace: Marketplace;
  readonly operator: GraphqlClient;
  readonly providers: readonly ProviderParticipant[];
  readonly startups: readonly Participant[];
  readonly capitalPartner: Participant;
  readonly time: MarketTime;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Stands behind the name of every organisation of a demo; by it a later demo knows endpoints that nobody serves any more. */
const MARK = / \(demo [0-9a-f]{6}\)$/;
const LOOPBACK = "https://127.0.0.1:";

/** Providers of earlier demos are gone: without this their endpoints would be tried. Returns how many were retired. */
export async function retireEarlierEndpoints(operator: GraphqlClient): Promise<number> {
  const all = await operator.all(EndpointsDocument, {});
  const stale = all.filter(
    ({ state, baseUrl, provider }) => state !== "RETIRED" && MARK.test(provider.name) && baseUrl.startsWith(LOOPBACK),
  );
  for (const { id, state } of stale) {
    if (state === "LIVE") await operator.act(EndpointMoveDocument, { input: { id, to: "DRAINING" } });
    await operator.act(EndpointMoveDocument, { input: { id, to: "RETIRED" } });
  }
  return stale.length;
}

/** Organisations and their keys, and the simulated providers' processes. `began` hears of each process before it can leak. */
export async function createParticipants(
  marketplace: Marketplace,
  operator: GraphqlClient,
  began: (process: ProviderProcess) => void,
): Promise<World> {
  const mark = `(demo ${randomBytes(3).toString("hex")})`;
  const join = async ({ name, ...who }: OrganisationCreateInput, scopes: ApiKeyScope[]): Promise<Participant> => {
    const { organisation } = await operator.act(OrganisationCreateDocument, {
      input: { ...who, name: `${name} ${mark}` },
    });
    const { secret } = await operator.act(ApiKeyCreateDocument, {
      input: { organisationId: organisation.id, name: "demo", scopes },
    });
    return { name, id: organisation.id, key: secret, api: new GraphqlClient(`${marketplace.apiUrl}/graphql`, secret) };
  };
  const joinProvider = async (script: DemoProvider): Promise<ProviderParticipant> => {
    const identity = await marketplace.newServerIdentity(script.name);
    const process = new ProviderProcess(marketplace.providerProgram, {
      ...marketplace,
      tls: identity.tls,
      models: simulatedModels(script),
    });
    began(process);
    const [participant] = await Promise.all([
      join({ kind: "PROVIDER", name: script.name }, ["READ", "WRITE"]),
      process.start(),
    ]);
    return { ...participant, script, identity, process };
  };
  const [time, partner, joinedProviders, joinedStartups] = await Promise.all([
    MarketTime.read(operator),
    join({ kind: "CAPITAL_PARTNER", name: capitalPartner }, ["READ", "WRITE"]),
    Promise.all(providers.map(joinProvider)),
    Promise.all(startups.map((startup) => join({ kind: "STARTUP", ...startup }, ["READ", "WRITE", "INFER"]))),
  ]);
  return { marketplace, operator, providers: joinedProviders, startups: joinedStartups, capitalPartner: partner, time };
}

export async function recordSpotPrices({ operator, time }: World): Promise<void> {
  const observedAt = new Date(time.nowMs()).toISOString();
  const observations = spotPrices.flatMap(({ accelerator, region, prices }) =>
    prices.map((price, index) => ({
      accelerator,
      region,
      price,
      source: `simulated-${index + 1}`,
      confidence: "0.9",
      observedAt,
    })),
  );
  await operator.act(SpotPricesRecordDocument, { input: { observations } });
}

/** Endpoint, models and capacity by the provider; the operator sets them live. */
export async function list({ operator, time }: World, provider: ProviderParticipant): Promise<void> {
  const { api, script, process, identity } = provider;
  const { accelerator, region, zone, gpuCount, slots, slaTier } = script;
  const { endpoint } = await api.act(EndpointRegisterDocument, {
    input: {
      ...{ accelerator, region, zone, gpuCount, slots, slaTier },
      name: `${script.name} ${zone}`,
      kind: "INFERENCE",
      tenancy: "SHARED",
      baseUrl: process.url,
      caPem: identity.caPem,
    },
  });
  await process.tellAudience(endpoint.relayAudience);
  for (const offered of script.offerings) {
    const { offering } = await api.act(OfferingPublishDocument, {
      input: { endpointId: endpoint.id, upstreamModel: offered.model, ...offered },
    });
    await operator.act(OfferingMoveDocument, { input: { id: offering.id, to: "LIVE" } });
  }
  await openWindows(provider, time.nowMs());
  await openAccount(operator, provider);
  await operator.act(EndpointMoveDocument, { input: { id: endpoint.id, to: "LIVE" } });
}

/** Three quarters committed, a quarter on top for a day, and an hour of planned downtime tomorrow. */
async function openWindows(
  { api, script: { accelerator, region, zone, gpuCount } }: ProviderParticipant,
  now: number,
): Promise<void> {
  const burst = Math.floor(gpuCount / 4);
  const at = (ms: number) => new Date(now + ms).toISOString();
  const place = { accelerator, region, zone };
  const windows = [
    { ...place, kind: "BASELINE" as const, gpuCount: gpuCount - burst, startsAt: at(-MINUTE_MS) },
    { ...place, kind: "BURST" as const, gpuCount: burst, startsAt: at(-MINUTE_MS), endsAt: at(24 * HOUR_MS) },
    { ...place, kind: "MAINTENANCE" as const, gpuCount, startsAt: at(26 * HOUR_MS), endsAt: at(27 * HOUR_MS) },
  ];
  for (const input of windows) await api.act(CapacityWindowOpenDocument, { input });
}

/** Two must agree on where a provider is paid; of its first account the operator may be the second. */
async function openAccount(operator: GraphqlClient, { api, script, name }: ProviderParticipant): Promise<void> {
  const { payoutAccount } = await api.act(PayoutAccountProposeDocument, { input: { holder: name, ...script.account } });
  await operator.act(PayoutAccountConfirmDocument, { input: { id: payoutAccount.id } });
}

/** Returns the facility's id. */
export async function fund({ capitalPartner: partner, startups: funded }: World): Promise<string> {
  const { name, limit, multiplier, drawdown: amount } = facility;
  const { facility: opened } = await partner.api.act(FacilityOpenDocument, { input: { name, limit, multiplier } });
  for (const startup of funded) {
    const draw = { input: { facilityId: opened.id, startupId: startup.id, amount }, idempotencyKey: randomUUID() };
    await partner.api.act(DrawdownCreateDocument, draw);
    // As a client does whose first answer was lost: the same key draws nothing again, and the figures below would show it.
    await partner.api.act(DrawdownCreateDocument, draw);
  }
  return opened.id;
}
