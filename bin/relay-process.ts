/** One of several processes that relay behind one port: started, told what to do and stopped by the process that everything else runs in. */
import { beginAsChild } from "../src/platform/child-processes";
import { createLog } from "../src/platform/log";
import { installShutdown } from "../src/platform/shutdown";
import { startExergy } from "./exergy";
import type { RelayBeginning } from "./relay-processes";
import { startFailure } from "./start-failure";

const AFTER_DRAIN_MS = 15_000;

async function main(): Promise<void> {
  const { line, number, beginning } = await beginAsChild<RelayBeginning>();
  const { config } = beginning;
  const log = createLog({ level: config.logLevel, pretty: process.stdout.isTTY === true }).child({ process: number });
  const shutdown = installShutdown({ log, deadlineMs: config.drainGraceMs + AFTER_DRAIN_MS });
  line.on("stop", () => void shutdown.stop("told to"));
  try {
    const { relayUrl } = await startExergy(config, log, shutdown, { line, number });
    line.tell("up", Number(new URL(relayUrl!).port));
  } catch (error) {
    line.tell("failed", startFailure(error, config.databaseUrl));
    await shutdown.stop("could not start", 1);
  }
}

void main();
