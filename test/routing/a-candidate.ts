/** Builders of what the router reads: a candidate that takes every request, and a request that every candidate takes. */
import { type Candidate, type LiveState, newLiveState, type RouteRequest } from "../../src/routing/candidate";

type CandidateParts = Partial<Omit<Candidate, "live">> & { live?: Partial<LiveState> };

export function aCandidate({ live, ...parts }: CandidateParts = {}): Candidate {
  return {
    endpointId: "endpoint-1",
    providerId: "provider-1",
    offeringId: "offering-1",
    model: "llama-3.3-70b",
    accelerator: "H100",
    region: "us-east",
    zone: "us-east-a",
    slaTier: "STANDARD",
    endpointState: "LIVE",
    offeringState: "LIVE",
    contextLength: 8_192,
    maxOutputTokens: 4_096,
    slots: 16,
    listedGpus: 8,
    inMaintenance: false,
    priced: true,
    costFactor: 1,
    live: { ...newLiveState(), ...live },
    ...parts,
  };
}

export function aRouteRequest(parts: Partial<RouteRequest> = {}): RouteRequest {
  return {
    model: "llama-3.3-70b",
    promptTokensEstimate: 100,
    maxTokens: 100,
    excludeEndpointIds: new Set(),
    ...parts,
  };
}

/** A random source that repeats for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
