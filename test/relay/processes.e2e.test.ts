/** Several relay processes behind one port, on one machine without Redis: the money is right, no death is noticed for long, all of them drain. */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiKeyRevokeDocument, CreditBlockDocument, ProcessesDocument } from "../../codegen/generated/graphql";
import { UsageRecord } from "../../entities/usage-record";
import { encodeId } from "../../schema/node";
import { TEMPLATE_TOKENS_MAX } from "../../src/metering/usage-bounds";
import { newId } from "../../src/platform/ids";
import { priceNanoCredit } from "../../src/pricing/quote";
import { Program } from "../demo/program";
import { apiClient } from "../support/api-client";
import { until } from "../support/leftovers";
import { type RawExchange, send } from "../support/raw-request";
import { ISSUER, openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, delta, httpAnswer, type ScriptedRequest, streamHead } from "../support/scripted-provider";

jest.setTimeout(180_000);

/** Five processes start on a machine that may be busy with others. */
const PATIENCE_MS = 60_000;

const MODEL = "acme/scripted";
const messages = [{ role: "user" as const, content: "How many are you?" }];
const promptTokens = Buffer.byteLength(JSON.stringify(messages)) + TEMPLATE_TOKENS_MAX;
const home = join(tmpdir(), `exergy-processes-${randomBytes(6).toString("hex")}`);

let world: RelayWorld;
let provider: WorldProvider;
let program: Program;
let api: string;
let relay: string;

beforeAll(async () => {
  mkdirSync(home);
  world = await openRelayWorld({
    relays: 0,
    providers: [{ model: MODEL, scripted: true }],
    secretsDirectory: join(home, "secrets"),
  });
  provider = world.providers[0]!;
  await world.services.routing.refresh();
});
/** One program serves all that leave it as they found it: what ends it comes last, and what is after that starts another. */
beforeEach(async () => {
  if (program?.isRunning()) return;
  program = new Program("start", { directory: home, environment: environment() });
  await program.says("Exergy is up");
  const up = JSON.parse(program.stdout.split("\n").find((line) => line.includes("Exergy is up"))!) as Up;
  api = new URL(up.graphql).origin;
  relay = new URL(up.relay).origin;
  expect(up).toMatchObject({ bus: "among its processes", relayProcesses: 2 });
});
afterAll(async () => {
  await program?.clear();
  await world.stop();
  rmSync(home, { recursive: true, force: true });
});

const environment = () => ({
  PORT: "0",
  RELAY_PORT: "0",
  RELAY_PROCESSES: "2",
  DATABASE_URL: world.database.url,
  SECRETS_DIR: join(home, "secrets"),
  PUBLIC_URL: ISSUER,
  ALLOW_LOOPBACK_UPSTREAMS: "true",
  DRAIN_GRACE_MS: "30000",
  UPSTREAM_CONNECT_TIMEOUT_MS: "30000",
  // Its questions are none of those that are counted here.
  SLA_PROBE_INTERVAL_MS: "3600000",
});

interface Up {
  readonly graphql: string;
  readonly relay: string;
}

const ask = (startup: WorldStartup, body: object = {}) =>
  send(relay, { secret: startup.secret, body: { model: MODEL, messages, max_tokens: 100, ...body } });
/** A machine that is busy with other things may let the database wait for too long: a client would ask again. */
async function statusOf(startup: WorldStartup): Promise<number> {
  const { status } = await ask(startup).answer;
  return status === 503 ? statusOf(startup) : status;
}
/** One whose first word has come. */
async function openStream(startup: WorldStartup): Promise<RawExchange> {
  const exchange = ask(startup, { stream: true });
  const refused = () => (exchange.status() ?? 200) !== 200 || exchange.text().includes('"error"');
  await until("a first word", () => exchange.text().includes("one ") || refused(), PATIENCE_MS);
  return refused() ? openStream(startup) : exchange;
}
const answering =
  (text = "Hi") =>
  ({ socket }: ScriptedRequest) =>
    void socket.write(httpAnswer("200 OK", completion(text)));
const recordsOf = (startup: WorldStartup) =>
  world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id });
const leases = (...startupIds: string[]) =>
  world.rows<{ instance: string }>(
    "SELECT DISTINCT instance FROM lease WHERE state = 'ACTIVE' AND ($1 = '{}' OR startup_id = ANY ($1::uuid[]))",
    [startupIds],
  );
const metrics = async () => (await fetch(`${api}/metrics`)).text();

const relayPids = () => program.children();

function hold(completionTokens: number): bigint {
  const [route] = world.services.routing.routesOf(MODEL)!;
  return priceNanoCredit(route!.quote!, { promptTokens, completionTokens });
}

/** Streams one word, and the rest when the returned function is called. */
function streamsUntilTold(): () => void {
  const open: ScriptedRequest[] = [];
  provider.scripted.play((request) => {
    request.socket.write(`${streamHead}${delta("one ")}`);
    open.push(request);
  });
  return () => {
    for (const { socket } of open.splice(0)) socket.end(`${delta("two")}data: [DONE]\n\n`);
  };
}

test("two hundred requests at once, on credit for ten, are exactly ten", async () => {
  const startup = await world.addStartup(10n * hold(100));
  const waiting: ScriptedRequest[] = [];
  provider.scripted.play((request) => void waiting.push(request));
  let refused = 0;
  const answers = Array.from({ length: 200 }, async () => {
    const status = await statusOf(startup);
    if (status === 402) refused += 1;
    return status;
  });
  await until("all two hundred to be decided", () => waiting.length + refused === 200, PATIENCE_MS);
  expect({ running: waiting.length, refused }).toEqual({ running: 10, refused: 190 });
  for (const request of waiting) answering()(request);
  const statuses = await Promise.all(answers);
  expect(statuses.filter((status) => status === 200)).toHaveLength(10);
  const records = await recordsOf(startup);
  expect(records).toHaveLength(10);
  const { spentNanoCredit } = await world.services.ledger.balance(startup.id);
  expect(spentNanoCredit).toBe(records.reduce((sum, record) => sum + record.chargeNanoCredit, 0n));
  await world.expectBooksBalance();

  const text = await metrics();
  const served = [...text.matchAll(/^exergy_relay_requests_total\{.*process="(\d)"\} (\d+)$/gm)];
  expect(new Set(served.map(([, process]) => process))).toEqual(new Set(["1", "2"]));
  expect(served.reduce((sum, [, , count]) => sum + Number(count), 0)).toBeGreaterThanOrEqual(200);
  expect(text.match(/^# TYPE exergy_relay_requests_total counter$/gm)).toHaveLength(1);
  expect(text).toMatch(/^exergy_relay_processes 2$/m);
});

test("a key's minute is one for all of them", async () => {
  const startup = await world.addStartup();
  const { secret } = await world.services.accounts.createApiKey(world.operator, {
    organisationId: startup.id,
    name: "limited",
    scopes: ["INFER"],
    // One comes back each twelve seconds.
    limits: { requestsPerMinute: 5 },
  });
  provider.scripted.play(answering());
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ ...startup, secret }).answer));
  const statuses = answers.map(({ status }) => status);
  // Six on a machine that takes twelve seconds for it.
  expect([5, 6]).toContain(statuses.filter((status) => status === 200).length);
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  expect(await metrics()).toMatch(/^exergy_relay_limits_borrowed_total\{.*result="granted".*\} [1-9]/m);
});

test("what is done at the API reaches all of them: a block calls their leases back, a revoked key is refused", async () => {
  const startup = await world.addStartup();
  provider.scripted.play(answering());
  await until(
    "both to have borrowed",
    async () => {
      await Promise.all(Array.from({ length: 20 }, () => ask(startup).answer));
      return (await leases(startup.id)).length === 2;
    },
    PATIENCE_MS,
  );
  const { secret } = await world.services.accounts.createApiKey(world.operator, {
    organisationId: world.operator.organisationId,
    name: "test",
    scopes: ["READ", "WRITE", "ADMIN"],
  });
  const operator = apiClient(api, secret);
  const known = () => operator.read(ProcessesDocument).then(({ processes }) => processes.length);
  await until("each to be known", async () => (await known()) === 3, PATIENCE_MS);

  const input = { target: { startupId: encodeId("Startup", startup.id) }, reason: "DEFAULT_RISK" };
  const began = performance.now();
  const { creditBlock } = await operator.read(CreditBlockDocument, { input: input as never, idempotencyKey: newId() });
  expect(creditBlock.userErrors).toEqual([]);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(await statusOf(startup)).toBe(402);

  const other = await world.addStartup();
  for (let i = 0; i < 20; i++) expect(await statusOf(other)).toBe(200);
  await operator.read(ApiKeyRevokeDocument, { input: { id: encodeId("ApiKey", other.keyId) } as never });
  await until(
    "the key to be refused by both",
    async () => {
      const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await ask(other).answer).status));
      return statuses.every((status) => status === 401);
    },
    PATIENCE_MS,
  );
});

test("a port that is taken is told once, in words, and nothing stays behind", async () => {
  const port = new URL(relay).port;
  const second = new Program("start", { directory: home, environment: { ...environment(), RELAY_PORT: port } });
  expect(await second.ended).toEqual({ code: 1, signal: null });
  expect(second.stderr).toBe(
    `Cannot start: port ${port} is in use: set RELAY_PORT to a free one, or stop what listens there\n`,
  );
  expect(second.children()).toEqual([]);
});

test("SIGTERM drains all of them: no stream is cut, everything is settled", async () => {
  const startup = await world.addStartup();
  const finish = streamsUntilTold();
  const streams = await Promise.all(Array.from({ length: 40 }, () => openStream(startup)));
  program.child.kill("SIGTERM");
  await until("the drain", async () => (await fetch(`${api}/readyz`)).status === 503, PATIENCE_MS);
  finish();
  for (const { answer } of streams) expect(await answer).toMatchObject({ status: 200, broken: false });
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.left()).toEqual([]);
  expect(await recordsOf(startup)).toHaveLength(40);
  expect(await leases()).toEqual([]);
  await world.expectBooksBalance();
});

test("a process that is killed under load costs its own requests alone: the port serves on, and nothing is left stranded", async () => {
  const startup = await world.addStartup();
  const finish = streamsUntilTold();
  const before = await Promise.all(Array.from({ length: 40 }, () => openStream(startup)));
  const [victim] = relayPids();
  process.kill(victim!, "SIGKILL");
  await Promise.race(before.map(({ answer }) => answer));

  provider.scripted.play(answering());
  for (let i = 0; i < 20; i++) expect(await statusOf(startup)).toBe(200);
  await program.says(/a process took the place of one that ended/);
  expect(relayPids()).toHaveLength(2);
  expect(await metrics()).toMatch(/^exergy_relay_process_deaths 1$/m);

  finish();
  const survivors = (await Promise.all(before.map(({ answer }) => answer))).filter(({ broken }) => !broken);
  expect(survivors.length).toBeGreaterThan(0);
  expect(survivors.length).toBeLessThan(40);
  for (const { text } of survivors) expect(text).toContain("[DONE]");
  program.child.kill("SIGTERM");
  expect(await program.ended).toEqual({ code: 0, signal: null });
  // The dead one's lease is swept when its time is over, by whichever worker there is; ten seconds, which nobody waits for here.
  await world.rows("UPDATE lease SET expires_at = clock_timestamp() - interval '1 s' WHERE state = 'ACTIVE'");
  await world.services.recall.sweep();
  expect(await leases()).toEqual([]);
  // What the first requests held in the ledger itself, before there was a lease, ends with their longest time.
  await world.services.metering.sweepExpiredHolds(new Date(Date.now() + 3_600_000));
  const balance = await world.services.ledger.balance(startup.id);
  expect(balance.heldNanoCredit).toBe(0n);
  expect(balance.availableNanoCredit + balance.spentNanoCredit).toBe(balance.issuedNanoCredit);
  expect(await recordsOf(startup)).toHaveLength(20 + survivors.length);
  await world.expectBooksBalance();
});
