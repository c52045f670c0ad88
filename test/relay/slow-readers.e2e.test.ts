/** Clients that ask for a large stream and do not read it: they cost the relay little memory, and nobody else anything. */
import { UsageRecord } from "../../entities/usage-record";
import { until, watchResources } from "../support/leftovers";
import { ownTime } from "../support/own-time";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { delta, type ScriptedRequest, streamHead } from "../support/scripted-provider";

const LARGE = "acme/large";
const SMALL = "acme/small";
const READERS = 20;
/** What is to be sent to each, far more than the kernel's buffers take on two connections (some 8 MB): 400 MB in all. */
const UPSTREAM_BYTES = 20_000_000;
/** Of all three parties in this one process. Without back-pressure everything was sent, and kept. */
const GROWTH_BYTES_MAX = 64 * 2 ** 20;
const QUIET_MS = 300;
const messages = [{ role: "user" as const, content: "Tell me everything." }];

let world: RelayWorld;
let startup: WorldStartup;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({ providers: [{ model: LARGE, scripted: true }, { model: SMALL }] });
  startup = await world.addStartup(1_000n * 1_000_000_000n);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const usedBytes = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
const ask = (model: string, stalls: boolean) =>
  send(world.relay.url, {
    secret: startup.secret,
    body: { model, messages, stream: true, max_tokens: 10 },
    stalls,
  });

it("readers that do not read are held with little memory, while others are served, and are charged when they leave", async () => {
  const piece = Buffer.from(delta("x".repeat(16_000)));
  let sentBytes = 0;
  const pour = (socket: ScriptedRequest["socket"], left: number) =>
    socket.write(piece, (error) => {
      sentBytes += piece.length;
      if (!error && left > piece.length) pour(socket, left - piece.length);
    });
  const waiting: ScriptedRequest[] = [];
  world.providers[0]!.scripted.play((request) => {
    waiting.push(request);
    request.socket.write(streamHead + delta("Hi"));
  });
  expect((await ask(SMALL, false).answer).status).toBe(200);
  const before = usedBytes();
  const stuck = Array.from({ length: READERS }, () => ask(LARGE, true));
  await until("all of them to have begun", () => stuck.every((exchange) => exchange.status() === 200), 30_000);
  for (const { socket } of waiting) pour(socket, UPSTREAM_BYTES);
  const clock = ownTime();
  let [seen, sinceMs] = [0, clock.ms()];
  await until(
    "the providers to be stopped",
    () => {
      if (sentBytes !== seen) [seen, sinceMs] = [sentBytes, clock.ms()];
      return clock.ms() - sinceMs > QUIET_MS;
    },
    40_000,
  );
  clock.stop();
  expect(sentBytes).toBeGreaterThan(READERS * piece.length);
  expect(sentBytes).toBeLessThan(READERS * UPSTREAM_BYTES);
  expect(usedBytes() - before).toBeLessThan(GROWTH_BYTES_MAX);

  const others = await Promise.all(Array.from({ length: 20 }, () => ask(SMALL, false).answer));
  for (const { status, text } of others) expect([status, text.endsWith("data: [DONE]\n\n")]).toEqual([200, true]);

  for (const exchange of stuck) exchange.leave();
  await until("the relay to have forgotten them", () => world.relay.server.inFlight() === 0, 10_000);
  await until("their sockets to be closed", () => world.providers[0]!.scripted.sockets.size === 0, 10_000);
  const records = await world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id, model: LARGE });
  expect(records).toHaveLength(READERS);
  for (const record of records) expect(record.outcome).toBe("ABORTED");
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  // All of it runs in one thread here: while it pours, a new connection to the database may come too late for it.
  expect(world.logged.filter((line) => !line.includes("connection timeout"))).toEqual([]);
}, 90_000);
