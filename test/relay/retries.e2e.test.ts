/** The official client repeats what it got no answer to: however the connection broke, the request is charged once. */
import { UsageRecord } from "../../entities/usage-record";
import { AT_ONCE, FaultyWay } from "../support/faulty-way";
import { until, watchResources } from "../support/leftovers";
import { eventsOf, send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";

const FAST = "acme/fast";
/** Takes about half a second for its answer. */
const SLOW = "acme/slow";
const messages = [{ role: "user" as const, content: "Tell me about quiet racks." }];

let world: RelayWorld;
let startup: WorldStartup;
let fast: WorldProvider;
let slow: WorldProvider;
let way: FaultyWay;
let ways: FaultyWay[] = [];
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    relays: 2,
    sharedBus: true,
    providers: [{ model: FAST }, { model: SLOW, tokensPerSecond: 60 }],
  });
  [fast, slow] = world.providers as [WorldProvider, WorldProvider];
});
beforeEach(async () => {
  startup = await world.addStartup();
  world.forgetFailures();
  way = await aWay(world.relay.url);
});
afterEach(async () => {
  for (const provider of [fast, slow]) provider.reference.setBehaviour({ mode: "normal" });
  await Promise.all(ways.map((open) => open.close()));
  ways = [];
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

async function aWay(...urls: readonly string[]): Promise<FaultyWay> {
  const opened = await FaultyWay.to(...urls);
  ways.push(opened);
  return opened;
}
const records = () => world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id });
const dispatched = (provider: WorldProvider) => provider.reference.numbers().requests;

/** As a user calls it: two retries by default. */
function client(through = way) {
  return world.client(startup, { baseURL: `${through.url}/v1`, maxRetries: 2 });
}

/** The answer's text, and the headers that the last try came with. */
async function ask(stream: boolean, { model = FAST, through = way } = {}) {
  const call = client(through).chat.completions.create({ model, messages, stream, max_tokens: 24 });
  const { data, response } = await call.withResponse();
  let text = "";
  if (Symbol.asyncIterator in data) for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? "";
  else text = data.choices[0]!.message.content ?? "";
  return { text, headers: response.headers };
}

describe.each([
  ["whole", false, '"choices"'],
  ["streamed", true, "[DONE]"],
] as const)("an answer that is asked for %s", (_, stream, end) => {
  it("is charged once when the connection breaks after it, and the client's retry gets the same one", async () => {
    const before = dispatched(fast);
    way.strike({ when: end, relaySees: true });
    const { text, headers } = await ask(stream);
    expect(way.struck).toBe(1);
    expect(text.length).toBeGreaterThan(10);
    expect(headers.get("x-exergy-replayed")).toBe("true");
    const [record, ...more] = await records();
    expect(more).toEqual([]);
    expect(headers.get("x-request-id")).toBe(record!.id);
    expect(dispatched(fast)).toBe(before + 1);
  });

  it("is charged once when that happens twice in a row", async () => {
    way.strike({ when: end, relaySees: true }, { when: end, relaySees: false });
    const { headers } = await ask(stream);
    expect(way.struck).toBe(2);
    expect(await records()).toMatchObject([{ id: headers.get("x-request-id"), outcome: "COMPLETED" }]);
  });

  it("is charged once when connections are reset before it", async () => {
    slow.reference.setBehaviour({ mode: "hang" });
    way.strike({ when: AT_ONCE, relaySees: true });
    const asked = ask(stream, { model: SLOW });
    await until("the reset", () => way.struck === 1);
    slow.reference.setBehaviour({ mode: "normal" });
    const { headers } = await asked;
    expect(headers.get("x-exergy-replayed")).toBeNull();
    expect(await records()).toMatchObject([{ id: headers.get("x-request-id"), outcome: "COMPLETED" }]);
  });

  it("is joined while it is written, when only the client knows that its connection broke", async () => {
    const before = dispatched(slow);
    way.strike({ when: AT_ONCE, relaySees: false });
    const { text, headers } = await ask(stream, { model: SLOW, through: way });
    expect(text.length).toBeGreaterThan(10);
    expect(headers.get("x-exergy-replayed")).toBe("true");
    expect(await records()).toMatchObject([{ id: headers.get("x-request-id"), outcome: "COMPLETED" }]);
    expect(dispatched(slow)).toBe(before + 1);
  });

  it("is charged once when the retry ends at another relay", async () => {
    const both = await aWay(world.relays[0]!.url, world.relays[1]!.url);
    const before = dispatched(fast);
    both.strike({ when: end, relaySees: true });
    const { text, headers } = await ask(stream, { through: both });
    expect(text.length).toBeGreaterThan(10);
    expect(headers.get("x-exergy-replayed")).toBe("true");
    expect(await records()).toMatchObject([{ id: headers.get("x-request-id"), outcome: "COMPLETED" }]);
    expect(dispatched(fast)).toBe(before + 1);
  });

  it("is written once when the retry ends at another relay while it still runs", async () => {
    const both = await aWay(world.relays[0]!.url, world.relays[1]!.url);
    const before = dispatched(slow);
    both.strike({ when: AT_ONCE, relaySees: false });
    const { headers } = await ask(stream, { model: SLOW, through: both });
    expect(headers.get("x-exergy-replayed")).toBe("true");
    expect(await records()).toMatchObject([{ id: headers.get("x-request-id"), outcome: "COMPLETED" }]);
    expect(dispatched(slow)).toBe(before + 1);
  });
});

const raw = (body: object, headers: Record<string, string> = {}) =>
  send(world.relay.url, { secret: startup.secret, body: { model: FAST, messages, ...body }, headers });
const retry = (count: number) => ({ "x-stainless-retry-count": `${count}` });

it("two first tries of one text are two requests, at once and one after the other", async () => {
  await Promise.all([raw({}).answer, raw({}, retry(0)).answer]);
  await raw({}).answer;
  expect(await records()).toHaveLength(3);
});

it("a retry of another text, or with another key, runs by itself", async () => {
  await raw({}).answer;
  await raw({ temperature: 1 }, retry(1)).answer;
  const other = await world.addStartup();
  await send(world.relay.url, { secret: other.secret, body: { model: FAST, messages }, headers: retry(1) }).answer;
  expect(await records()).toHaveLength(2);
});

it("a retry of a try that failed runs anew", async () => {
  fast.reference.setBehaviour({ mode: "fail" });
  expect((await raw({}).answer).status).toBe(502);
  fast.reference.setBehaviour({ mode: "normal" });
  world.forgetFailures();
  const { status, headers } = await raw({}, retry(1)).answer;
  expect({ status, replayed: headers["x-exergy-replayed"] }).toEqual({ status: 200, replayed: undefined });
  expect(await records()).toHaveLength(1);
});

it("each answer serves one retry of a number: two clients that sent one text do not share", async () => {
  await raw({}).answer;
  const first = await raw({}, retry(1)).answer;
  const second = await raw({}, retry(1)).answer;
  expect(first.headers["x-exergy-replayed"]).toBe("true");
  expect(second.headers["x-exergy-replayed"]).toBeUndefined();
  expect(await records()).toHaveLength(2);
});

it("whoever leaves while a later try reads on does not end it", async () => {
  const before = slow.reference.numbers().aborted;
  const one = raw({ model: SLOW, stream: true, max_tokens: 24 });
  await one.sees("content");
  const two = raw({ model: SLOW, stream: true, max_tokens: 24 }, retry(1));
  await two.sees("content");
  one.leave();
  const { text } = await two.answer;
  expect(eventsOf(text).at(-1)).toBe("[DONE]");
  expect(slow.reference.numbers().aborted).toBe(before);
  expect(await records()).toMatchObject([{ outcome: "COMPLETED" }]);
});

it("when both have left, the provider is told, and what was delivered is charged once", async () => {
  const before = slow.reference.numbers().aborted;
  const one = raw({ model: SLOW, stream: true, max_tokens: 24 });
  await one.sees("content");
  const two = raw({ model: SLOW, stream: true, max_tokens: 24 }, retry(1));
  await two.sees("content");
  one.leave();
  two.leave();
  await until("the abort at the provider", () => slow.reference.numbers().aborted === before + 1);
  expect(await until("the record", async () => (await records())[0])).toMatchObject({ outcome: "ABORTED" });
});
