/** The work that nobody asks for, by the role that does it: publishing events, sweeping holds, fixing prices, probing, judging minutes. */
import { ANNOUNCE_MS } from "./events/presence";
import type { Config, Role } from "./platform/config";
import type { Database } from "./platform/database";
import { everyMs } from "./platform/jobs";
import type { Log } from "./platform/log";
import type { Services } from "./services";
import { probeEndpoints } from "./sla/probe";

const OUTBOX_MS = 100;
const SLA_FLUSH_MS = 1_000;
const SUPPLY_MS = 2_000;
const UTILIZATION_MS = 1_000;
const SWEEP_MS = 5_000;
const FIXING_MS = 30_000;
const TRIM_MS = 3_600_000;
const DAY_MS = 86_400_000;

export interface Jobs {
  /** Stops all of them, each after the run in flight. */
  stop(): Promise<void>;
}

interface Work {
  readonly name: string;
  readonly everyMs: number;
  /** Which processes do it: where what it works on is. */
  readonly by: readonly Role[];
  /** Of several workers only the one that leads. All of it bears being done twice, as a lead may be lost unnoticed. */
  readonly once?: boolean;
  run(): Promise<unknown>;
}

export interface JobsPlatform {
  readonly config: Config;
  readonly db: Database;
  readonly log: Log;
  /** Whether this process is the one worker of several. */
  readonly leads: () => boolean;
}

export function startJobs(services: Services, platform: JobsPlatform): Jobs {
  const { config, log, leads } = platform;
  const own = works(services, platform).filter(({ by }) => by.some((role) => config.roles.includes(role)));
  const jobs = own.map(({ name, everyMs: intervalMs, once, run }) => ({
    name,
    job: everyMs(name, intervalMs, async () => void (!once || leads() ? await run() : undefined), { log }),
  }));
  const runNow = (name: string) => void jobs.find((job) => job.name === name)?.job.runNow();
  const off = [
    services.bus.on("supply.changed", () => runNow("routing.refresh")),
    services.bus.on("bus.reconnected", () => runNow("routing.refresh")),
  ];
  return {
    async stop() {
      for (const end of off) end();
      await Promise.all(jobs.map(({ job }) => job.stop()));
    },
  };
}

function works(services: Services, { config, db }: JobsPlatform): Work[] {
  const { outbox, sla, routing, metering, pricing, upstreams, processes } = services;
  const probe = async () => {
    for (const { endpointId, ok } of await probeEndpoints(db, upstreams)) sla.observeProbe(endpointId, ok);
  };
  return [
    { name: "routing.refresh", everyMs: SUPPLY_MS, by: ["relay"], run: () => routing.refresh() },
    { name: "routing.measure", everyMs: UTILIZATION_MS, by: ["relay"], run: async () => routing.measureUtilization() },
    // Attempts are counted where they are made, probes where they are sent.
    { name: "sla.flush", everyMs: SLA_FLUSH_MS, by: ["relay", "worker"], run: () => sla.flush() },
    { name: "outbox.publish", everyMs: OUTBOX_MS, by: ["worker"], once: true, run: () => outbox.publish() },
    {
      name: "outbox.trim",
      everyMs: TRIM_MS,
      by: ["worker"],
      once: true,
      run: () => trimOutbox(outbox, config.outboxRetentionDays),
    },
    {
      name: "sla.evaluate",
      everyMs: config.sla.evaluationIntervalMs,
      by: ["worker"],
      once: true,
      run: () => sla.evaluate(),
    },
    { name: "metering.sweep", everyMs: SWEEP_MS, by: ["worker"], once: true, run: () => metering.sweepExpiredHolds() },
    { name: "pricing.fix", everyMs: FIXING_MS, by: ["worker"], once: true, run: () => pricing.fixHour() },
    { name: "sla.probe", everyMs: config.sla.probeIntervalMs, by: ["worker"], once: true, run: probe },
    {
      name: "processes.announce",
      everyMs: ANNOUNCE_MS,
      by: ["api", "relay", "worker"],
      run: () => processes.announce(),
    },
  ];
}

async function trimOutbox(outbox: Services["outbox"], retentionDays: number): Promise<void> {
  await outbox.trim(new Date(Date.now() - retentionDays * DAY_MS));
}
