/** What payloads look like, for those that come from outside this process: another version may have written them. */
import { z } from "zod";
import type { DurableTopic, DurableTopics, FleetingTopic, FleetingTopics } from "./topics";

const nothing = z.record(z.string(), z.never());
const count = z.number().int().min(0);
const big = z.string().regex(/^\d+$/);

/** Those that are worked out in each process from what it hears, or tell about the process itself. */
export const localTopics = ["utilization.sampled", "bus.reconnected"] as const satisfies readonly FleetingTopic[];

type SharedTopic = Exclude<FleetingTopic, (typeof localTopics)[number]>;

export const fleetingShapes: { readonly [T in SharedTopic]: z.ZodType<FleetingTopics[T]> } = {
  "balance.changed": z.object({ startupId: z.string() }),
  "utilization.measured": z.object({
    instance: z.string(),
    endpointId: z.string(),
    providerId: z.string(),
    at: z.string(),
    listedGpus: count,
    slots: count,
    inFlight: count,
    soldGpuNanos: big,
    activeGpuNanos: big,
    minute: z.object({ soldGpuNanos: big, activeGpuNanos: big, listedGpuNanos: big }),
  }),
  "supply.changed": nothing,
  "fixing.made": nothing,
  "lease.recalled": z.object({
    startupId: z.string().nullable(),
    facilityId: z.string().nullable(),
    lotId: z.string().nullable(),
    budgetId: z.string().nullish(),
    leases: z.array(z.object({ leaseId: z.string(), epoch: count })),
  }),
  "lease.returned": z.object({ leaseId: z.string(), startupId: z.string() }),
  "retry.sought": z.object({ ask: z.string(), fingerprint: z.string(), count }),
  "retry.found": z.object({ ask: z.string() }),
  "retry.answered": z.object({ ask: z.string(), sealed: z.string().nullable() }),
  "api-key.revoked": z.object({ keyId: z.string() }),
  "clock.moved": z.object({ offsetMs: count }),
  "session.revoked": z.object({ sessionId: z.string() }),
  "process.announced": z.object({
    instance: z.string(),
    roles: z.array(z.enum(["api", "relay", "worker"])),
    startedAt: z.string(),
    version: z.string(),
    sockets: count,
    subscriptions: count,
  }),
  "process.left": z.object({ instance: z.string() }),
  "outbox.published": z.object({ position: big, lsn: big.optional() }),
  "tenant.wrote": z.object({ tenantId: z.string(), lsn: big }),
};

const payoutChange = z.enum([
  "SCHEDULED",
  "SUBMITTED",
  "IN_TRANSIT",
  "SETTLED",
  "RETURNED",
  "CARRIED",
  "HELD",
  "RELEASED",
  "APPROVED",
]);

export const durableShapes: { readonly [T in DurableTopic]: z.ZodType<DurableTopics[T]> } = {
  "sla.breach.opened": z.object({ breachId: z.string() }),
  "sla.breach.closed": z.object({ breachId: z.string() }),
  "capacity.window.announced": z.object({ windowId: z.string() }),
  "capacity.window.cancelled": z.object({ windowId: z.string() }),
  "statement.changed": z.object({ statementId: z.string() }),
  "coverage.alert.opened": z.object({ alertId: z.string() }),
  "coverage.alert.closed": z.object({ alertId: z.string() }),
  "block.changed": z.object({ blockId: z.string() }),
  "budget.alert.raised": z.object({ alertId: z.string() }),
  "workload.changed": z.object({ jobId: z.string() }),
  "payout.changed": z.object({ payoutId: z.string(), change: payoutChange }),
  "payout.account.changed": z.object({
    accountId: z.string(),
    change: z.enum(["PROPOSED", "CONFIRMED", "CANCELLED"]),
  }),
};

export const isSharedTopic = (topic: string): topic is SharedTopic => Object.hasOwn(fleetingShapes, topic);
export const isDurableTopic = (topic: string): topic is DurableTopic => Object.hasOwn(durableShapes, topic);
