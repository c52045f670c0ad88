/** What the router knows of one endpoint × offering, and what a request asks of it. */
import type { SlaTierCode } from "../../schema/enums";

/**
 * What one relay process observed of an endpoint, mutable, one object per endpoint, owned by the routing door. Instants
 * are milliseconds of one clock; 0 means "never".
 */
export interface LiveState {
  inFlight: number;
  /** Peak EWMA of the time to first content byte; null until something was measured. */
  ewmaMs: number | null;
  ewmaAtMs: number;
  /** Nothing is sent before this instant. After it, the instant from which traffic ramps up again. */
  cooldownUntilMs: number;
  consecutiveFailures: number;
  /** When the breaker opened; 0 while it is closed. */
  openedAtMs: number;
  /** While the breaker is half-open: until when the one trial in flight keeps others out. */
  trialUntilMs: number;
}

export interface Candidate {
  endpointId: string;
  providerId: string;
  offeringId: string;
  model: string;
  accelerator: string;
  region: string;
  zone: string;
  slaTier: SlaTierCode;
  endpointState: string;
  offeringState: string;
  /** Tokens of prompt and output together. */
  contextLength: number;
  maxOutputTokens: number;
  /** Requests that the endpoint serves at once. */
  slots: number;
  listedGpus: number;
  inMaintenance: boolean;
  priced: boolean;
  /** Relative price, 1 = the cheapest. */
  costFactor: number;
  live: LiveState;
}

export interface RouteRequest {
  model: string;
  promptTokensEstimate: number;
  maxTokens: number;
  region?: string;
  slaTierAtLeast?: SlaTierCode;
  /** What the credit for it may pay for; left out: any. */
  accelerators?: readonly string[];
  /** Endpoints that this request has tried. */
  excludeEndpointIds: ReadonlySet<string>;
}

export function newLiveState(): LiveState {
  return {
    inFlight: 0,
    ewmaMs: null,
    ewmaAtMs: 0,
    cooldownUntilMs: 0,
    consecutiveFailures: 0,
    openedAtMs: 0,
    trialUntilMs: 0,
  };
}
