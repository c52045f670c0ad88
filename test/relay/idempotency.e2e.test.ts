/** An idempotency key: one dispatch, one charge and one answer, however often and wherever the request is repeated. */
import { KeptAnswer } from "../../entities/kept-answer";
import { UsageRecord } from "../../entities/usage-record";
import { KEPT_BYTES_MAX, SILENT_AFTER_MS } from "../../src/metering/kept-answers";
import { until, watchResources } from "../support/leftovers";
import { eventsOf, type RawAnswer, send } from "../support/raw-request";
import {
  openRelayWorld,
  type RelayWorld,
  type WorldProvider,
  type WorldRelay,
  type WorldStartup,
} from "../support/relay-world";
import { completion, delta, httpAnswer, streamHead } from "../support/scripted-provider";

const FAST = "acme/fast";
const SCRIPTED = "acme/scripted";
const messages = [{ role: "user" as const, content: "Tell me about quiet racks." }];

let world: RelayWorld;
let startup: WorldStartup;
let fast: WorldProvider;
let scripted: WorldProvider;
let key: string;
let keys = 0;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({ relays: 2, providers: [{ model: FAST }, { model: SCRIPTED, scripted: true }] });
  [fast, scripted] = world.providers as [WorldProvider, WorldProvider];
});
beforeEach(async () => {
  startup = await world.addStartup();
  world.forgetFailures();
  keys += 1;
  key = `key-${keys}`;
});
afterEach(async () => {
  fast.reference.setBehaviour({ mode: "normal" });
  world.clock.shiftMs = 0;
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

interface Asked {
  readonly body?: object;
  readonly relay?: WorldRelay;
  readonly by?: WorldStartup;
}
const exchange = ({ body = {}, relay = world.relay, by = startup }: Asked = {}) =>
  send(relay.url, {
    secret: by.secret,
    body: { model: FAST, messages, max_tokens: 24, ...body },
    headers: { "idempotency-key": key },
  });
const ask = (asked: Asked = {}) => exchange(asked).answer;
const records = () => world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id });
const keptRows = () => world.db.source.getRepository(KeptAnswer).findBy({ organisationId: startup.id });
const codeOf = ({ status, text }: RawAnswer) => ({ status, code: JSON.parse(text).error.code as string });
const dispatched = () => fast.reference.numbers().requests;

describe.each([
  ["whole", false],
  ["streamed", true],
] as const)("an answer that was given %s", (_, stream) => {
  it("is given again at any relay: status, body, request id and cost, marked as replayed, and charged once", async () => {
    const before = dispatched();
    const first = await ask({ body: { stream } });
    const again = await ask({ body: { stream }, relay: world.relays[1]! });
    expect(first).toMatchObject({ status: 200, broken: false });
    expect(first.headers["x-exergy-replayed"]).toBeUndefined();
    expect(again).toMatchObject({ status: 200, text: first.text });
    expect(again.headers).toMatchObject({
      "content-type": first.headers["content-type"],
      "x-request-id": first.headers["x-request-id"],
      "x-exergy-attempts": "1",
      "x-exergy-replayed": "true",
    });
    const [record, ...more] = await records();
    expect(more).toEqual([]);
    expect(Math.round(Number(again.headers["x-exergy-cost"]) * 1e9)).toBe(Number(record!.chargeNanoCredit));
    expect(dispatched()).toBe(before + 1);
  });

  it("is refused to another body or another route's words under the same key, before and after its end", async () => {
    fast.reference.setBehaviour({ mode: "hang" });
    const running = exchange({ body: { stream } });
    await until("the request at the provider", () => fast.reference.numbers().inFlight === 1);
    const other = { body: { stream, temperature: 0.5 } };
    const reused = { status: 422, code: "idempotency_key_reused" };
    expect(codeOf(await ask(other))).toEqual(reused);
    running.leave();
    fast.reference.setBehaviour({ mode: "normal" });
    await until("the key to be free", async () => (await keptRows()).length === 0);
    await ask({ body: { stream } });
    const refused = await ask(other);
    expect(codeOf(refused)).toEqual(reused);
    expect(refused.headers["x-should-retry"]).toBe("false");
    expect(await records()).toHaveLength(1);
  });

  it("is not given while it is written: a copy is told to come again", async () => {
    fast.reference.setBehaviour({ mode: "hang" });
    const running = exchange({ body: { stream } });
    await until("the request at the provider", () => fast.reference.numbers().inFlight === 1);
    const copy = await ask({ body: { stream }, relay: world.relays[1]! });
    expect(codeOf(copy)).toEqual({ status: 409, code: "request_in_flight" });
    expect(copy.headers).toMatchObject({ "x-should-retry": "true", "retry-after": "1" });
    running.leave();
    await until("the key to be free", async () => (await keptRows()).length === 0);
    expect(await records()).toEqual([]);
  });

  it("that failed and cost nothing leaves the key to the next try", async () => {
    fast.reference.setBehaviour({ mode: "fail" });
    expect((await ask({ body: { stream } })).status).toBe(502);
    expect(await keptRows()).toEqual([]);
    fast.reference.setBehaviour({ mode: "normal" });
    world.forgetFailures();
    expect((await ask({ body: { stream } })).status).toBe(200);
    expect(await records()).toHaveLength(1);
  });

  it("that nobody can pay leaves the key to the next try", async () => {
    const poor = await world.addStartup(1n);
    const asked = { by: poor, body: { stream } };
    expect(codeOf(await ask(asked))).toEqual({ status: 402, code: "insufficient_credits" });
    await world.fund(poor, 1_000_000_000n);
    expect((await ask(asked)).status).toBe(200);
  });

  it("that is too large to be kept is named with its cost, and not charged a second time", async () => {
    const long = "x".repeat(KEPT_BYTES_MAX);
    scripted.scripted.play(({ socket }) =>
      stream
        ? socket.end(`${streamHead}${delta(long.slice(0, 600_000))}${delta(long.slice(600_000))}data: [DONE]\n\n`)
        : socket.write(httpAnswer("200 OK", completion(long))),
    );
    const body = { model: SCRIPTED, stream };
    const first = await ask({ body });
    expect(first.text.length).toBeGreaterThan(KEPT_BYTES_MAX);
    const again = await ask({ body });
    expect(codeOf(again)).toEqual({ status: 409, code: "answer_not_kept" });
    const [record, ...more] = await records();
    expect(more).toEqual([]);
    expect(JSON.parse(again.text).error).toMatchObject({ request_id: record!.id });
    expect(Math.round(Number(JSON.parse(again.text).error.cost) * 1e9)).toBe(Number(record!.chargeNanoCredit));
    expect(again.headers["x-should-retry"]).toBe("false");
  });
});

it("a stream that its provider broke off is repeated as it was, with its error, and charged once", async () => {
  scripted.scripted.play(({ socket }) => {
    socket.end(`${streamHead}${delta("Racks ")}${delta("hum")}`);
  });
  const body = { model: SCRIPTED, stream: true };
  const first = await ask({ body });
  expect(eventsOf(first.text).at(-1)).toMatchObject({ error: { code: "upstream_truncated" } });
  expect(await ask({ body })).toMatchObject({ text: first.text });
  expect(await records()).toMatchObject([{ outcome: "PARTIAL" }]);
});

it("a stream whose client left is repeated as far as it went, says so, and is charged once", async () => {
  scripted.scripted.play(({ socket }) => {
    socket.write(`${streamHead}${delta("Racks ")}`);
  });
  const body = { model: SCRIPTED, stream: true };
  const first = exchange({ body });
  await first.sees("Racks");
  first.leave();
  await until("the record", async () => (await records())[0]);
  const again = await ask({ body });
  expect(again.text).toContain("Racks");
  expect(eventsOf(again.text).at(-1)).toMatchObject({ error: { code: "answer_abandoned" } });
  expect(await records()).toMatchObject([{ outcome: "ABORTED" }]);
});

it("a process that lost its key while it was silent does not settle: its client is told, and nothing is charged twice", async () => {
  let finish: (() => void) | undefined;
  scripted.scripted.play(({ socket }) => {
    if (finish === undefined) finish = () => void socket.write(httpAnswer("200 OK", completion("too late")));
    else socket.write(httpAnswer("200 OK", completion("in time")));
  });
  const body = { model: SCRIPTED };
  const paused = exchange({ body });
  await until("the request at the provider", () => finish !== undefined);
  world.clock.shiftMs += SILENT_AFTER_MS;
  const taken = await ask({ body, relay: world.relays[1]! });
  expect(taken.text).toContain("in time");
  finish!();
  expect(codeOf(await paused.answer)).toEqual({ status: 409, code: "settlement_refused" });
  expect(await records()).toMatchObject([{ id: taken.headers["x-request-id"] }]);
});

it("a key that is none is refused", async () => {
  for (const none of ["", "k".repeat(256), "a b", "ä"]) {
    key = none;
    expect(codeOf(await ask())).toEqual({ status: 400, code: "bad_user_input" });
  }
  expect(await records()).toEqual([]);
});

it("200 keys, each with copies at two relays at once and again until they are answered, are 200 settlements", async () => {
  const untilAnswered = async (its: string, copy: number): Promise<RawAnswer> => {
    for (let round = copy; ; round++) {
      const answer = await send(world.relays[round % 2]!.url, {
        secret: startup.secret,
        body: { model: FAST, messages, max_tokens: 8, stream: its.endsWith("1"), user: its },
        headers: { "idempotency-key": its },
      }).answer;
      if (answer.status !== 409) return answer;
      expect(codeOf(answer).code).toBe("request_in_flight");
    }
  };
  const asked = async (its: string) => {
    const copies = await Promise.all([0, 1, 2].map((copy) => untilAnswered(its, copy)));
    expect(copies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set(copies.map(({ text }) => text)).size).toBe(1);
    expect(copies.filter(({ headers }) => headers["x-exergy-replayed"] === undefined)).toHaveLength(1);
    return new Set(copies.map(({ headers }) => headers["x-request-id"]));
  };
  const ids: (string | string[] | undefined)[] = [];
  for (let batch = 0; batch < 10; batch++) {
    const settled = await Promise.all(Array.from({ length: 20 }, (_, i) => asked(`many-${batch}-${i}`)));
    for (const [id] of settled) ids.push(id);
  }
  const charged = await records();
  expect(charged).toHaveLength(200);
  expect(charged.map(({ id }) => id).sort()).toEqual(ids.sort());
}, 60_000);
