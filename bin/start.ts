/** Production start: reads the configuration, starts everything in this process, drains on a signal. */
import { createLog } from "../src/platform/log";
import { installShutdown } from "../src/platform/shutdown";
import { configOrExit } from "./environment";
import { startExergy } from "./exergy";
import { startFailure, withoutPassword } from "./start-failure";

/** Beyond the grace of open streams: settling, closing pools, PostgreSQL's last checkpoint. */
const AFTER_DRAIN_MS = 20_000;

async function main(): Promise<void> {
  const config = configOrExit();
  const log = createLog({ level: config.logLevel, pretty: process.stdout.isTTY === true });
  const shutdown = installShutdown({ log, deadlineMs: config.drainGraceMs + AFTER_DRAIN_MS });
  try {
    const exergy = await startExergy(config, log, shutdown);
    log.info(
      {
        database: `${exergy.database} at ${withoutPassword(exergy.databaseUrl)}`,
        ...(exergy.database === "embedded" ? { data: config.dataDirectory } : {}),
        roles: config.roles.join(","),
        ...(config.roles.includes("relay") ? { relayProcesses: config.relay.processes } : {}),
        bus: exergy.bus,
        ...(config.roles.includes("api")
          ? { graphql: `${exergy.apiUrl}/graphql` }
          : { health: `${exergy.apiUrl}/healthz` }),
        ...(exergy.relayUrl === null ? {} : { relay: `${exergy.relayUrl}/v1` }),
      },
      "Exergy is up",
    );
  } catch (error) {
    console.error(startFailure(error, config.databaseUrl));
    await shutdown.stop("could not start", 1);
  }
}

void main();
