/** The marketplace through its contract: what each party can do, what it is told when it cannot, and what it never sees. */
import {
  AccrualsDocument,
  ApiKeyCreateDocument,
  ApiKeyRevokeDocument,
  ApiKeysDocument,
  CapacityWindowCancelDocument,
  CapacityWindowOpenDocument,
  CapacityWindowsDocument,
  CreditBalanceDocument,
  CreditLotsDocument,
  DeliveriesDocument,
  DrawdownCreateDocument,
  EndpointMoveDocument,
  EndpointRegisterDocument,
  EndpointsDocument,
  FacilitiesDocument,
  FacilityOpenDocument,
  FixingsDocument,
  MemberAddDocument,
  NodeDocument,
  NodesDocument,
  OfferingMoveDocument,
  OfferingPublishDocument,
  OfferingsDocument,
  OrganisationCreateDocument,
  OrganisationsDocument,
  ProvidersDocument,
  RevenueEstimateDocument,
  RoutingCandidaciesDocument,
  RoutingDecisionsDocument,
  SlaBreachesDocument,
  SpotPricesRecordDocument,
  UsageDocument,
  ViewerDocument,
} from "../../codegen/generated/graphql";
import { encodeId } from "../../schema/node";
import { anEndpoint, anOffering } from "../catalog/an-endpoint";
import { apiClient } from "../support/api-client";
import { openApi, opened, type Party, registered, type TestApi } from "./an-api";
import { aDecision, aUsage, type Served } from "./records";
import { startupFields } from "./startup-fields";

let api: TestApi;
let north: Party;
let south: Party;
let startup: Party;
let partner: Party;
let northEndpoint: string;
let southEndpoint: string;
let offering: string;
let fixing: string;

beforeAll(async () => {
  api = await openApi();
  [north, south, startup, partner] = await Promise.all([
    api.a("PROVIDER", "North Compute"),
    api.a("PROVIDER", "South Compute"),
    api.a("STARTUP", "Firefly"),
    api.a("CAPITAL_PARTNER", "Meadow Capital"),
  ]);
  northEndpoint = await registered(north, "North one");
  southEndpoint = await registered(south, "South one");
  const input = { ...anOffering(""), endpointId: northEndpoint };
  offering = (await north.read(OfferingPublishDocument, { input })).offeringPublish.offering!.id;
  const observation = {
    accelerator: "H100",
    region: "eu-north",
    source: "desk",
    price: "2.5",
    confidence: "0.9",
    observedAt: new Date().toISOString(),
  };
  const recorded = await api.operator.read(SpotPricesRecordDocument, { input: { observations: [observation] } });
  fixing = recorded.spotPricesRecord.fixings![0]!.id;
});
afterAll(() => api.close());

const served = (provider: Party, endpoint: string): Served => ({
  startup: startup.id,
  provider: provider.id,
  endpoint,
  offering,
  fixing,
});

describe("lists", () => {
  it("go forward and back by cursors without loss or repeat, and say what is behind them", async () => {
    const { organisations } = await api.operator.read(OrganisationsDocument, { first: 100 });
    const all = organisations.edges.map(({ node }) => node.id);
    expect(all).toHaveLength(5);
    const forward: string[] = [];
    let after: string | null = null;
    do {
      const page: typeof organisations = (await api.operator.read(OrganisationsDocument, { first: 2, after }))
        .organisations;
      expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
      forward.push(...page.edges.map(({ node }) => node.id));
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after !== null);
    expect(forward).toEqual(all);
    const back: string[] = [];
    let before: string | null = null;
    do {
      const page: typeof organisations = (await api.operator.read(OrganisationsDocument, { last: 2, before }))
        .organisations;
      back.unshift(...page.edges.map(({ node }) => node.id));
      before = page.pageInfo.hasPreviousPage ? page.pageInfo.startCursor : null;
    } while (before !== null);
    expect(back).toEqual(all);
  });

  it("count what they have on all pages, of what the asker may see and the filter lets through", async () => {
    const count = async (by: Party, list: string) => {
      const { data } = await by.text(`{ ${list} { nodes { id } totalCount { count precision } } }`);
      return (Object.values(data!)[0] as { totalCount: unknown }).totalCount;
    };
    const exactly = (number: number) => ({ count: number, precision: "EXACT" });
    expect(await count(api.operator, "organisations(first: 2)")).toEqual(exactly(5));
    expect(await count(api.operator, "organisations(first: 1, filter: { kind: PROVIDER })")).toEqual(exactly(2));
    expect(await count(north, "endpoints(last: 1)")).toEqual(exactly(1));
    expect(await count(startup, "ledgerAccounts(first: 1)")).toEqual(exactly(0));
  });

  it("narrow by what the filter says", async () => {
    const { organisations } = await api.operator.read(OrganisationsDocument, { filter: { kind: "PROVIDER" } });
    expect(organisations.edges.map(({ node }) => node.name).toSorted()).toEqual(["North Compute", "South Compute"]);
    const { offerings } = await api.operator.read(OfferingsDocument, { filter: { providerId: south.id } });
    expect(offerings.nodes).toEqual([]);
  });

  it("join objects without a statement per row", async () => {
    const byIds = jest.spyOn(api.services.accounts, "organisationsByIds");
    const { endpoints } = await api.operator.read(EndpointsDocument, {});
    expect(
      endpoints.edges.map(({ node }) => [node.name, node.provider.name, node.accelerator.code, node.slaTier.code]),
    ).toEqual([
      ["South one", "South Compute", "H100", "STANDARD"],
      ["North one", "North Compute", "H100", "STANDARD"],
    ]);
    expect(byIds).toHaveBeenCalledTimes(1);
    byIds.mockRestore();
    const { providers } = await api.operator.read(ProvidersDocument, {});
    expect(
      providers.nodes.map(({ name, endpoints }) => [name, endpoints.map((endpoint) => endpoint.name)]),
    ).toContainEqual(["North Compute", ["North one"]]);
  });
});

describe("mutations", () => {
  it("answer a refusal that the caller can act on as userErrors with the argument at fault", async () => {
    const input = { ...(await anEndpoint()), providerId: null };
    const slots = await north.read(EndpointRegisterDocument, { input: { ...input, slots: 0 } });
    expect(slots.endpointRegister).toEqual({
      endpoint: null,
      userErrors: [{ code: "BAD_USER_INPUT", field: ["input", "slots"], message: expect.any(String) }],
    });
    const refused = await north.read(EndpointRegisterDocument, { input: { ...input, baseUrl: "http://10.0.0.1/v1" } });
    expect(refused.endpointRegister.userErrors).toEqual([
      { code: "UPSTREAM_URL_REFUSED", field: ["input", "baseUrl"], message: expect.any(String) },
    ]);
    await north.read(EndpointRegisterDocument, { input });
    const again = await south.read(EndpointRegisterDocument, { input });
    expect(again.endpointRegister.userErrors[0]!.code).toBe("ALREADY_EXISTS");
    const malformed = await north.read(EndpointMoveDocument, { input: { id: offering, to: "DRAINING" } });
    expect(malformed.endpointMove.userErrors).toEqual([
      { code: "BAD_USER_INPUT", field: ["input", "id"], message: expect.any(String) },
    ]);
  });

  it("keep a missing right out of userErrors: it is an error of the request", async () => {
    const { data, errors } = await startup.ask(OrganisationCreateDocument, {
      input: { kind: "STARTUP", name: "Mine" },
    });
    expect([data, errors![0]!.extensions.code]).toEqual([null, "FORBIDDEN"]);
    expect(
      await apiClient(api.url).codes(MemberAddDocument, {
        input: { email: "a@b.example", displayName: "A", role: "VIEWER" },
      }),
    ).toEqual(["UNAUTHENTICATED"]);
  });

  it("move endpoints and offerings by the table of states, and only from the version that was read", async () => {
    const early = await north.ask(EndpointMoveDocument, { input: { id: northEndpoint, to: "LIVE" } });
    expect([early.errors?.[0]?.extensions.code ?? early.data!.endpointMove.userErrors[0]!.code]).toEqual([
      expect.stringMatching(/FORBIDDEN|STATE_CONFLICT/),
    ]);
    const live = await api.operator.read(EndpointMoveDocument, {
      input: { id: northEndpoint, to: "LIVE", expectedVersion: 1 },
    });
    expect(live.endpointMove.endpoint).toEqual({ id: northEndpoint, state: "LIVE", version: 2 });
    const stale = await north.read(EndpointMoveDocument, {
      input: { id: northEndpoint, to: "DRAINING", expectedVersion: 1 },
    });
    expect(stale.endpointMove.userErrors[0]!.code).toBe("VERSION_CONFLICT");
    const foreign = await south.read(EndpointMoveDocument, { input: { id: northEndpoint, to: "DRAINING" } });
    expect(foreign.endpointMove.userErrors[0]!.code).toBe("NOT_FOUND");
    const published = await api.operator.read(OfferingMoveDocument, { input: { id: offering, to: "LIVE" } });
    expect(published.offeringMove.offering?.state).toBe("LIVE");
  });

  it("open and cancel capacity windows", async () => {
    const place = {
      accelerator: "H100",
      region: "eu-north",
      zone: "eu-north-a",
      gpuCount: 8,
      startsAt: new Date().toISOString(),
    };
    const endless = await north.read(CapacityWindowOpenDocument, { input: { ...place, kind: "MAINTENANCE" } });
    expect(endless.capacityWindowOpen.userErrors[0]!.field).toEqual(["input", "endsAt"]);
    const open = await north.read(CapacityWindowOpenDocument, { input: { ...place, kind: "BASELINE" } });
    const { id } = open.capacityWindowOpen.capacityWindow!;
    const { capacityWindows } = await north.read(CapacityWindowsDocument, { filter: { kind: "BASELINE" } });
    expect(capacityWindows.nodes.map((window) => [window.id, window.provider.name, window.accelerator.code])).toEqual([
      [id, "North Compute", "H100"],
    ]);
    expect((await south.read(CapacityWindowsDocument, {})).capacityWindows.nodes).toEqual([]);
    const cancelled = await north.read(CapacityWindowCancelDocument, { input: { id } });
    expect(cancelled.capacityWindowCancel.capacityWindow?.cancelledAt).not.toBeNull();
  });

  it("show an API key's secret once, and end it when it is revoked", async () => {
    const made = await startup.read(ApiKeyCreateDocument, { input: { name: "second", scopes: ["READ"] } });
    const { apiKey, secret } = made.apiKeyCreate;
    expect(secret).toMatch(/^exg_/);
    expect(apiKey!.prefix).toBe(secret!.slice(0, 12));
    const listed = await startup.ask(ApiKeysDocument, {});
    expect(JSON.stringify(listed.data)).not.toContain(secret);
    const holder = apiClient(api.url, secret!);
    expect((await holder.read(ViewerDocument)).viewer?.organisation.id).toBe(startup.id);
    expect(await north.read(ApiKeyRevokeDocument, { input: { id: apiKey!.id } })).toMatchObject({
      apiKeyRevoke: { userErrors: [{ code: "NOT_FOUND" }] },
    });
    await startup.read(ApiKeyRevokeDocument, { input: { id: apiKey!.id } });
    expect((await holder.ask(ViewerDocument)).status).toBe(401);
  });

  it("add members, each address once", async () => {
    const input = { email: "Ada@Firefly.example", displayName: "Ada", role: "OWNER" as const };
    expect((await startup.read(MemberAddDocument, { input })).memberAdd.member).toMatchObject({
      email: "ada@firefly.example",
      role: "OWNER",
    });
    expect((await startup.read(MemberAddDocument, { input })).memberAdd.userErrors[0]).toMatchObject({
      code: "ALREADY_EXISTS",
      field: ["input", "email"],
    });
  });
});

describe("money", () => {
  it("turns dollars into credit at the facility's multiplier, exactly, once per key", async () => {
    const facilityId = await opened(partner, "1000");
    const input = { facilityId, startupId: startup.id, amount: "100.000000001" };
    const first = await partner.read(DrawdownCreateDocument, { input, idempotencyKey: "draw-1" });
    expect(first.drawdownCreate.userErrors).toEqual([]);
    expect(first.drawdownCreate.creditLot!.issued).toEqual({ amount: "135.000000001", currency: "CRD" });
    expect(first.drawdownCreate.drawdown!.facility.drawn).toEqual({ amount: "100.000000001", currency: "USD" });
    const replay = await partner.read(DrawdownCreateDocument, { input, idempotencyKey: "draw-1" });
    expect(replay.drawdownCreate.creditLot).toEqual(first.drawdownCreate.creditLot);
    const { creditBalance } = await startup.read(CreditBalanceDocument);
    expect(creditBalance).toMatchObject({
      issued: { amount: "135.000000001" },
      available: { amount: "135.000000001" },
      held: { amount: "0" },
      spent: { amount: "0" },
    });
    const other = await partner.read(DrawdownCreateDocument, {
      input: { ...input, amount: "1" },
      idempotencyKey: "draw-1",
    });
    expect(other.drawdownCreate.userErrors[0]!.code).toBe("IDEMPOTENCY_KEY_REUSED");
    const { facilities } = await partner.read(FacilitiesDocument, {});
    expect(facilities.nodes[0]!.balance).toMatchObject({
      funded: { amount: "100.000000001", currency: "USD" },
      issued: { amount: "135.000000001", currency: "CRD" },
    });
    const { creditLots } = await partner.read(CreditLotsDocument, {});
    expect(creditLots.nodes.map((lot) => [lot.startup.name, lot.facility?.id])).toEqual([["Firefly", facilityId]]);
    expect((await startup.read(CreditLotsDocument, {})).creditLots.nodes[0]).toMatchObject({
      facility: null,
      multiplier: "1.35",
    });
  });

  it("does not move without a key, beyond the limit, or in words that are no amount", async () => {
    const facilityId = await opened(partner, "10");
    const input = { facilityId, startupId: startup.id, amount: "1" };
    const bare = await partner.text(
      "mutation ($input: DrawdownCreateInput!) { drawdownCreate(input: $input) { creditLot { id } userErrors { code } } }",
      { input },
    );
    expect(bare.data).toEqual({
      drawdownCreate: { creditLot: null, userErrors: [{ code: "IDEMPOTENCY_KEY_REQUIRED" }] },
    });
    const draw = async (changes: object, idempotencyKey: string) =>
      (await partner.read(DrawdownCreateDocument, { input: { ...input, ...changes }, idempotencyKey })).drawdownCreate
        .userErrors[0];
    expect(await draw({ amount: "10.01" }, "over")).toMatchObject({ code: "FACILITY_LIMIT_EXCEEDED" });
    expect(await draw({ amount: "0.0000000001" }, "fine")).toMatchObject({
      code: "BAD_USER_INPUT",
      field: ["input", "amount"],
    });
    expect(await draw({ startupId: north.id }, "whom")).toMatchObject({
      code: "BAD_USER_INPUT",
      field: ["input", "startupId"],
    });
    expect(await draw({ startupId: encodeId("Startup", north.uuid) }, "disguised")).toMatchObject({
      code: "NOT_FOUND",
    });
    const { errors } = await partner.ask(DrawdownCreateDocument, {
      input: { ...input, amount: "1e3" },
      idempotencyKey: "words",
    });
    expect(errors![0]!.extensions.code).toBe("BAD_USER_INPUT");
    const usury = await partner.read(FacilityOpenDocument, {
      input: { name: "Too good", limit: "10", multiplier: "1.51" },
    });
    expect(usury.facilityOpen.userErrors[0]).toMatchObject({ code: "MULTIPLIER_OUT_OF_BOUNDS" });
  });

  it("estimates a provider's month from the fixing, in public", async () => {
    const anyone = apiClient(api.url);
    const { revenueEstimate } = await anyone.read(RevenueEstimateDocument, {
      input: { accelerator: "H100", region: "eu-north", monthlyGpuHours: 20_000 },
    });
    expect(revenueEstimate).toMatchObject({
      spotPricePerGpuHour: { amount: "2.5", currency: "USD" },
      effectivePricePerGpuHour: { amount: "2.1675", currency: "USD" },
      monthlyRevenue: { amount: "43350", currency: "USD" },
      tier: { position: 2, share: "0.867" },
      lines: [{ gpuHours: "20000", amount: { amount: "43350" } }],
    });
    expect(await anyone.codes(RevenueEstimateDocument, { input: { accelerator: "A100", monthlyGpuHours: 1 } })).toEqual(
      ["NOT_FOUND"],
    );
    const { fixings } = await startup.read(FixingsDocument, {});
    expect(fixings.nodes[0]).toMatchObject({
      price: { amount: "2.5" },
      accelerator: { code: "H100" },
      observationCount: 1,
    });
  });

  it("names the observation that a spot price was refused for", async () => {
    const good = {
      accelerator: "H100",
      region: "eu-west",
      source: "desk",
      price: "2",
      confidence: "1",
      observedAt: new Date().toISOString(),
    };
    const { spotPricesRecord } = await api.operator.read(SpotPricesRecordDocument, {
      input: { observations: [good, { ...good, confidence: "0.1234567" }] },
    });
    expect(spotPricesRecord).toMatchObject({
      fixings: null,
      userErrors: [{ code: "BAD_USER_INPUT", field: ["input", "observations", "1", "confidence"] }],
    });
  });
});

describe("one request, told to each side", () => {
  let requestId: string;
  beforeAll(async () => {
    await aDecision(api, startup.id, [served(south, southEndpoint), served(north, northEndpoint)]);
    requestId = await aUsage(api, served(north, northEndpoint));
    await aUsage(api, { ...served(south, southEndpoint), model: "other" });
  });

  it("as usage to the startup: what it was charged for, not who served it", async () => {
    const { usage } = await startup.read(UsageDocument, { filter: { model: "llama-3.1-8b" } });
    expect(usage.edges.map(({ node }) => node)).toEqual([
      {
        id: encodeId("Usage", requestId),
        requestId,
        model: "llama-3.1-8b",
        outcome: "COMPLETED",
        promptTokens: 12,
        completionTokens: 34,
        gpuSeconds: "1.5",
        region: "eu-north",
        attempts: 2,
        streamed: true,
        ttftMs: 87,
        durationMs: 900,
        completedAt: "2026-01-15T12:00:00.000Z",
        charge: { amount: "0.002", currency: "CRD" },
        accelerator: { code: "H100" },
      },
    ]);
    expect(await north.codes(UsageDocument, {})).toEqual(["FORBIDDEN"]);
    expect((await api.operator.read(UsageDocument, { filter: { startupId: startup.id } })).usage.edges).toHaveLength(2);
  });

  it("as a delivery to the provider: what it earned, not whom it served", async () => {
    const { deliveries } = await north.read(DeliveriesDocument, {});
    expect(deliveries.edges.map(({ node }) => node)).toEqual([
      expect.objectContaining({
        requestId,
        gpuSeconds: "1.5",
        share: "0.85",
        accrual: { amount: "0.00085", currency: "USD" },
        endpoint: expect.objectContaining({ id: northEndpoint }),
        offering: expect.objectContaining({ id: offering }),
        fixing: expect.objectContaining({ id: fixing, price: { amount: "2.5", currency: "USD" } }),
      }),
    ]);
    expect(JSON.stringify(deliveries)).not.toMatch(/Firefly/);
    expect(await startup.codes(DeliveriesDocument, {})).toEqual(["FORBIDDEN"]);
  });

  it("as a decision to the startup, and as its own part to each provider", async () => {
    const { routingDecisions } = await startup.read(RoutingDecisionsDocument, {});
    expect(routingDecisions.nodes[0]).toMatchObject({
      outcome: "REROUTED",
      candidateCount: 2,
      refusals: [{ reason: "SATURATED", count: 1 }],
      attempts: [
        { position: 1, result: "STATUS_5XX", durationMs: 40 },
        { position: 2, result: "OK", durationMs: 300 },
      ],
    });
    const { routingCandidacies } = await south.read(RoutingCandidaciesDocument, {});
    expect(routingCandidacies.nodes[0]!.candidates).toEqual([
      {
        chosen: false,
        refusal: null,
        endpoint: { id: southEndpoint, name: "South one" },
        attempts: [{ position: 1, result: "STATUS_5XX", durationMs: 40 }],
      },
    ]);
    const all = await api.operator.read(RoutingCandidaciesDocument, {});
    expect(all.routingCandidacies.nodes[0]!.candidates.map(({ chosen }) => chosen)).toEqual([false, true]);
    expect(await startup.codes(RoutingCandidaciesDocument, {})).toEqual(["FORBIDDEN"]);
    expect(await north.codes(RoutingDecisionsDocument, {})).toEqual(["FORBIDDEN"]);
  });
});

describe("an id", () => {
  it("opens only what a list would show", async () => {
    const usage = encodeId("Usage", await aUsage(api, served(north, northEndpoint)));
    const delivery = usage && encodeId("Delivery", Buffer.from(usage, "base64url").toString().split(":")[1]!);
    const mine: [Party, string][] = [
      [north, northEndpoint],
      [north, offering],
      [north, north.id],
      [north, delivery],
      [startup, startup.id],
      [startup, usage],
      [startup, fixing],
      [api.operator, northEndpoint],
      [api.operator, usage],
      [api.operator, delivery],
      [api.operator, startup.id],
    ];
    for (const [who, id] of mine) expect((await who.read(NodeDocument, { id })).node?.id).toBe(id);
    const notMine: [Party, string][] = [
      [startup, northEndpoint],
      [startup, offering],
      [startup, north.id],
      [startup, delivery],
      [startup, encodeId("Endpoint", startup.uuid)],
      [south, northEndpoint],
      [south, offering],
      [south, delivery],
      [south, usage],
      [north, usage],
      [north, startup.id],
      [partner, northEndpoint],
      [partner, usage],
      [api.operator, encodeId("Provider", startup.uuid)],
      [api.operator, "nonsense"],
    ];
    for (const [who, id] of notMine) expect((await who.read(NodeDocument, { id })).node).toBeNull();
    expect(await apiClient(api.url).codes(NodeDocument, { id: fixing })).toEqual(["UNAUTHENTICATED"]);
  });

  it("opens accruals by provider and month", async () => {
    await api.db.source.query(
      `INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, period, limited, credits_posted, created_at)
       VALUES (gen_random_uuid(), $1, 'USD', 'PROVIDER_PAYABLE', $2, '2026-01', false, 850000, now())`,
      [`payable:${north.uuid}:2026-01`, north.uuid],
    );
    const { accruals } = await north.read(AccrualsDocument, {});
    expect(accruals.nodes).toEqual([
      expect.objectContaining({
        period: "2026-01",
        accrued: { amount: "0.00085", currency: "USD" },
        dueAt: "2026-03-03T00:00:00.000Z",
      }),
    ]);
    const { id } = accruals.nodes[0]!;
    expect((await north.read(NodeDocument, { id })).node?.id).toBe(id);
    expect((await south.read(NodeDocument, { id })).node).toBeNull();
  });

  it("comes in lists of up to 100, each answered in its place", async () => {
    const { nodes } = await north.read(NodesDocument, { ids: [southEndpoint, northEndpoint, "x", offering] });
    expect(nodes.map((node) => node?.id ?? null)).toEqual([null, northEndpoint, null, offering]);
    expect(await north.codes(NodesDocument, { ids: Array<string>(101).fill(offering) })).toEqual(["BAD_USER_INPUT"]);
  });
});

it("refuses a startup every list that is not for startups", async () => {
  const { data } = await startup.text("{ __schema { queryType { fields { name args { type { kind } } } } } }");
  type Listed = { name: string; args: { type: { kind: string } }[] };
  const all = (data as { __schema: { queryType: { fields: Listed[] } } }).__schema.queryType.fields;
  // What cannot be asked without naming something is asked in the access matrix.
  const wordless = all.filter(({ args }) => args.every(({ type }) => type.kind !== "NON_NULL"));
  const others = wordless.map(({ name }) => name).filter((name) => !startupFields.query.includes(name));
  expect(others).toEqual(expect.arrayContaining(["endpoints", "capitalPosition", "coverageAlerts"]));
  for (const name of others) {
    const { errors } = await startup.text(`{ ${name} { __typename } }`);
    expect([name, errors?.[0]?.extensions.code]).toEqual([name, "FORBIDDEN"]);
  }
});

it("lists breaches to whose endpoints they are of", async () => {
  expect((await north.read(SlaBreachesDocument, {})).slaBreaches.nodes).toEqual([]);
  expect(await startup.codes(SlaBreachesDocument, {})).toEqual(["FORBIDDEN"]);
});
