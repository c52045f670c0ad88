/** The relay with everything on: keys, holds, routing, relay tokens, settlement, decisions, SLA counters, jobs. */
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { startExergy } from "../../bin/exergy";
import { readConfig } from "../../src/platform/config";
import { createLog } from "../../src/platform/log";
import { installShutdown } from "../../src/platform/shutdown";
import { answerCommands, say } from "../commands";
import { timeCommits } from "../commit-timing";
import { openMarket } from "../market";

const SAMPLE_EVERY_MICROS = 200;

async function main(): Promise<void> {
  const takeCommits = timeCommits("metering-commit");
  const config = readConfig(process.env);
  const log = createLog({ level: config.logLevel, write: (line) => process.stderr.write(line) });
  const shutdown = installShutdown({ log });
  const exergy = await startExergy(config, log, shutdown);
  const { clientCaPem: ca, client, jwks } = exergy.identity;
  say({ url: exergy.relayUrl, identity: { ca, ...client }, jwks });
  const inspector = new Session();
  await answerCommands({
    // The provider can only be started once our CA is known, and registered once it runs: the bench sends its address back.
    market: (provider: { url: string; caPem: string; model: string }) => openMarket(exergy.services, provider),
    commits: takeCommits,
    async profile() {
      inspector.connect();
      await inspector.post("Profiler.enable");
      await inspector.post("Profiler.setSamplingInterval", { interval: SAMPLE_EVERY_MICROS });
      await inspector.post("Profiler.start");
    },
    async profiled({ path }: { path: string }) {
      const { profile } = await inspector.post("Profiler.stop");
      inspector.disconnect();
      writeFileSync(path, JSON.stringify(profile));
    },
  });
}

void main();
