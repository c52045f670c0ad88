/** What every program in bin/ begins with: .env if there is one, then the configuration, checked whole. */
import { existsSync } from "node:fs";
import { type Config, ConfigError, readConfig } from "../src/platform/config";

/** EX_CONFIG of sysexits.h. */
export const EXIT_CONFIG = 78;
/** EX_USAGE of sysexits.h. */
export const EXIT_USAGE = 64;

/** What the shell sets goes before `.env`. Ends the process with every fault in one message when there is any. */
export function configOrExit(): Config {
  if (existsSync(".env")) process.loadEnvFile(".env");
  return readOrExit(process.env);
}

/** As configOrExit, from these variables alone. */
export function readOrExit(environment: Readonly<Record<string, string | undefined>>): Config {
  try {
    return readConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(EXIT_CONFIG);
  }
}
