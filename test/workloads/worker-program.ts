/** A worker's jobs as a process of their own, to be killed: looks at all that is open, again and again, until somebody ends it. */
import "reflect-metadata";
import { createPrivateKey } from "node:crypto";
import { MemoryBus } from "../../src/events/event-bus";
import { systemClock } from "../../src/platform/clock";
import { readConfig } from "../../src/platform/config";
import { openDatabase } from "../../src/platform/database";
import { createLog } from "../../src/platform/log";
import { operations } from "../../src/relay/operations/operations";
import { createServices } from "../../src/services";
import type { RelayIdentity } from "../../src/upstreams/identity";

export interface WorkerOptions {
  readonly databaseUrl: string;
  readonly issuer: string;
  readonly identity: Omit<RelayIdentity, "signingKey">;
  readonly signingKeyPem: string;
}

async function main(): Promise<void> {
  const { databaseUrl, issuer, identity, signingKeyPem } = JSON.parse(process.env.WORKLOAD_WORKER!) as WorkerOptions;
  const db = await openDatabase({ url: databaseUrl, poolMax: 3, applicationName: "workload-worker" });
  const bus = new MemoryBus(() => undefined);
  const services = createServices(
    {
      config: readConfig({ ALLOW_LOOPBACK_UPSTREAMS: "true" }),
      db,
      clock: systemClock,
      log: createLog({ level: "silent" }),
      identity: { ...identity, signingKey: createPrivateKey(signingKeyPem) },
      pepper: Buffer.alloc(32),
      sealingKey: Buffer.alloc(32),
      answerKey: Buffer.alloc(32),
      publicUrl: issuer,
      egress: { allowLoopback: true, ownHosts: [] },
      operations,
    },
    bus,
  );
  console.log("begins");
  for (;;) {
    await db.source.query("UPDATE workload_job SET next_poll_at = created_at WHERE ended_at IS NULL");
    await services.workloads.pollToEnd();
  }
}

void main();
