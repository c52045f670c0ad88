/** The relay with everything on: keys, holds, routing, relay tokens, settlement, decisions, SLA counters, jobs. */
import { startExergy } from "../../bin/exergy";
import { readConfig } from "../../src/platform/config";
import { createLog } from "../../src/platform/log";
import { installShutdown } from "../../src/platform/shutdown";
import { openMarket } from "../market";

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog({ level: config.logLevel, write: (line) => process.stderr.write(line) });
  const shutdown = installShutdown({ log });
  const exergy = await startExergy(config, log, shutdown);
  process.stdout.write(
    `${JSON.stringify({ url: exergy.relayUrl, identity: { ca: exergy.identity.clientCaPem, ...exergy.identity.client }, jwks: exergy.identity.jwks })}\n`,
  );
  // The provider can only be started once our CA is known, and registered once it runs: the bench sends its address back.
  process.stdin.once("data", (line: Buffer) => {
    const provider = JSON.parse(line.toString()) as { url: string; caPem: string; model: string };
    openMarket(exergy.services, provider).then(
      (market) => process.stdout.write(`${JSON.stringify(market)}\n`),
      (error: unknown) => void shutdown.stop(String(error), 1),
    );
  });
}

void main();
