/** What the contract promises beyond its shape: reading on after an act, selectors, spans of time, drawdowns as objects. */
import {
  DrawdownCreateDocument,
  DrawdownsDocument,
  NodeDocument,
  RoutingCandidaciesDocument,
  RoutingDecisionDocument,
  RoutingDecisionsDocument,
} from "../../codegen/generated/graphql";
import { encodeId } from "../../schema/node";
import { newId } from "../../src/platform/ids";
import { openApi, opened, type Party, registered, type TestApi, uuidOf } from "./an-api";
import { aDecision, aUsage } from "./records";

let api: TestApi;
let provider: Party;
let startup: Party;
let stranger: Party;
let requestId: string;

beforeAll(async () => {
  api = await openApi();
  provider = await api.a("PROVIDER", "North");
  startup = await api.a("STARTUP", "Firefly");
  stranger = await api.a("STARTUP", "Moth");
  const endpoint = await registered(provider, "North one");
  const served = { startup: startup.id, provider: provider.id, endpoint };
  requestId = await aDecision(api, startup.id, [served, served]);
  await aUsage(api, served, { completedAt: new Date("2026-01-15T12:00:00Z") });
  await aUsage(api, served, { completedAt: new Date("2026-01-16T12:00:00Z"), outcome: "PARTIAL" });
}, 60_000);

afterAll(() => api.close());

describe("a mutation's payload", () => {
  const document = `mutation ($input: ApiKeyCreateInput!) {
    apiKeyCreate(input: $input) { userErrors { code } query { apiKeys { nodes { name } } } }
  }`;

  it("answers what can be asked after the act", async () => {
    const { data } = await startup.text(document, { input: { name: "for reading on", scopes: ["READ"] } });
    const { query } = data!.apiKeyCreate as { query: { apiKeys: { nodes: { name: string }[] } } };
    expect(query.apiKeys.nodes.map(({ name }) => name)).toContain("for reading on");
  });

  it("gives no right that the query itself does not", async () => {
    const writer = await api.a("STARTUP", "Writer", ["WRITE", "ADMIN"]);
    const { data, errors } = await writer.text(document, { input: { name: "x", scopes: ["READ"] } });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["FORBIDDEN"]);
    expect(data!.apiKeyCreate).toEqual({ userErrors: [], query: null });
  });
});

describe("a routing decision", () => {
  it("is found by the id of its request as well as by its own", async () => {
    const byRequest = await startup.read(RoutingDecisionDocument, { by: { requestId } });
    expect(byRequest.routingDecision).toMatchObject({ requestId, outcome: "REROUTED" });
    const { id } = byRequest.routingDecision!;
    expect(await startup.read(RoutingDecisionDocument, { by: { id } })).toEqual(byRequest);
  });

  it("is nobody else's, by whichever name it is asked for", async () => {
    for (const by of [{ requestId }, { id: encodeId("RoutingDecision", requestId) }, { requestId: newId() }]) {
      expect((await stranger.read(RoutingDecisionDocument, { by })).routingDecision).toBeNull();
    }
    expect(
      (await startup.read(RoutingDecisionDocument, { by: { requestId: "chatcmpl-1" } })).routingDecision,
    ).toBeNull();
    expect(await provider.codes(RoutingDecisionDocument, { by: { requestId } })).toEqual(["FORBIDDEN"]);
  });

  it.each([
    ["two names", { requestId: newId(), id: encodeId("RoutingDecision", newId()) }],
    ["no name", {}],
    ["a name that is null", { requestId: null }],
  ])("is not looked for by %s", async (_what, by) => {
    const { status, data, errors } = await startup.text(
      "query ($by: RoutingDecisionSelector!) { routingDecision(by: $by) { id } }",
      { by },
    );
    expect([status, data, errors!.length]).toEqual([400, undefined, 1]);
  });
});

describe("a span of time", () => {
  const noon = "2026-01-15T12:00:00Z";
  const later = "2026-01-15T12:00:00.001Z";

  it("narrows deliveries, its beginning in and its end out", async () => {
    const document = "query ($filter: DeliveryFilter) { deliveries(filter: $filter) { nodes { id } } }";
    const count = async (filter: object) => {
      const { data } = await provider.text(document, { filter });
      return (data!.deliveries as { nodes: unknown[] }).nodes.length;
    };
    expect(await count({ from: noon })).toBe(2);
    expect(await count({ from: later })).toBe(1);
    expect(await count({ from: noon, to: later })).toBe(1);
    expect(await count({ to: noon })).toBe(0);
    expect(await count({ outcome: "PARTIAL" })).toBe(1);
  });

  it("narrows decisions, for the startup and for the provider", async () => {
    const decisions = async (filter: object) =>
      (await startup.read(RoutingDecisionsDocument, { filter })).routingDecisions.nodes.length;
    const candidacies = async (filter: object) =>
      (await provider.read(RoutingCandidaciesDocument, { filter })).routingCandidacies.nodes.length;
    for (const count of [decisions, candidacies]) {
      expect([await count({ from: noon, to: later }), await count({ from: later }), await count({ to: noon })]).toEqual(
        [1, 0, 0],
      );
    }
  });
});

describe("a drawdown", () => {
  it("is an object of the capital partner whose facility it was drawn from", async () => {
    const partner = await api.a("CAPITAL_PARTNER", "Ada Capital");
    const rival = await api.a("CAPITAL_PARTNER", "Bea Capital");
    const facilityId = await opened(partner, "1000");
    const { drawdownCreate } = await partner.read(DrawdownCreateDocument, {
      input: { facilityId, startupId: startup.id, amount: "100" },
      idempotencyKey: "one",
    });
    const { id } = drawdownCreate.drawdown!;
    const { drawdowns } = await partner.read(DrawdownsDocument, { filter: { facilityId, startupId: startup.id } });
    expect(drawdowns.nodes).toEqual([
      expect.objectContaining({ id, funded: { amount: "100", currency: "USD" }, startup: expect.anything() }),
    ]);
    expect((await partner.read(DrawdownsDocument, { filter: { startupId: stranger.id } })).drawdowns.nodes).toEqual([]);
    expect((await rival.read(DrawdownsDocument, {})).drawdowns.nodes).toEqual([]);
    expect((await partner.read(NodeDocument, { id })).node).toEqual({ __typename: "Drawdown", id });
    for (const other of [rival, startup, provider]) expect((await other.read(NodeDocument, { id })).node).toBeNull();
    expect(await startup.codes(DrawdownsDocument, {})).toEqual(["FORBIDDEN"]);
    expect(uuidOf(id)).not.toBe(uuidOf(facilityId));
  });
});
