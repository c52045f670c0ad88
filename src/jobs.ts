/** The work that nobody asks for, by the role that does it: publishing events, sweeping holds, fixing prices, probing, judging minutes. */
import { ANNOUNCE_MS } from "./events/presence";
import { RENEW_MS } from "./metering/kept-answers";
import { LEASE_BEAT_MS } from "./metering/lease";
import type { Config, Role } from "./platform/config";
import type { Database } from "./platform/database";
import { everyMs, type Job } from "./platform/jobs";
import type { Log } from "./platform/log";
import type { Services } from "./services";
import { probeEndpoints } from "./sla/probe";

const OUTBOX_MS = 100;
const SLA_FLUSH_MS = 1_000;
const SUPPLY_MS = 2_000;
const UTILIZATION_MS = 1_000;
const TEST_CLOCK_MS = 1_000;
/** A hold lives for the longest request and half a minute; this is both, and a while. */
const SWEEP_GRACE_MS = 60_000;
const SWEEP_MS = 5_000;
/** As-of questions read from transfers what is not written up: a few seconds of them are cheap. */
const JOURNAL_MS = 5_000;
const RECONCILIATION_MS = 60_000;
const LEASE_SWEEP_MS = 2_000;
const BLOCK_FINISH_MS = 5_000;
const FIXING_MS = 30_000;
const CREDIT_USE_MS = 2_000;
const COVERAGE_MS = 5_000;
const EXPIRY_MS = 5_000;
const SERVICING_MS = 15_000;
const STATEMENTS_MS = 30_000;
const FORGET_ANSWERS_MS = 60_000;
const WORKLOADS_MS = 1_000;
const WORKLOAD_FILES_MS = 60_000;
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
  const all = works(services, platform);
  const unknown = dueByTheClock.filter((due) => !all.some(({ name }) => name === due));
  if (unknown.length > 0) throw new Error(`there are no jobs ${unknown.join(", ")}`);
  const own = all.filter(({ by }) => by.some((role) => config.roles.includes(role)));
  const jobs = own.map(({ name, everyMs: intervalMs, once, run }) => ({
    name,
    job: everyMs(name, intervalMs, async () => void (!once || leads() ? await run() : undefined), { log }),
  }));
  const runNow = (name: string) => void jobs.find((job) => job.name === name)?.job.runNow();
  const off = [
    services.bus.on("supply.changed", () => runNow("routing.refresh")),
    services.bus.on("supply.changed", () => runNow("funding.coverage")),
    services.bus.on("fixing.made", () => runNow("funding.coverage")),
    services.bus.on("bus.reconnected", () => runNow("routing.refresh")),
    services.system.onTestClockMoved(
      inTurn(dueByTheClock.flatMap((name) => jobs.find((job) => job.name === name)?.job ?? [])),
    ),
  ];
  return {
    async stop() {
      for (const end of off) end();
      await Promise.all(jobs.map(({ job }) => job.stop()));
    },
  };
}

/**
 * What a moved test clock makes due, in the order in which it is done: prices before what they price, what ends in a month
 * before its books are closed, statements before their payouts.
 */
const dueByTheClock: readonly string[] = [
  "pricing.fix",
  "routing.refresh",
  // What jobs are charged comes before their holds end.
  "workloads.poll",
  "metering.sweep",
  "funding.expire",
  "funding.servicing",
  "statements.advance",
  "payouts.run",
  "funding.coverage",
  "sla.evaluate",
];

/** Moves that come while they run share the one round that follows. */
function inTurn(jobs: readonly Job[]): () => void {
  let turn = Promise.resolve();
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    turn = turn.then(async () => {
      waiting = false;
      for (const job of jobs) await job.runNow();
    });
  };
}

function works(services: Services, { config, db }: JobsPlatform): Work[] {
  const {
    journal,
    reconciliation,
    blocks,
    funding,
    outbox,
    sla,
    routing,
    metering,
    keptAnswers,
    recall,
    payouts,
    pricing,
    statements,
    system,
    upstreams,
    processes,
    workloads,
  } = services;
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
    {
      name: "metering.sweep",
      everyMs: SWEEP_MS,
      by: ["worker"],
      once: true,
      // A request that runs while a test clock is moved has not run for that long.
      run: () => metering.sweepExpiredHolds(system.nowWithoutMoves(config.upstream.totalTimeoutMs + SWEEP_GRACE_MS)),
    },
    // It begins with what is due; a slow provider holds up nobody else.
    { name: "workloads.poll", everyMs: WORKLOADS_MS, by: ["worker"], once: true, run: () => workloads.pollDue() },
    {
      name: "workloads.sweep",
      everyMs: WORKLOAD_FILES_MS,
      by: ["worker"],
      once: true,
      run: () => workloads.sweepFiles(),
    },
    { name: "metering.beat", everyMs: LEASE_BEAT_MS, by: ["relay"], run: () => metering.beatLeases() },
    { name: "metering.renew-keys", everyMs: RENEW_MS, by: ["relay"], run: () => keptAnswers.renew() },
    {
      name: "metering.forget-answers",
      everyMs: FORGET_ANSWERS_MS,
      by: ["worker"],
      once: true,
      run: () => keptAnswers.forget(),
    },
    { name: "ledger.sweep", everyMs: LEASE_SWEEP_MS, by: ["worker"], once: true, run: () => recall.sweep() },
    { name: "ledger.journal", everyMs: JOURNAL_MS, by: ["worker"], once: true, run: () => journal.write() },
    {
      name: "ledger.reconcile",
      everyMs: RECONCILIATION_MS,
      by: ["worker"],
      once: true,
      run: () => reconciliation.run(),
    },
    { name: "funding.finish-blocks", everyMs: BLOCK_FINISH_MS, by: ["worker"], once: true, run: () => blocks.finish() },
    { name: "pricing.fix", everyMs: FIXING_MS, by: ["worker"], once: true, run: () => pricing.fixHour() },
    { name: "statements.advance", everyMs: STATEMENTS_MS, by: ["worker"], once: true, run: () => statements.advance() },
    {
      name: "payouts.run",
      everyMs: config.payouts.runIntervalMs,
      by: ["worker"],
      once: true,
      run: () => payouts.runDue(),
    },
    { name: "funding.use", everyMs: CREDIT_USE_MS, by: ["worker"], once: true, run: () => funding.sumUpUse() },
    // Besides, whenever prices or rate cards move; what captures and expiry change is seen within the interval.
    {
      name: "funding.coverage",
      everyMs: COVERAGE_MS,
      by: ["worker"],
      once: true,
      run: () => funding.coverageWatch.evaluate(),
    },
    { name: "funding.expire", everyMs: EXPIRY_MS, by: ["worker"], once: true, run: () => funding.expireLots() },
    {
      name: "funding.servicing",
      everyMs: SERVICING_MS,
      by: ["worker"],
      once: true,
      run: () => funding.chargeServicing(),
    },
    { name: "sla.probe", everyMs: config.sla.probeIntervalMs, by: ["worker"], once: true, run: probe },
    {
      name: "processes.announce",
      everyMs: ANNOUNCE_MS,
      by: ["api", "relay", "worker"],
      run: () => processes.announce(),
    },
    ...(config.testClock ? [followTestClock(system)] : []),
  ];
}

function followTestClock(system: Services["system"]): Work {
  const by = ["api", "relay", "worker"] as const;
  return { name: "system.clock", everyMs: TEST_CLOCK_MS, by, run: () => system.followTestClock() };
}

/** By the real time, whatever a test clock says: a reader that is away for a minute has missed nothing. */
async function trimOutbox(outbox: Services["outbox"], retentionDays: number): Promise<void> {
  await outbox.trim(new Date(Date.now() - retentionDays * DAY_MS));
}
