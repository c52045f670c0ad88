/** What the relay is measured in: PostgreSQL, the mock provider, the relay with a market, and its peers, all on this machine. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { startEmbeddedPostgres } from "../src/platform/embedded-postgres";
import { createCertificateAuthority, issueServerCertificate } from "../src/upstreams/certificates";
import type { Market } from "./market";
import { cpuMicrosOfFamily, type Entrant, pinSelf, startEntrant, unpinSelf } from "./processes";
import { MODEL } from "./provider-answers";
import type { Target } from "./raw-client";
import { startNginx, startPortkey } from "./relay-peers";

const ENTRANT_CORE = 0;
const LOAD_CORE = 1;

export interface Contestant {
  readonly name: string;
  readonly target: Target;
  /** Null: nobody stands between. */
  readonly pid: number | null;
}

export interface World {
  /** In the order in which they are measured: direct first, the relay last. */
  readonly contestants: readonly Contestant[];
  readonly relay: Entrant;
  readonly providerPid: number;
  readonly postgres: PostgresFigures;
  readonly directory: string;
}

export interface PostgresFigures {
  /** Of the process whose children do the work. */
  readonly pid: number;
  /** Transactions that wrote, so far. */
  writes(): Promise<number>;
  cpuMicros(): number | null;
}

type Identity = { readonly ca: string; readonly certPem: string; readonly keyPem: string };
type Opening = { readonly closers: (() => Promise<unknown>)[]; readonly directory: string };

/** Opens it for `work`, and closes all of it however that ends. */
export async function inWorld(peers: readonly string[], work: (world: World) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "exergy-bench-"));
  const closers: (() => Promise<unknown>)[] = [];
  try {
    await work(await open({ closers, directory }, peers));
  } finally {
    for (const close of closers.reverse()) await close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function open(opening: Opening, peers: readonly string[]): Promise<World> {
  const { closers, directory } = opening;
  // It stays free to run on either core; only the entrants and the load are pinned.
  unpinSelf();
  const postgres = await startEmbeddedPostgres(directory);
  pinSelf(LOAD_CORE);
  closers.push(() => postgres.stop());
  const database = new Client({ connectionString: postgres.url });
  await database.connect();
  closers.push(() => database.end());
  const relay = startEntrant(join(__dirname, "entrants/relay.js"), [], {
    core: ENTRANT_CORE,
    environment: {
      DATABASE_URL: postgres.url,
      DATA_DIR: join(directory, "relay"),
      ROLES: "relay,worker",
      PORT: "0",
      RELAY_PORT: "0",
      RELAY_IN_FLIGHT_MAX: "10000",
      // On, and out of the way.
      RELAY_KEY_REQUESTS_PER_MINUTE: "2000000000",
      RELAY_KEY_TOKENS_PER_MINUTE: "2000000000",
      RELAY_KEY_CONCURRENT_REQUESTS: "10000",
      RELAY_ORGANISATION_REQUESTS_PER_MINUTE: "2000000000",
      RELAY_ORGANISATION_TOKENS_PER_MINUTE: "2000000000",
      RELAY_ORGANISATION_CONCURRENT_REQUESTS: "10000",
      PUBLIC_URL: "http://localhost:4000",
      ALLOW_LOOPBACK_UPSTREAMS: "true",
      LOG_LEVEL: "warn",
    },
  });
  closers.push(() => relay.stop());
  const { url, identity } = await relay.next<{ url: string; identity: Identity }>();
  const provider = await openProvider(opening, identity);
  const { apiKey } = await relay.ask<Market>({ do: "market", url: provider.url, caPem: provider.caPem, model: MODEL });
  const tls = { ca: provider.caPem, cert: identity.certPem, key: identity.keyPem };
  const among = await openPeers(opening, peers, { ...provider, tls });
  const headers = { authorization: `Bearer ${apiKey}` };
  return {
    contestants: [...among, { name: "relay", target: { url, headers }, pid: relay.child.pid ?? null }],
    relay,
    providerPid: provider.pid,
    postgres: figuresOf(database, postgres.directory),
    directory,
  };
}

interface Provider {
  readonly pid: number;
  readonly url: string;
  readonly plainUrl: string;
  readonly caPem: string;
}

async function openProvider({ closers }: Opening, identity: Identity): Promise<Provider> {
  const authority = await createCertificateAuthority("Bench provider");
  const tls = await issueServerCertificate(authority, { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] });
  const options = JSON.stringify({ tls, clientCaPem: identity.ca });
  const entrant = startEntrant(join(__dirname, "entrants/mock-provider.js"), [options], { core: LOAD_CORE });
  closers.push(() => entrant.stop());
  const urls = await entrant.next<{ url: string; plainUrl: string }>();
  return { ...urls, pid: entrant.child.pid!, caPem: authority.certPem };
}

async function openPeers(
  { closers, directory }: Opening,
  wanted: readonly string[],
  { url, plainUrl, tls }: Provider & { tls: NonNullable<Target["tls"]> },
): Promise<Contestant[]> {
  const peers: Contestant[] = [];
  if (wanted.includes("direct")) peers.push({ name: "direct", target: { url, headers: {}, tls }, pid: null });
  const nginx = wanted.includes("nginx")
    ? await startNginx({ core: ENTRANT_CORE, directory, providerUrl: url, tls })
    : null;
  if (nginx !== null) {
    closers.push(() => nginx.stop());
    peers.push({ name: "nginx", target: { url: nginx.url, headers: {} }, pid: nginx.pid });
  }
  if (wanted.includes("plain")) {
    const options = JSON.stringify({ target: url, tls });
    const plain = startEntrant(join(__dirname, "entrants/plain-proxy.js"), [options], { core: ENTRANT_CORE });
    closers.push(() => plain.stop());
    const opened = await plain.next<{ url: string }>();
    peers.push({ name: "plain", target: { url: opened.url, headers: {} }, pid: plain.child.pid ?? null });
  }
  if (wanted.includes("portkey")) {
    const portkey = await startPortkey(ENTRANT_CORE);
    closers.push(() => portkey.stop());
    const headers = {
      authorization: "Bearer none",
      "x-portkey-provider": "openai",
      "x-portkey-custom-host": `${plainUrl}/v1`,
    };
    peers.push({ name: "portkey *", target: { url: portkey.url, headers }, pid: portkey.pid });
  }
  return peers;
}

function figuresOf(database: Client, directory: string): PostgresFigures {
  const postmaster = Number(readFileSync(join(directory, "postmaster.pid"), "utf8").split("\n", 1)[0]);
  return {
    pid: postmaster,
    async writes() {
      const { rows } = await database.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next");
      return Number(rows[0].next);
    },
    cpuMicros: () => cpuMicrosOfFamily(postmaster),
  };
}
