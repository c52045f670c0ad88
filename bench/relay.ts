/** The relay against the plain proxy and against no proxy at all, in one run, interleaved; prints ratios and the machine. */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../src/platform/embedded-postgres";
import { createCertificateAuthority, issueServerCertificate } from "../src/upstreams/certificates";
import { median, percentile, table } from "./figures";
import { Load, type Run, type Target } from "./load";
import type { Market } from "./market";
import { cpuMicros, type Entrant, pinSelf, startEntrant } from "./processes";

const MODEL = "bench-8b";
const ENTRANT_CORE = 0;
const LOAD_CORE = 1;
const CLIENTS = 64;

interface Setting {
  readonly rounds: number;
  readonly throughputMs: number;
  readonly latencyMs: number;
}

const full: Setting = { rounds: 5, throughputMs: 4_000, latencyMs: 2_500 };
const quick: Setting = { rounds: 2, throughputMs: 1_500, latencyMs: 1_000 };

interface Contestant {
  readonly name: string;
  readonly target: Target;
  readonly pid: number | null;
  readonly requestsPerSecond: number[];
  readonly p99Ms: number[];
  readonly cpuMicrosPerRequest: number[];
  readonly oneClientMs: number[];
  readonly firstContentMs: number[];
  failures: number;
}

export async function benchRelay(args: readonly string[]): Promise<void> {
  const setting = args.includes("--quick") ? quick : full;
  const directory = mkdtempSync(join(tmpdir(), "exergy-bench-"));
  // PostgreSQL first: it stays free to run on either core, only the entrants and the load are pinned.
  const postgres = await startEmbeddedPostgres(directory);
  const pinned = pinSelf(LOAD_CORE);
  const entrants: Entrant[] = [];
  try {
    const contestants = await open(directory, postgres.url, entrants);
    for (const contestant of contestants) await measure(contestant, { rounds: 1, throughputMs: 1_500, latencyMs: 500 });
    for (const contestant of contestants) forget(contestant);
    for (let round = 0; round < setting.rounds; round++)
      for (const contestant of contestants) await measure(contestant, setting);
    report(contestants, setting, pinned);
  } finally {
    await Promise.all(entrants.map((entrant) => entrant.stop()));
    await postgres.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function open(directory: string, databaseUrl: string, entrants: Entrant[]): Promise<Contestant[]> {
  const relay = startEntrant(join(__dirname, "entrants/relay.js"), [], {
    core: ENTRANT_CORE,
    environment: {
      DATABASE_URL: databaseUrl,
      DATA_DIR: join(directory, "relay"),
      PORT: "0",
      RELAY_PORT: "0",
      PUBLIC_URL: "http://localhost:4000",
      ALLOW_LOOPBACK_UPSTREAMS: "true",
      LOG_LEVEL: "warn",
    },
  });
  entrants.push(relay);
  const opened = await relay.next<{
    url: string;
    identity: { ca: string; certPem: string; keyPem: string };
    jwks: unknown;
  }>();
  const authority = await createCertificateAuthority("Bench provider");
  const provider = startEntrant(
    join(__dirname, "../examples/reference-provider/main.js"),
    [
      JSON.stringify({
        tls: await issueServerCertificate(authority, { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] }),
        clientCaPem: opened.identity.ca,
        issuer: "http://localhost:4000",
        jwks: opened.jwks,
        audience: "bench",
        models: [{ id: MODEL, contextLength: 131_072, decodeTokensPerSecond: 1_000, timeToFirstTokenMs: 0 }],
        pace: false,
        // Checking tokens costs the provider more than everything else; it would be measured instead of the relay.
        verifyTokens: false,
      }),
    ],
    { core: LOAD_CORE },
  );
  entrants.push(provider);
  const { url } = await provider.next<{ url: string }>();
  relay.child.stdin!.write(`${JSON.stringify({ url, caPem: authority.certPem, model: MODEL })}\n`);
  const market = await relay.next<Market>();
  const tls = { ca: authority.certPem, cert: opened.identity.certPem, key: opened.identity.keyPem };
  const plain = startEntrant(join(__dirname, "entrants/plain-proxy.js"), [JSON.stringify({ target: url, tls })], {
    core: ENTRANT_CORE,
  });
  entrants.push(plain);
  const { url: plainUrl } = await plain.next<{ url: string }>();
  return [
    contestant("direct", { url, headers: {}, tls }, null),
    contestant("plain proxy", { url: plainUrl, headers: {} }, plain.child.pid ?? null),
    contestant(
      "relay",
      { url: opened.url, headers: { authorization: `Bearer ${market.apiKey}` } },
      relay.child.pid ?? null,
    ),
  ];
}

function contestant(name: string, target: Target, pid: number | null): Contestant {
  return {
    name,
    target,
    pid,
    requestsPerSecond: [],
    p99Ms: [],
    cpuMicrosPerRequest: [],
    oneClientMs: [],
    firstContentMs: [],
    failures: 0,
  };
}

function forget(contestant: Contestant): void {
  for (const figures of [
    contestant.requestsPerSecond,
    contestant.p99Ms,
    contestant.cpuMicrosPerRequest,
    contestant.oneClientMs,
    contestant.firstContentMs,
  ]) {
    figures.length = 0;
  }
}

async function measure(contestant: Contestant, setting: Setting): Promise<void> {
  const load = new Load(contestant.target, CLIENTS);
  const before = contestant.pid === null ? null : cpuMicros(contestant.pid);
  const busy = await load.run(body(false), { clients: CLIENTS, durationMs: setting.throughputMs });
  const after = contestant.pid === null ? null : cpuMicros(contestant.pid);
  contestant.requestsPerSecond.push(busy.requests / busy.seconds);
  contestant.p99Ms.push(percentile(busy.latenciesMs, 0.99));
  if (before !== null && after !== null)
    contestant.cpuMicrosPerRequest.push((after - before) / Math.max(1, busy.requests));
  const alone = await load.run(body(false), { clients: 1, durationMs: setting.latencyMs });
  contestant.oneClientMs.push(...alone.latenciesMs);
  const streamed = await load.run(body(true), { clients: 1, durationMs: setting.latencyMs, toContent: true });
  contestant.firstContentMs.push(...streamed.latenciesMs);
  contestant.failures += failures(busy) + failures(alone) + failures(streamed);
  await load.close();
}

const failures = (run: Run): number => run.failures;

function body(stream: boolean): Buffer {
  return Buffer.from(
    JSON.stringify({
      model: MODEL,
      stream,
      max_tokens: 24,
      messages: [{ role: "user", content: "Say in one sentence what exergy is, please, and stop." }],
    }),
  );
}

function report(contestants: readonly Contestant[], setting: Setting, pinned: boolean): void {
  const [direct, plain, relay] = contestants as [Contestant, Contestant, Contestant];
  const ms = (value: number) => value.toFixed(2);
  const added = (of: (c: Contestant) => readonly number[], c: Contestant, share: number) =>
    ms(percentile(of(c), share) - percentile(of(direct), share));
  const rows = contestants.map((c) => [
    c.name,
    median(c.requestsPerSecond).toFixed(0),
    (median(c.requestsPerSecond) / median(plain.requestsPerSecond)).toFixed(2),
    ms(median(c.p99Ms)),
    c.cpuMicrosPerRequest.length === 0 ? "–" : median(c.cpuMicrosPerRequest).toFixed(0),
    `${added((x) => x.oneClientMs, c, 0.5)} / ${added((x) => x.oneClientMs, c, 0.99)}`,
    `${added((x) => x.firstContentMs, c, 0.5)} / ${added((x) => x.firstContentMs, c, 0.99)}`,
    String(c.failures),
  ]);
  console.log(
    table(
      [
        "entrant",
        `req/s c=${CLIENTS}`,
        "× plain",
        "p99 ms",
        "CPU µs/req",
        "c=1 added p50 / p99 ms",
        "first token added p50 / p99 ms",
        "failed",
      ],
      rows,
    ),
  );
  console.log(
    `\n${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}, Node ${process.version}; ${setting.rounds} interleaved rounds, medians; ` +
      `${pinned ? "entrant on core 0, load and provider on core 1, PostgreSQL on either" : "not pinned"}; fsync on; all entrants speak mTLS to the provider.`,
  );
  console.log(
    JSON.stringify({
      bench: "relay",
      ratioToPlain: Number((median(relay.requestsPerSecond) / median(plain.requestsPerSecond)).toFixed(3)),
      firstTokenAddedP99Ms: Number(added((x) => x.firstContentMs, relay, 0.99)),
      failed: relay.failures,
    }),
  );
}
