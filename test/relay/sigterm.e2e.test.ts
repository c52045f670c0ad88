/** A relay process that is told to end while a hundred clients are reading: each reads to the end, all of it is booked, and it exits as it should. */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageRecord } from "../../entities/usage-record";
import { Program } from "../demo/program";
import { until, watchResources } from "../support/leftovers";
import { send } from "../support/raw-request";
import { ISSUER, openRelayWorld, type RelayWorld } from "../support/relay-world";
import { delta, event, type ScriptedRequest, streamHead } from "../support/scripted-provider";

const MODEL = "acme/scripted";
const STREAMS = 100;
const messages = [{ role: "user" as const, content: "Take your time." }];
/** To start a process, and a hundred handshakes, on a machine that does other things as well. */
const PATIENCE_MS = 20_000;

const directory = join(tmpdir(), `exergy-sigterm-${randomBytes(6).toString("hex")}`);
let world: RelayWorld;
let program: Program;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  mkdirSync(directory);
  const secretsDirectory = join(directory, "secrets");
  world = await openRelayWorld({ relays: 0, secretsDirectory, providers: [{ model: MODEL, scripted: true }] });
  program = new Program("start", {
    directory,
    environment: {
      DATABASE_URL: world.database.url,
      DATA_DIR: join(directory, "data"),
      SECRETS_DIR: secretsDirectory,
      ROLES: "relay",
      PORT: "0",
      RELAY_PORT: "0",
      PUBLIC_URL: ISSUER,
      ALLOW_LOOPBACK_UPSTREAMS: "true",
      // A hundred handshakes at once, with a provider in the process of the test: a second is little.
      UPSTREAM_CONNECT_TIMEOUT_MS: "30000",
      DRAIN_GRACE_MS: String(PATIENCE_MS),
      LOG_LEVEL: "info",
    },
  });
  await program.says("Exergy is up");
}, PATIENCE_MS);
afterAll(async () => {
  await program.clear();
  await world.stop();
  rmSync(directory, { recursive: true, force: true });
  await resourcesAreBack();
});

it("finishes a hundred live streams after SIGTERM, books each, refuses what is new, gives its credit back and exits with 0", async () => {
  const url = new URL(/"relay":"([^"]+)"/.exec(program.stdout)![1]!).origin;
  const startup = await world.addStartup();
  const waiting: ScriptedRequest[] = [];
  world.providers[0]!.scripted.play((request) => {
    waiting.push(request);
    request.socket.write(streamHead + delta("Hi"));
  });
  const ask = () =>
    send(url, { secret: startup.secret, body: { model: MODEL, messages, stream: true, max_tokens: 10 } });
  const running = Array.from({ length: STREAMS }, ask);
  await until(
    "a hundred streams to have begun",
    () => running.every((exchange) => exchange.text().includes('"Hi"')),
    PATIENCE_MS,
  );

  program.child.kill("SIGTERM");
  const refuses = ({ answer }: ReturnType<typeof ask>) =>
    answer.then(
      ({ status }) => status === 503,
      (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
    );
  await until("it to drain", () => refuses(send(url, { method: "GET", path: "/readyz" })), PATIENCE_MS);
  expect(await refuses(ask())).toBe(true);
  expect(waiting).toHaveLength(STREAMS);

  const usage = event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 2 } });
  for (const { socket } of waiting) socket.end(`${delta(" you")}${usage}data: [DONE]\n\n`);
  const answers = await Promise.all(running.map(({ answer }) => answer));
  for (const { status, broken, text } of answers) {
    expect({ status, broken }).toEqual({ status: 200, broken: false });
    expect(text).toMatch(/"Hi"[\s\S]*" you"[\s\S]*\ndata: \[DONE\]\n\n$/);
  }
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.left()).toEqual([]);

  const records = await world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id });
  expect(records.map(({ id }) => id).sort()).toEqual(answers.map(({ headers }) => headers["x-request-id"]).sort());
  for (const record of records)
    expect(record).toMatchObject({ outcome: "COMPLETED", promptTokens: 9, completionTokens: 2, usageBounded: false });
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  const { issuedNanoCredit, availableNanoCredit, spentNanoCredit } = await world.services.ledger.balance(startup.id);
  expect(availableNanoCredit).toBe(issuedNanoCredit - spentNanoCredit);
}, 60_000);
