/** What happens when every provider of a model is busy: a short wait in turn, then 429; and who leaves, leaves nothing. */
import { UsageRecord } from "../../entities/usage-record";
import { until, watchResources } from "../support/leftovers";
import { type RawExchange, send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { completion, httpAnswer } from "../support/scripted-provider";

/** Few slots, and answers when the test says so. */
const NARROW = "acme/narrow";
const SLOTS = 2;

let world: RelayWorld;
let startup: WorldStartup;
let resourcesAreBack: () => Promise<void>;
/** Requests that the provider holds, the oldest first. */
let held: { said: string; answer: () => void }[] = [];

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    environment: { PROVIDER_QUEUE_WAIT_MS: "2000" },
    providers: [{ model: NARROW, slots: SLOTS, scripted: true }],
  });
  startup = await world.addStartup();
});
beforeEach(() => {
  held = [];
  world.providers[0]!.scripted.play(({ socket, body }) => {
    const said = JSON.parse(body).messages[0].content as string;
    held.push({ said, answer: () => socket.write(httpAnswer("200 OK", completion("Yes."))) });
  });
  world.forgetFailures();
});
afterEach(async () => {
  await world.expectNothingLeft();
  expect(world.relay.services.routing.queueDepth).toBe(0);
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const ask = ({ secret }: WorldStartup, content = "Is anybody free?") =>
  send(world.relay.url, { secret, body: { model: NARROW, messages: [{ role: "user", content }], max_tokens: 8 } });
const depth = () => world.relay.services.routing.queueDepth;
const atProvider = (count: number) => until(`${count} at the provider`, () => held.length === count);
const queued = (count: number) => until(`${count} in the queue`, () => depth() === count, 5_000);
const answerNext = () => held.shift()!.answer();

async function fillSlots(by: WorldStartup): Promise<RawExchange[]> {
  const running = Array.from({ length: SLOTS }, () => ask(by));
  await atProvider(SLOTS);
  return running;
}

/** Answers whatever is held until all of these are over. */
async function finish(exchanges: readonly RawExchange[]): Promise<number[]> {
  let over = false;
  const answers = Promise.all(exchanges.map(({ answer }) => answer)).then((all) => {
    over = true;
    return all;
  });
  await until("all answered", () => {
    while (held.length > 0) answerNext();
    return over;
  });
  return (await answers).map(({ status }) => status);
}

test("a request waits for a slot, has the first that is free, and is charged as any other", async () => {
  const running = await fillSlots(startup);
  const waiting = ask(startup);
  await queued(1);
  expect(held).toHaveLength(SLOTS);
  answerNext();
  await until("it is at the provider", () => held.length === SLOTS);
  const statuses = await finish([...running, waiting]);
  expect(statuses).toEqual([200, 200, 200]);
  const { headers } = await waiting.answer;
  expect(
    await world.db.source.getRepository(UsageRecord).findOneBy({ id: headers["x-request-id"] as string }),
  ).toMatchObject({ outcome: "COMPLETED", attempts: 1 });
});

test("the line is twice as long as there are slots; who comes after it is told at once to come again, and pays nothing", async () => {
  const running = await fillSlots(startup);
  const waiting = Array.from({ length: 2 * SLOTS }, () => ask(startup));
  await queued(2 * SLOTS);
  const beganMs = performance.now();
  const { status, headers, text } = await ask(startup).answer;
  expect(performance.now() - beganMs).toBeLessThan(1_500);
  expect([status, JSON.parse(text).error]).toMatchObject([
    429,
    { code: "providers_busy", type: "rate_limit_exceeded", message: expect.not.stringContaining("canary") },
  ]);
  const retryAfterMs = Number(headers["retry-after-ms"]);
  expect(retryAfterMs).toBeGreaterThanOrEqual(500);
  expect(retryAfterMs).toBeLessThan(1_500);
  expect(headers["retry-after"]).toBe(`${Math.ceil(retryAfterMs / 1_000)}`);
  const decision = await world.decision(headers["x-request-id"] as string);
  expect(decision).toMatchObject({ outcome: "FAILED", candidates: [{ refusal: "SATURATED" }], attempts: [] });
  expect(await finish([...running, ...waiting])).toEqual(Array(3 * SLOTS).fill(200));
});

test("nobody waits for longer than two seconds", async () => {
  const running = await fillSlots(startup);
  const beganMs = performance.now();
  const { status, headers, text } = await ask(startup).answer;
  expect(performance.now() - beganMs).toBeGreaterThan(1_900);
  expect([status, JSON.parse(text).error.code]).toEqual([429, "providers_busy"]);
  expect(headers["x-ratelimit-remaining-requests"]).toBeDefined();
  await finish(running);
});

test("a client that leaves the line holds nothing, and those behind it move up", async () => {
  const running = await fillSlots(startup);
  const leaving = ask(startup);
  await queued(1);
  const behind = ask(startup);
  await queued(2);
  leaving.leave();
  await queued(1);
  await until("its request is over", () => world.relay.server.inFlight() === SLOTS + 1);
  const open = await world.rows("SELECT id FROM hold WHERE startup_id = $1 AND state = 'HELD'", [startup.id]);
  expect(open).toEqual([]);
  expect(await finish([...running, behind])).toEqual([200, 200, 200]);
});

test("a startup that floods does not starve another: it has every other slot, and a place in a line that was full", async () => {
  const quiet = await world.addStartup();
  const running = await fillSlots(startup);
  const flood = Array.from({ length: 2 * SLOTS }, () => ask(startup, "flood"));
  await queued(2 * SLOTS);
  const turnedAway: number[] = [];
  for (const { answer } of flood)
    void answer.then(({ status }) => {
      if (status === 429) turnedAway.push(status);
    });
  // The line is full of the other's: the last of them make room, for as many as come in turn.
  const two = [ask(quiet, "quiet"), ask(quiet, "quiet")];
  await until("two of the flood are turned away", () => turnedAway.length === 2);
  await queued(2 * SLOTS);
  const turns: string[] = [];
  for (let turn = 1; turn <= 2 * SLOTS; turn++) {
    answerNext();
    await until("the next in turn is at the provider", () => held.length === SLOTS);
    turns.push(held.at(-1)!.said);
  }
  expect(turns).toEqual(["flood", "quiet", "flood", "quiet"]);
  const statuses = await finish([...running, ...flood, ...two]);
  expect(statuses.filter((status) => status === 429)).toHaveLength(2);
  expect(statuses.slice(-2)).toEqual([200, 200]);
});

test("the figures tell how long requests waited and how the wait ended", async () => {
  const text = await world.relay.metrics.text();
  expect(text).toMatch(/exergy_relay_queue_depth 0/);
  for (const end of ["served", "full", "timeout", "left"])
    expect(text).toMatch(new RegExp(`exergy_relay_queue_wait_seconds_count\\{end="${end}"\\} [1-9]`));
  expect(text).toMatch(/exergy_relay_refusals_total\{cause="queue_full"\} [1-9]/);
  expect(text).toMatch(/exergy_relay_refusals_total\{cause="queue_timeout"\} [1-9]/);
});
