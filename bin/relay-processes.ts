/** Several processes that relay behind one port, for a process that does everything else beside them. */
import { extname, join } from "node:path";
import type { EventBus } from "../src/events/event-bus";
import { FamilyBus } from "../src/events/family-bus";
import { ChildProcesses } from "../src/platform/child-processes";
import { systemClock } from "../src/platform/clock";
import type { Config } from "../src/platform/config";
import type { Log } from "../src/platform/log";
import type { Metrics } from "../src/platform/metrics";
import { BORROW, type BorrowQuestion } from "../src/relay/limits/allowance-store";
import { CommonAllowances } from "../src/relay/limits/common-allowances";

/** What such a process is told: it reads no environment of its own. */
export interface RelayBeginning {
  readonly config: Config;
}

export interface RelayProcesses {
  /** Resolves with the port that they share. Errors: ChildFailed. */
  start(): Promise<number>;
  /** Drains all of them. */
  stop(): Promise<void>;
}

export interface RelayProcessesOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly bus: EventBus;
  readonly databaseUrl: string;
}

/** Queued writes and leases that go back, after the grace of open streams. */
const AFTER_DRAIN_MS = 15_000;
/** A scrape does not wait for a process that is busy or gone. */
const SCRAPE_MS = 1_000;

export function openRelayProcesses(
  config: Config,
  { log, metrics, bus, databaseUrl }: RelayProcessesOptions,
): RelayProcesses {
  const { processes } = config.relay;
  const beginning: RelayBeginning = {
    config: {
      ...config,
      databaseUrl,
      roles: ["relay"],
      relay: { ...config.relay, processes: 1 },
      // Each has connections of its own for settlements and leases besides.
      databasePoolMax: Math.max(2, Math.ceil(config.databasePoolMax / processes)),
    },
  };
  // The limits that they share, unless Redis keeps them.
  const allowances = new CommonAllowances(() => systemClock.nowMs());
  const children = new ChildProcesses({
    program: join(__dirname, `relay-process${extname(__filename)}`),
    count: processes,
    beginningOf: () => beginning,
    joined(line) {
      line.answer(BORROW, async ({ keys, values }: BorrowQuestion) => allowances.borrow(keys, values));
      return bus instanceof FamilyBus ? bus.join(line) : () => undefined;
    },
    log,
  });
  metrics.alsoOf(async () => {
    const texts = await Promise.all(children.lines.map((line) => line.ask<string>("metrics", SCRAPE_MS)));
    return texts.flatMap((text) => text ?? []);
  });
  metrics.gauge({
    name: "exergy_relay_processes",
    help: "Processes that relay behind one port and are alive.",
    read: () => children.alive,
  });
  metrics.gauge({
    name: "exergy_relay_process_deaths",
    help: "Relay processes that ended unasked since the start; each was replaced.",
    read: () => children.deaths,
  });
  return {
    async start() {
      const ports = (await children.start()) as number[];
      return ports[0]!;
    },
    stop: () => children.stop(config.drainGraceMs + AFTER_DRAIN_MS),
  };
}
