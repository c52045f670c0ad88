/** A job goes to the cheapest endpoint that can take it, then to the emptiest, of each accelerator; otherwise every reason is told. */
import type { Quote } from "../../src/pricing/quote";
import { rankEndpoints, type TrainingRoute } from "../../src/workloads/choose-endpoint";

const quote = {} as Quote;
const route = (endpointId: string, changes: Partial<TrainingRoute> = {}): TrainingRoute => ({
  endpointId,
  providerId: "p",
  offeringId: "o",
  model: "m",
  accelerator: "H100",
  region: "eu-north",
  endpointState: "LIVE",
  offeringState: "LIVE",
  maxOutputTokens: 100,
  slots: 2,
  gpuCount: 8,
  listedGpus: 8,
  inMaintenance: false,
  quote,
  ...changes,
});
const prices: Record<string, bigint> = { a: 3n, b: 2n, c: 2n };
const ranking = (routes: readonly TrainingRoute[], open: Record<string, number> = {}) =>
  rankEndpoints(routes, new Map(Object.entries(open)), ({ endpointId }) => prices[endpointId] ?? 9n);
const ranked = (...given: Parameters<typeof ranking>) => ranking(...given).ranked.map(({ route }) => route.endpointId);

test("the cheapest that can take it", () => {
  expect(ranking([route("a"), route("b")]).ranked).toMatchObject([{ route: { endpointId: "b" }, priceNanoCredit: 2n }]);
  expect(ranked([route("a"), route("b")], { b: 2 })).toEqual(["a"]);
});

test("of two at one price the emptier", () => {
  expect(ranked([route("b"), route("c")], { b: 1 })).toEqual(["c"]);
});

test("one per accelerator, the cheapest of each, because credit may be kept for any of them", () => {
  const routes = [route("d"), route("a"), route("b", { accelerator: "A100" }), route("e", { accelerator: "A100" })];
  expect(ranked(routes)).toEqual(["b", "a"]);
});

test.each([
  ["OFFERING_NOT_LIVE", { offeringState: "STAGED" }, {}],
  ["ENDPOINT_NOT_LIVE", { endpointState: "DRAINING" }, {}],
  ["IN_MAINTENANCE", { inMaintenance: true }, {}],
  ["NO_CAPACITY_WINDOW", { listedGpus: 0 }, {}],
  ["NOT_PRICED", { quote: null }, {}],
  ["SATURATED", {}, { a: 2 }],
] as const)("%s keeps a job away", (reason, changes, open) => {
  expect(ranking([route("a", changes)], open)).toEqual({ ranked: [], reasons: [reason] });
});
