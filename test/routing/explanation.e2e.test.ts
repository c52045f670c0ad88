/** Why a request went where it went: each reader hears what is its business, in words, and a provider what it lost to others. */
import { ExplainRouteDocument, RoutingLossesDocument } from "../../codegen/generated/graphql";
import { RoutingRefusal } from "../../schema/enums";
import { encodeId } from "../../schema/node";
import { formatNano } from "../../src/money/nano";
import { actAs } from "../../src/platform/tenancy";
import { reasonOf } from "../../src/routing/explanation";
import { openApiOver, type WorldApi } from "../support/api-over-world";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";

const MODEL = "acme/chat";
const body = { model: MODEL, messages: [{ role: "user", content: "Tell me about quiet racks." }] };

let world: RelayWorld;
let api: WorldApi;
let startup: WorldStartup;
let failing: WorldProvider;
let serving: WorldProvider;
let unlisted: WorldProvider;
let rerouted: string;

beforeAll(async () => {
  world = await openRelayWorld({
    providers: [
      { model: MODEL, slots: 512 },
      { model: MODEL, slots: 2, accelerator: "H200" },
      { model: MODEL, listedGpus: 0, accelerator: "A100" },
    ],
  });
  [failing, serving, unlisted] = world.providers as [WorldProvider, WorldProvider, WorldProvider];
  api = await openApiOver(world);
  startup = await world.addStartup();
  failing.reference.setBehaviour({ mode: "fail" });
  rerouted = await asked();
});
afterAll(async () => {
  await api.stop();
  await world.stop();
});

async function asked(): Promise<string> {
  const { headers } = await send(world.relay.url, { secret: startup.secret, body }).answer;
  const requestId = headers["x-request-id"] as string;
  await world.decision(requestId);
  return requestId;
}
async function explained(organisationId: string, requestId = rerouted) {
  return (await (await api.as(organisationId)).read(ExplainRouteDocument, { requestId })).explainRoute;
}
const lossesOf = async (provider: WorldProvider) =>
  (await (await api.as(provider.organisationId)).read(RoutingLossesDocument, {})).routingLosses;

it("tells the startup of every endpoint by a handle, in words, and names none", async () => {
  const told = await explained(startup.id);
  expect(told).toMatchObject({ requestId: rerouted, model: MODEL, outcome: "REROUTED" });
  expect(told!.summary).toBe(
    "The request was served after others had failed. Of 3 endpoints that offer the model 2 could take it; 2 tries.",
  );
  expect(told!.candidates.map(({ reason }) => reason)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^Tried: it failed with a status of the 500s/),
      expect.stringMatching(/^Chosen: it served the request in \d+ ms\.$/),
      "Passed over: no window listed a GPU there.",
    ]),
  );
  const text = JSON.stringify(told);
  for (const { canaries } of world.providers) for (const canary of canaries) expect(text).not.toContain(canary);
  expect(told!.candidates.map(({ attempts }) => attempts.length).sort()).toEqual([0, 1, 1]);
});

it("keeps a startup's handles from one request to the next, and no other reader's are like them", async () => {
  const handles = async (organisationId: string) =>
    (await explained(organisationId, rerouted))!.candidates.map(({ handle }) => handle);
  const again = (await explained(startup.id, await asked()))!.candidates.map(({ handle }) => handle);
  const own = await handles(startup.id);
  expect(again.sort()).toEqual(own.sort());
  for (const handle of await handles(failing.organisationId)) expect(own).not.toContain(handle);
});

it("tells a provider of its own endpoints alone", async () => {
  for (const [provider, reason] of [
    [failing, /^Tried: it failed/],
    [serving, /^Chosen/],
    [unlisted, /^Passed over: no window/],
  ] as const) {
    const told = await explained(provider.organisationId);
    expect(told!.candidates).toEqual([
      expect.objectContaining({
        reason: expect.stringMatching(reason),
        handle: encodeId("Endpoint", provider.endpointId),
      }),
    ]);
    expect(told!.summary).toMatch(/Of 1 endpoint that offers the model/);
  }
});

it("tells an operator everything, others nothing, and lenders that it is none of their business", async () => {
  const told = await explained(world.operator.organisationId);
  expect(told!.candidates.map(({ handle }) => handle).sort()).toEqual(
    world.providers.map(({ endpointId }) => encodeId("Endpoint", endpointId)).sort(),
  );
  expect(await explained((await world.addStartup()).id)).toBeNull();
  expect(await explained(startup.id, "nonsense")).toBeNull();
  const { viewer } = await world.organisation("CAPITAL_PARTNER", "Lender", ["READ"]);
  const lender = await api.as(viewer.organisationId);
  expect(await lender.codes(ExplainRouteDocument, { requestId: rerouted })).toEqual(["FORBIDDEN"]);
});

it("counts for each provider what others served, by the reason that came closest", async () => {
  const [{ gpu_nanos, requests }] = (await world.rows<{ gpu_nanos: string; requests: string }>(
    "SELECT sum(gpu_nanos)::text AS gpu_nanos, count(*)::text AS requests FROM usage_record",
  )) as [{ gpu_nanos: string; requests: string }];
  expect(await lossesOf(serving)).toEqual([]);
  const [unlistedLoss, ...more] = await lossesOf(unlisted);
  expect(more).toEqual([]);
  expect(unlistedLoss).toMatchObject({ reason: "NO_CAPACITY_WINDOW", requests: Number(requests) });
  expect(Math.abs(Number(unlistedLoss!.gpuHours) - Number(formatNano(BigInt(gpu_nanos))) / 3_600)).toBeLessThan(1e-8);
  const lost = await lossesOf(failing);
  expect(lost.map(({ reason }) => reason)).toContain("ATTEMPT_FAILED");
  expect(lost.reduce((sum, loss) => sum + loss.requests, 0)).toBe(Number(requests));
});

it("lets nobody read another provider's losses, the database itself included", async () => {
  const other = await api.as(failing.organisationId);
  const filter = { providerId: encodeId("Provider", unlisted.organisationId) };
  expect(await other.codes(RoutingLossesDocument, { filter })).toEqual(["NOT_FOUND"]);
  expect(await (await api.as(startup.id)).codes(RoutingLossesDocument, {})).toEqual(["FORBIDDEN"]);
  const operator = await api.as(world.operator.organisationId);
  expect(await operator.codes(RoutingLossesDocument, {})).toEqual(["BAD_USER_INPUT"]);
  expect((await operator.read(RoutingLossesDocument, { filter })).routingLosses).toHaveLength(1);
  const acting = {
    tenant: { id: failing.organisationId, seesAll: false },
    requestId: rerouted,
    reads: "primary" as const,
  };
  const read = () => world.services.routing.losses(world.operator, { providerId: unlisted.organisationId });
  await expect(actAs(acting, read)).rejects.toMatchObject({ code: "42501" });
});

it("has words of its own for every reason", () => {
  const words = Object.values(RoutingRefusal).map((refusal) =>
    reasonOf({ endpointId: "e", refusal }, { endpointId: null, attempts: [] }),
  );
  expect(new Set(words).size).toBe(words.length);
  for (const text of words) expect(text).not.toMatch(/[A-Z]{2}_/);
});
