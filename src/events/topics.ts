/** Every topic with its payload. Durable ones go through the outbox; fleeting ones only tell that something moved. */
import type { PayoutAccountChange, PayoutChange } from "../../schema/enums";

/** Written to the outbox in the transaction of the act; followed with a cursor; never lost. */
export interface DurableTopics {
  "sla.breach.opened": { breachId: string };
  "sla.breach.closed": { breachId: string };
  "capacity.window.announced": { windowId: string };
  "capacity.window.cancelled": { windowId: string };
  "statement.changed": { statementId: string };
  "payout.changed": { payoutId: string; change: Exclude<PayoutChange, "STANDING"> };
  /** A provider's bank account: also those hear of it whose word was not asked. */
  "payout.account.changed": { accountId: string; change: Exclude<PayoutAccountChange, "STANDING"> };
  /** Dollars no longer cover what credits may cost; of one facility its lender's business, of all together an operator's. */
  "coverage.alert.opened": { alertId: string };
  "coverage.alert.closed": { alertId: string };
  /** Credit was frozen, or is not any more: its lender's business, or an operator's where it is of all lenders. */
  "block.changed": { blockId: string };
  /** A budget was spent up to one of its thresholds; written by the ledger, in the commit that charges. */
  "budget.alert.raised": { alertId: string };
  /** A batch or fine-tuning job was admitted, moved on, was charged for a stage, or ended. */
  "workload.changed": { jobId: string };
}

/** Published after the fact on the bus; a lost one is made good by the next. */
export interface FleetingTopics {
  /** A wallet moved: read it again. */
  "balance.changed": { startupId: string };
  /** What one relay has served at a live endpoint since its last measurement, once a second. */
  "utilization.measured": UtilizationMeasurement;
  /** What all relays together serve: one sample a second per live endpoint, worked out in each process. */
  "utilization.sampled": UtilizationSample;
  /** Endpoints, offerings, windows or prices changed: routing reads its candidates again. */
  "supply.changed": Record<string, never>;
  /** Prices were fixed for the hour: read the newest of each place again. */
  "fixing.made": Record<string, never>;
  /** Credit lent to relays is wanted back: at once, whatever is not set aside. The processes would see it in the ledger a second later. */
  "lease.recalled": {
    startupId: string | null;
    facilityId: string | null;
    lotId: string | null;
    /** Wanted back for a budget: the startup's other credit stays where it is. */
    budgetId?: string | null | undefined;
    leases: readonly { leaseId: string; epoch: number }[];
  };
  /** A relay gave credit of a lease back, or a dead one's was taken. */
  "lease.returned": { leaseId: string; startupId: string };
  /** A relay looks for the first try of what a client library repeats. */
  "retry.sought": { ask: string; fingerprint: string; count: number };
  /** Another one has it: its answer follows when it is whole. */
  "retry.found": { ask: string };
  /** Sealed with the key of kept answers; null: it came to nothing. */
  "retry.answered": { ask: string; sealed: string | null };
  "api-key.revoked": { keyId: string };
  /** A test system's time was moved so far ahead of the real one. */
  "clock.moved": { offsetMs: number };
  /** A session ended before its time. */
  "session.revoked": { sessionId: string };
  /** A process without Redis tells its kin that it lives. */
  "process.announced": ProcessAnnouncement;
  "process.left": { instance: string };
  /** In this process alone: messages of others may have been lost, whatever is known by listening is to be read again. */
  "bus.reconnected": Record<string, never>;
  /** The publisher gave new events their place in the durable stream. */
  "outbox.published": {
    position: string;
    /** How far the database's log was by then: whoever hears of these events must not read from a replica that is behind it. */
    lsn?: string | undefined;
  };
  /** A tenant's transaction ended here in the database's log: its next read, in whatever process, must show it. */
  "tenant.wrote": { tenantId: string; lsn: string };
}

export interface ProcessAnnouncement {
  readonly instance: string;
  readonly roles: readonly ("api" | "relay" | "worker")[];
  readonly startedAt: string;
  readonly version: string;
  readonly sockets: number;
  readonly subscriptions: number;
}

export interface UtilizationMeasurement {
  /** Which process measured. */
  readonly instance: string;
  readonly endpointId: string;
  readonly providerId: string;
  readonly at: string;
  readonly listedGpus: number;
  readonly slots: number;
  readonly inFlight: number;
  readonly soldGpuNanos: string;
  readonly activeGpuNanos: string;
  /** Of the last minute, from which shares are worked out. */
  readonly minute: {
    readonly soldGpuNanos: string;
    readonly activeGpuNanos: string;
    readonly listedGpuNanos: string;
  };
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
