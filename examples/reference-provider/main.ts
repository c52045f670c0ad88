/**
 * Runs the reference provider as a process: `node main.js CONFIG`, or CONFIG in the variable REFERENCE_PROVIDER.
 * CONFIG is the JSON of ReferenceProviderOptions, or the path of a file with it (keys do not belong on a command line).
 * Prints one line of JSON when it listens; SIGTERM lets requests end for five seconds.
 */
import { readFileSync } from "node:fs";
import { type ReferenceProviderOptions, startReferenceProvider } from "./server";

const DRAIN_MS = 5000;
const EXIT_CONFIG = 78;

interface ProcessOptions extends ReferenceProviderOptions {
  /** For a parent that holds our stdin open: we leave when it dies, however it dies. */
  exitWhenStdinCloses?: boolean;
}

function readOptions(): ProcessOptions {
  const config = process.argv[2] ?? process.env.REFERENCE_PROVIDER;
  if (!config) throw new Error("No configuration: give JSON or a path as argument or in REFERENCE_PROVIDER.");
  const options = JSON.parse(
    config.trimStart().startsWith("{") ? config : readFileSync(config, "utf8"),
  ) as ProcessOptions;
  const missing = (["tls", "clientCaPem", "issuer", "models"] as const).filter((name) => options[name] === undefined);
  if (missing.length > 0) throw new Error(`Missing in the configuration: ${missing.join(", ")}.`);
  return options;
}

async function main(): Promise<void> {
  const options = readOptions();
  const provider = await startReferenceProvider(options);
  const stop = () => void provider.close(DRAIN_MS).then(() => process.exit(0));
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  if (options.exitWhenStdinCloses) process.stdin.resume().once("close", () => process.exit(0));
  console.log(JSON.stringify({ url: provider.url, pid: process.pid, controlUrl: provider.controlUrl }));
}

main().catch((error: Error) => {
  console.error(`The reference provider did not start: ${error.message}`);
  process.exit(EXIT_CONFIG);
});
