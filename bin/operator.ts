/** The way in for whoever owns the machine: makes the operator organisation if it is missing, and a new key to it. */
import { Accounts } from "../src/accounts/accounts";
import { MemoryBus } from "../src/events/event-bus";
import { systemClock } from "../src/platform/clock";
import type { Config } from "../src/platform/config";
import { createLog } from "../src/platform/log";
import { installShutdown, type Shutdown } from "../src/platform/shutdown";
import { configOrExit, EXIT_USAGE } from "./environment";
import { startFailure } from "./start-failure";
import { openPepper, openStore } from "./store";

const USAGE = "Usage: npm run operator [-- NAME]    (the name of the operator organisation; Operator when left out)";

function nameOrExit([name = "Operator", ...rest]: readonly string[]): string {
  if (rest.length === 0 && name !== "" && !name.startsWith("-")) return name;
  console.error(USAGE);
  process.exit(EXIT_USAGE);
}

async function bootstrap(config: Config, name: string, shutdown: Shutdown): Promise<void> {
  const { db } = await openStore(config, createLog({ level: "silent" }), shutdown);
  const bus = new MemoryBus((error) => console.error(error));
  const accounts = new Accounts({ db, bus, clock: systemClock, pepper: await openPepper(config) });
  const { organisation, secret } = await accounts.bootstrapOperator(name);
  console.log(`Operator "${organisation.name}". Its key, shown this once:\n\n  ${secret}\n`);
  console.log("Send it as `Authorization: Bearer …`. The mutation apiKeyRevoke ends it.");
}

async function main(): Promise<void> {
  const name = nameOrExit(process.argv.slice(2));
  const config = configOrExit();
  const shutdown = installShutdown({ log: createLog({ level: "warn", pretty: true }) });
  try {
    await bootstrap(config, name, shutdown);
    await shutdown.stop("done");
  } catch (error) {
    console.error(startFailure(error, config.databaseUrl));
    await shutdown.stop("failed", 1);
  }
}

void main();
