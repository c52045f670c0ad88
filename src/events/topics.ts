/** Every topic with its payload. Durable ones go through the outbox; fleeting ones only tell that something moved. */

/** Written to the outbox in the transaction of the act; followed with a cursor; never lost. */
export interface DurableTopics {
  "sla.breach.opened": { breachId: string };
  "sla.breach.closed": { breachId: string };
}

/** Published after the fact on the bus; a lost one is made good by the next. */
export interface FleetingTopics {
  /** A wallet moved: read it again. */
  "balance.changed": { startupId: string };
  /** One sample a second per live endpoint. */
  "utilization.sampled": UtilizationSample;
  /** Endpoints, offerings, windows or prices changed: routing reads its candidates again. */
  "supply.changed": Record<string, never>;
  "api-key.revoked": { keyId: string };
  /** The publisher gave new events their place in the durable stream. */
  "outbox.published": { position: string };
}

export interface UtilizationSample {
  readonly endpointId: string;
  readonly providerId: string;
  readonly at: string;
  readonly listedGpus: number;
  readonly slots: number;
  readonly inFlight: number;
  /** GPU time set apart for requests since the last sample: slot time × GPUs per slot. */
  readonly soldGpuNanos: string;
  /** GPU time that the delivered tokens account for since the last sample. */
  readonly activeGpuNanos: string;
  /** sold / listed over the last minute, parts per million. */
  readonly fillPpm: number;
  /** active / sold over the last minute, parts per million. */
  readonly utilizationPpm: number;
}

export type DurableTopic = keyof DurableTopics;
export type FleetingTopic = keyof FleetingTopics;
