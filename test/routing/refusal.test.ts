/** Goal: every refusal has its own reason, and the lasting one is told before the passing one. */
import type { Candidate, RouteRequest } from "../../src/routing/candidate";
import { RefusalReason, refusalOf } from "../../src/routing/refusal";
import { aCandidate, aRouteRequest } from "./a-candidate";

const NOW_MS = 1_000_000;

type Case = [RefusalReason, string, Parameters<typeof aCandidate>[0], Partial<RouteRequest>];

const cases: Case[] = [
  ["MODEL_MISMATCH", "another model", { model: "mistral-7b" }, {}],
  ["OFFERING_NOT_LIVE", "a staged offering", { offeringState: "STAGED" }, {}],
  ["ENDPOINT_NOT_LIVE", "a draining endpoint", { endpointState: "DRAINING" }, {}],
  ["REGION_MISMATCH", "another region", {}, { region: "eu-west" }],
  ["TIER_BELOW_ASKED", "a tier below the one asked for", { slaTier: "PREMIUM" }, { slaTierAtLeast: "ENTERPRISE" }],
  ["ACCELERATOR_NOT_COVERED", "an accelerator that the credit is not for", {}, { accelerators: ["A100", "H200"] }],
  ["CONTEXT_TOO_LONG", "one token too many", {}, { promptTokensEstimate: 8_093, maxTokens: 100 }],
  ["CONTEXT_TOO_LONG", "an output longer than the offering writes", {}, { maxTokens: 4_097 }],
  ["IN_MAINTENANCE", "maintenance", { inMaintenance: true }, {}],
  ["NO_CAPACITY_WINDOW", "no listed GPU", { listedGpus: 0 }, {}],
  ["NOT_PRICED", "no price", { priced: false }, {}],
  ["COOLING_DOWN", "a cool-down that ends in a millisecond", { live: { cooldownUntilMs: NOW_MS + 1 } }, {}],
  ["SATURATED", "every slot taken", { slots: 2, live: { inFlight: 2 } }, {}],
  ["SATURATED", "no slots at all", { slots: 0 }, {}],
  ["ALREADY_TRIED", "an endpoint this request has tried", {}, { excludeEndpointIds: new Set(["endpoint-1"]) }],
];

test.each(cases)("%s refuses %s", (reason, _what, candidate, request) => {
  expect(refusalOf(aCandidate(candidate), aRouteRequest(request), NOW_MS)).toBe(reason);
});

test("every reason has a case", () => {
  expect(new Set(cases.map(([reason]) => reason))).toEqual(new Set(Object.keys(RefusalReason)));
});

test("a candidate without a fault is not refused, up to the last token, slot and millisecond", () => {
  const candidate = aCandidate({ slots: 2, live: { inFlight: 1, cooldownUntilMs: NOW_MS } });
  const request = aRouteRequest({ promptTokensEstimate: 4_096, maxTokens: 4_096, region: "us-east" });
  expect(refusalOf(candidate, request, NOW_MS)).toBeNull();
});

test("a better tier than the one asked for is welcome", () => {
  const candidate = aCandidate({ slaTier: "ENTERPRISE" });
  expect(refusalOf(candidate, aRouteRequest({ slaTierAtLeast: "PREMIUM" }), NOW_MS)).toBeNull();
});

test("of several faults the first in the published order is named", () => {
  const all = {
    model: "mistral-7b",
    offeringState: "STAGED",
    endpointState: "DRAINING",
    region: "eu-west",
    contextLength: 10,
    inMaintenance: true,
    listedGpus: 0,
    priced: false,
    slots: 1,
    accelerator: "A100",
    live: { cooldownUntilMs: NOW_MS + 1, inFlight: 1 },
  };
  const asked = aRouteRequest({
    region: "us-east",
    slaTierAtLeast: "PREMIUM",
    accelerators: ["H100", "H200"],
    excludeEndpointIds: new Set(["endpoint-1"]),
  });
  const candidate = aCandidate(all);
  const cures: ((sick: Candidate) => void)[] = [
    (sick) => Object.assign(sick, { model: asked.model }),
    (sick) => Object.assign(sick, { offeringState: "LIVE" }),
    (sick) => Object.assign(sick, { endpointState: "LIVE" }),
    (sick) => Object.assign(sick, { region: "us-east" }),
    (sick) => Object.assign(sick, { slaTier: "PREMIUM" }),
    (sick) => Object.assign(sick, { accelerator: "H100" }),
    (sick) => Object.assign(sick, { contextLength: 8_192 }),
    (sick) => Object.assign(sick, { inMaintenance: false }),
    (sick) => Object.assign(sick, { listedGpus: 1 }),
    (sick) => Object.assign(sick, { priced: true }),
    (sick) => Object.assign(sick.live, { cooldownUntilMs: 0 }),
    (sick) => Object.assign(sick.live, { inFlight: 0 }),
  ];
  const named = [refusalOf(candidate, asked, NOW_MS)];
  for (const cure of cures) {
    cure(candidate);
    named.push(refusalOf(candidate, asked, NOW_MS));
  }
  expect(named).toEqual(Object.keys(RefusalReason));
});
