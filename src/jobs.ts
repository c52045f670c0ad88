/** The work that nobody asks for: publishing events, sweeping holds, fixing prices, probing, judging minutes, sampling. */
import type { Config } from "./platform/config";
import type { Database } from "./platform/database";
import { everyMs, type Job } from "./platform/jobs";
import type { Log } from "./platform/log";
import type { Services } from "./services";
import { probeEndpoints } from "./sla/probe";

const OUTBOX_MS = 100;
const SLA_FLUSH_MS = 1_000;
const SUPPLY_MS = 2_000;
const UTILIZATION_MS = 1_000;
const SWEEP_MS = 5_000;
const FIXING_MS = 30_000;

export interface Jobs {
  /** Stops all of them, each after the run in flight. */
  stop(): Promise<void>;
}

export function startJobs(services: Services, platform: { config: Config; db: Database; log: Log }): Jobs {
  const { config, db, log } = platform;
  const { outbox, sla, routing, metering, pricing, bus, upstreams } = services;
  const supply = everyMs("routing.refresh", SUPPLY_MS, () => routing.refresh(), { log });
  const jobs: Job[] = [
    supply,
    everyMs("outbox.publish", OUTBOX_MS, async () => void (await outbox.publish()), { log }),
    everyMs("sla.flush", SLA_FLUSH_MS, () => sla.flush(), { log }),
    everyMs("sla.evaluate", config.sla.evaluationIntervalMs, () => sla.evaluate(), { log }),
    everyMs("metering.sweep", SWEEP_MS, async () => void (await metering.sweepExpiredHolds()), { log }),
    everyMs("pricing.fix", FIXING_MS, async () => void (await pricing.fixHour()), { log }),
    everyMs("routing.sample", UTILIZATION_MS, async () => routing.sampleUtilization(), { log }),
    everyMs(
      "sla.probe",
      config.sla.probeIntervalMs,
      async () => {
        for (const { endpointId, ok } of await probeEndpoints(db, upstreams)) sla.observeProbe(endpointId, ok);
      },
      { log },
    ),
  ];
  const off = bus.on("supply.changed", () => void supply.runNow());
  return {
    async stop() {
      off();
      await Promise.all(jobs.map((job) => job.stop()));
    },
  };
}
