/** Rows that the relay leaves behind: a usage record and a routing decision, written as its group commit would. */
import { RoutingDecision } from "../../entities/routing-decision";
import { UsageRecord } from "../../entities/usage-record";
import { WorkloadFile } from "../../entities/workload-file";
import { WorkloadJob } from "../../entities/workload-job";
import { newId } from "../../src/platform/ids";
import { type TestApi, uuidOf } from "./an-api";

export interface Served {
  readonly startup: string;
  readonly provider: string;
  readonly endpoint: string;
  readonly offering?: string;
  readonly fixing?: string;
  readonly model?: string;
}

/** Global ids in; the request's id out. */
export async function aUsage({ db }: TestApi, served: Served, changes: Partial<UsageRecord> = {}): Promise<string> {
  const id = newId();
  await db.source.getRepository(UsageRecord).insert({
    id,
    startupId: uuidOf(served.startup),
    apiKeyId: newId(),
    providerId: uuidOf(served.provider),
    endpointId: uuidOf(served.endpoint),
    offeringId: served.offering ? uuidOf(served.offering) : newId(),
    fixingId: served.fixing ? uuidOf(served.fixing) : newId(),
    rateCardId: "019a0000-0000-7000-8000-000000000001",
    model: served.model ?? "llama-3.1-8b",
    accelerator: "H100",
    region: "eu-north",
    period: "2026-01",
    outcome: "COMPLETED",
    promptTokens: 12,
    completionTokens: 34,
    usageBounded: false,
    gpuNanos: 1_500_000_000n,
    workload: "INFERENCE",
    segment: "UNSPECIFIED",
    heldNanoCredit: 2_500_000n,
    chargeNanoCredit: 2_000_000n,
    accrualNanoUsd: 850_000n,
    spreadNanoUsd: 150_000n,
    accrualSharePpm: 850_000n,
    attempts: 2,
    streamed: true,
    ttftMs: 87,
    durationMs: 900,
    completedAt: new Date("2026-01-15T12:00:00Z"),
    ...changes,
  });
  return id;
}

/** Two candidates, one of each provider: the first failed, the second served. */
export async function aDecision(
  { db }: TestApi,
  startup: string,
  [failed, served]: readonly [Served, Served],
): Promise<string> {
  const id = newId();
  await db.source.getRepository(RoutingDecision).insert({
    id,
    startupId: uuidOf(startup),
    model: "llama-3.1-8b",
    outcome: "REROUTED",
    endpointId: uuidOf(served.endpoint),
    providerIds: [uuidOf(failed.provider), uuidOf(served.provider)],
    candidates: [
      { endpointId: uuidOf(failed.endpoint), refusal: null },
      { endpointId: uuidOf(served.endpoint), refusal: "SATURATED" },
    ],
    attempts: [
      { endpointId: uuidOf(failed.endpoint), result: "STATUS_5XX", durationMs: 40 },
      { endpointId: uuidOf(served.endpoint), result: "OK", durationMs: 300 },
    ],
    candidateCount: 2,
    decidedAt: new Date("2026-01-15T12:00:00Z"),
  });
  return id;
}

/** A batch that runs at the endpoint. */
export async function aJob({ db }: TestApi, served: Served): Promise<string> {
  const [id, inputFileId, at] = [newId(), newId(), new Date("2026-01-15T12:00:00Z")];
  const startupId = uuidOf(served.startup);
  await db.source.getRepository(WorkloadFile).insert({
    id: inputFileId,
    startupId,
    purpose: "BATCH",
    filename: "input.jsonl",
    bytes: 10n,
    chunkCount: 0,
    lineCount: 1,
    digest: null,
    faults: [],
    createdAt: at,
    expiresAt: null,
    deletedAt: null,
  });
  await db.source.getRepository(WorkloadJob).insert({
    id,
    startupId,
    apiKeyId: newId(),
    kind: "BATCH",
    state: "SUCCEEDED",
    model: served.model ?? "llama-3.1-8b",
    terms: { metadata: null, url: "/v1/chat/completions", completionWindow: "24h" },
    inputFileId,
    lineCount: 1,
    answeredCount: 0,
    errorCount: 1,
    providerId: uuidOf(served.provider),
    endpointId: uuidOf(served.endpoint),
    offeringId: served.offering ? uuidOf(served.offering) : null,
    upstreamOutputRead: 0n,
    upstreamStep: 0,
    fixingNanoUsdPerGpuHour: 1n,
    prefillTokensPerGpuSecond: 1,
    decodeTokensPerGpuSecond: 1,
    gpuCount: 1,
    maxOutputTokens: 1,
    promptTokensBound: 1n,
    completionTokensBound: 1n,
    promptTokens: 0n,
    completionTokens: 0n,
    heldNanoCredit: 0n,
    capturedNanoCredit: 0n,
    stageCount: 0,
    usageBounded: false,
    uncaptured: false,
    createdAt: at,
    endedAt: at,
    endsBy: at,
    nextPollAt: at,
    failures: 0,
    faults: [],
    requestDigest: "",
    version: 1,
  });
  return id;
}
