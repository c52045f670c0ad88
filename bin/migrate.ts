/** Applies the migrations that are missing and exits. */
import { createLog } from "../src/platform/log";
import { installShutdown } from "../src/platform/shutdown";
import { configOrExit } from "./environment";
import { startFailure } from "./start-failure";
import { openStore } from "./store";

async function main(): Promise<void> {
  const config = configOrExit();
  const shutdown = installShutdown({ log: createLog({ level: "warn", pretty: true }) });
  try {
    const { migrated } = await openStore(config, createLog({ level: "silent" }), shutdown);
    console.log(migrated.length === 0 ? "Nothing to migrate." : `Migrated: ${migrated.join(", ")}.`);
    await shutdown.stop("done");
  } catch (error) {
    console.error(startFailure(error, config.databaseUrl));
    await shutdown.stop("failed", 1);
  }
}

void main();
