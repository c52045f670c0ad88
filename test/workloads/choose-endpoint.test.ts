/** A job goes to the cheapest endpoint that can take it, then to the emptiest; otherwise every reason is told. */
import type { Quote } from "../../src/pricing/quote";
import { chooseEndpoint, type TrainingRoute } from "../../src/workloads/choose-endpoint";

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
const chosen = (routes: readonly TrainingRoute[], open: Record<string, number> = {}) =>
  chooseEndpoint(routes, new Map(Object.entries(open)), ({ endpointId }) => prices[endpointId] ?? 9n);

test("the cheapest that can take it", () => {
  expect(chosen([route("a"), route("b")])).toMatchObject({ route: { endpointId: "b" }, priceNanoCredit: 2n });
  expect(chosen([route("a"), route("b")], { b: 2 })).toMatchObject({ route: { endpointId: "a" } });
});

test("of two at one price the emptier", () => {
  expect(chosen([route("b"), route("c")], { b: 1 })).toMatchObject({ route: { endpointId: "c" } });
});

test.each([
  ["OFFERING_NOT_LIVE", { offeringState: "STAGED" }, {}],
  ["ENDPOINT_NOT_LIVE", { endpointState: "DRAINING" }, {}],
  ["IN_MAINTENANCE", { inMaintenance: true }, {}],
  ["NO_CAPACITY_WINDOW", { listedGpus: 0 }, {}],
  ["NOT_PRICED", { quote: null }, {}],
  ["SATURATED", {}, { a: 2 }],
] as const)("%s keeps a job away", (reason, changes, open) => {
  expect(chosen([route("a", changes)], open)).toEqual({ route: null, reasons: [reason] });
});
