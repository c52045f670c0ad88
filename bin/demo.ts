/** `npm run demo`: lends the demo a marketplace in this process, and stops everything in the end. */
import { randomBytes } from "node:crypto";
import { mkdirSync, openSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { BankProcess } from "../demo/bank-process";
import { Demo } from "../demo/demo";
import type { DemoHost, Marketplace } from "../demo/host";
import { parseOptions, USAGE } from "../demo/options";
import type { Config } from "../src/platform/config";
import { createLog, type Log } from "../src/platform/log";
import { installShutdown, type Shutdown } from "../src/platform/shutdown";
import { createCertificateAuthority, issueServerCertificate } from "../src/upstreams/certificates";
import { EXIT_USAGE, readOrExit } from "./environment";
import { startExergy } from "./exergy";
import { startFailure } from "./start-failure";

/** Providers on this machine; and nobody who watches wants to wait a quarter of a minute for a probe. */
const demoSettings = {
  PAYOUT_RUN_INTERVAL_MS: "500",
  ALLOW_LOOPBACK_UPSTREAMS: "true",
  SLA_PROBE_INTERVAL_MS: "3000",
  SLA_EVALUATION_INTERVAL_MS: "1000",
};

/** The demo shows all of it, in this process. */
const wholeMarketplace = { ROLES: "api,relay,worker" };

/** Certificates and the signing key are found again from run to run; the operator's name says what the keys are for. */
const OPERATOR = "Exergy demo operator";

/** Of `.env` nothing is read: it may name a database that is no playground. */
function readSettings(): Config {
  const config = readOrExit({ ...demoSettings, ...process.env, ...wholeMarketplace });
  return config.publicUrl === undefined ? { ...config, publicUrl: `http://localhost:${config.port}` } : config;
}

/**
 * A database of the demo's own, whose time may be moved: `npm start` beside it goes on in the real one. A database that was
 * named keeps the real time, and no month passes in it.
 */
async function withBank(config: Config, shutdown: Shutdown): Promise<Config> {
  if (config.databaseUrl !== undefined) return config;
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const bank = await BankProcess.start({
    program: require.resolve("../examples/simulated-bank/main"),
    secret,
    // Without a port of its own the marketplace cannot be told, and asks.
    ...(config.port === 0 ? {} : { callbackUrl: `http://127.0.0.1:${config.port}/webhooks/bank` }),
  });
  shutdown.add("the simulated bank", () => bank.stop());
  const rail = { kind: "simulated-bank" as const, bankUrl: bank.url };
  return {
    ...config,
    dataDirectory: join(config.dataDirectory, "demo"),
    testClock: true,
    payouts: { ...config.payouts, rail, callbackSecrets: [secret] },
  };
}

async function open(settings: Config, log: Log, shutdown: Shutdown): Promise<Marketplace> {
  const config = await withBank(settings, shutdown);
  const exergy = await startExergy(config, log, shutdown).catch((cause: unknown) => {
    throw new Error(startFailure(cause, config.databaseUrl), { cause });
  });
  log.info({ api: exergy.apiUrl, relay: exergy.relayUrl }, "Exergy is up for the demo");
  const { secret } = await exergy.services.accounts.bootstrapOperator(OPERATOR);
  const place =
    exergy.database === "embedded"
      ? `embedded PostgreSQL, data in ${config.dataDirectory}`
      : "the PostgreSQL of DATABASE_URL";
  return {
    apiUrl: exergy.apiUrl,
    relayUrl: exergy.relayUrl!,
    database: place,
    operatorKey: secret,
    issuer: config.publicUrl!,
    jwksUrl: `${exergy.apiUrl}/.well-known/jwks.json`,
    clientCaPem: exergy.identity.clientCaPem,
    providerProgram: require.resolve("../examples/reference-provider/main"),
    async newServerIdentity(owner) {
      const ca = await createCertificateAuthority(`${owner} CA`);
      const tls = await issueServerCertificate(ca, { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] });
      return { caPem: ca.certPem, tls };
    },
  };
}

/** The terminal belongs to the demo: what the server has to say goes to a file, made when there is a first line. */
function logTo(file: string, config: Config): Log {
  let descriptor: number | undefined;
  const write = (line: string) => {
    if (descriptor === undefined) {
      mkdirSync(dirname(file), { recursive: true });
      descriptor = openSync(file, "w", 0o600);
    }
    writeSync(descriptor, line);
  };
  return createLog({ level: config.logLevel, write });
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) {
    console.error(USAGE);
    process.exit(EXIT_USAGE);
  }
  const config = readSettings();
  const logFile = join(config.dataDirectory, "demo.log");
  const log = logTo(logFile, config);
  const shutdown = installShutdown({ log });
  // A spinner that is cut off leaves the cursor hidden.
  if (process.stdout.isTTY) process.once("exit", () => process.stdout.write("\u001b[?25h"));
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      stopping = true;
    });
  }
  const host: DemoHost = {
    open: () => open(config, log, shutdown),
    onStop: (name, stop) => shutdown.add(name, stop),
    isStopping: () => stopping,
  };
  try {
    const wrong = await new Demo(host, options, join(config.dataDirectory, "demo.json")).run();
    for (const { claim, detail } of wrong) console.error(`Does not add up: ${claim}: ${detail}`);
    if (options.once || wrong.length > 0) await shutdown.stop("the demo is over", wrong.length > 0 ? 1 : 0);
  } catch (error) {
    log.error({ err: error }, "the demo failed");
    console.error(`\n${error instanceof Error ? error.message : error}\nMore in ${logFile}`);
    await shutdown.stop("the demo failed", 1);
  }
}

void main();
