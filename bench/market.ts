/** One provider, one startup, plenty of credit: the world in which the relay is measured. */
import type { Viewer } from "../src/accounts/viewer";
import type { Services } from "../src/services";

export interface Market {
  readonly apiKey: string;
  readonly endpointId: string;
}

const PLACE = { accelerator: "H100", region: "eu-central", zone: "eu-central-a" };

export async function openMarket(
  services: Services,
  provider: { url: string; caPem: string; model: string },
): Promise<Market> {
  const { accounts, catalog, capacity, funding, pricing, routing } = services;
  const operator = await viewerOf(services, (await accounts.bootstrapOperator("Bench operator")).secret);
  const organisation = (kind: "PROVIDER" | "STARTUP" | "CAPITAL_PARTNER") =>
    accounts.createOrganisation(operator, { kind, name: `Bench ${kind}` });
  const [seller, startup, partner] = [
    await organisation("PROVIDER"),
    await organisation("STARTUP"),
    await organisation("CAPITAL_PARTNER"),
  ];
  await pricing.recordSpotPrices(operator, [
    {
      accelerator: PLACE.accelerator,
      region: PLACE.region,
      source: "bench",
      priceNanoUsd: 2_500_000_000n,
      confidencePpm: 1_000_000n,
      observedAt: new Date(),
    },
  ]);
  const endpoint = await catalog.registerEndpoint(operator, {
    ...PLACE,
    providerId: seller.id,
    name: "bench",
    kind: "INFERENCE",
    tenancy: "SHARED",
    baseUrl: provider.url,
    caPem: provider.caPem,
    gpuCount: 8,
    slots: 4_096,
    slaTier: "STANDARD",
  });
  const offering = await catalog.publishOffering(operator, {
    endpointId: endpoint.id,
    model: provider.model,
    upstreamModel: provider.model,
    architecture: "transformer",
    contextLength: 131_072,
    maxOutputTokens: 8_192,
    prefillTokensPerGpuSecond: 20_000,
    decodeTokensPerGpuSecond: 2_500,
  });
  await capacity.openWindow(operator, {
    ...PLACE,
    providerId: seller.id,
    kind: "BASELINE",
    gpuCount: 8,
    startsAt: new Date(Date.now() - 60_000),
  });
  await catalog.moveEndpoint(operator, endpoint.id, "LIVE");
  await catalog.moveOffering(operator, offering.id, "LIVE");
  const facility = await funding.openFacility(operator, {
    capitalPartnerId: partner.id,
    name: "bench",
    limitNanoUsd: 10n ** 16n,
    multiplierPpm: 1_500_000n,
  });
  await funding.draw(operator, { facilityId: facility.id, startupId: startup.id, amountNanoUsd: 10n ** 15n }, "bench");
  const { secret } = await accounts.createApiKey(operator, {
    organisationId: startup.id,
    name: "bench",
    scopes: ["INFER"],
  });
  await routing.refresh();
  return { apiKey: secret, endpointId: endpoint.id };
}

export async function viewerOf(services: Services, secret: string): Promise<Viewer> {
  const viewer = await services.accounts.authenticate(secret);
  if (viewer === null) throw new Error("the operator's new key is not accepted");
  return viewer;
}
