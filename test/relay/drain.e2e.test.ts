/** A relay that is told to stop finishes what it has begun, books all of it, and takes nothing new. */
import { UsageRecord } from "../../entities/usage-record";
import { until, watchResources } from "../support/leftovers";
import { send } from "../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";

const messages = [{ role: "user" as const, content: "Take your time." }];
const SLOW = "acme/slow";

let world: RelayWorld;
let startup: WorldStartup;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    relays: 2,
    providers: [{ tokensPerSecond: 15 }, { model: SLOW, tokensPerSecond: 20 }],
  });
  startup = await world.addStartup();
});
afterEach(async () => {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const ask = (relay: number, model: string, stream: boolean) =>
  send(world.relays[relay]!.url, { secret: startup.secret, body: { model, messages, stream } });
const recordOf = (id: unknown) => world.db.source.getRepository(UsageRecord).findOneBy({ id: String(id) });

it("finishes streams and whole answers in flight, settled, while it refuses new ones", async () => {
  const relay = world.relays[0]!;
  const running = [...Array.from({ length: 6 }, () => ask(0, MODEL, true)), ask(0, MODEL, false)];
  await Promise.all(running.slice(0, 6).map((exchange) => exchange.sees('"content":"')));
  await until("the whole answer at its provider", () => world.providers[0]!.reference.numbers().inFlight === 7);

  relay.server.startDraining();
  const { status, text } = await ask(0, MODEL, false).answer;
  expect([status, JSON.parse(text).error.code]).toEqual([503, "shutting_down"]);
  expect(await send(relay.url, { method: "GET", path: "/readyz" }).answer).toMatchObject({
    status: 503,
    text: "draining",
  });
  expect((await send(relay.url, { method: "GET", path: "/healthz" }).answer).status).toBe(200);

  expect(relay.server.inFlight()).toBe(7);
  expect(await relay.server.stop(10_000)).toBe(0);
  const answers = await Promise.all(running.map(({ answer }) => answer));
  for (const answer of answers.slice(0, 6)) expect(answer.text).toMatch(/data: \[DONE\]\n\n$/);
  expect(JSON.parse(answers[6]!.text).choices[0].finish_reason).toBe("stop");
  for (const { status, broken, headers } of answers) {
    expect({ status, broken }).toEqual({ status: 200, broken: false });
    expect(await recordOf(headers["x-request-id"])).toMatchObject({ outcome: "COMPLETED" });
  }
  await expect(ask(0, MODEL, false).answer).rejects.toThrow("ECONNREFUSED");
});

it("cuts what is not over within the grace, and books that too before it is gone", async () => {
  const running = Array.from({ length: 4 }, () => ask(1, SLOW, true));
  await Promise.all(running.map((exchange) => exchange.sees('"content":"')));
  await world.relays[1]!.stop(50);
  const answers = await Promise.all(running.map(({ answer }) => answer));
  for (const { broken, text, headers } of answers) {
    expect({ broken, done: text.includes("[DONE]") }).toEqual({ broken: true, done: false });
    expect(await recordOf(headers["x-request-id"])).toMatchObject({ outcome: "ABORTED" });
    expect((await world.decision(headers["x-request-id"] as string)).outcome).toBe("ABORTED");
  }
});
