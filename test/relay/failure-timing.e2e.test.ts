/** When things happen after a failure: the next attempt at once, a cancellation at the provider within 100 ms wherever the request stands, each timeout by itself, pauses as long as the longest that was asked for. */
import { once } from "node:events";
import { createServer, connect as open, type Socket } from "node:net";
import { UsageRecord } from "../../entities/usage-record";
import { until, watchResources } from "../support/leftovers";
import { ownTime } from "../support/own-time";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, delta, event, httpAnswer, type Script, streamHead } from "../support/scripted-provider";
import { type UpstreamWatch, watchUpstreams } from "../support/upstream-watch";

/** One endpoint offers it. */
const SOLO = "acme/solo";
/** Two endpoints offer it; the first has far more slots, so that it is the first choice whenever it can be. */
const PAIR = "acme/pair";
const messages = [{ role: "user" as const, content: "When?" }];
const limits = { connect: 250, firstByte: 400, idle: 700, total: 1_500 };

let world: RelayWorld;
let startup: WorldStartup;
let solo: WorldProvider;
let first: WorldProvider;
let second: WorldProvider;
let watch: UpstreamWatch;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    environment: {
      UPSTREAM_CONNECT_TIMEOUT_MS: String(limits.connect),
      UPSTREAM_FIRST_BYTE_TIMEOUT_MS: String(limits.firstByte),
      UPSTREAM_IDLE_TIMEOUT_MS: String(limits.idle),
      UPSTREAM_TOTAL_TIMEOUT_MS: String(limits.total),
    },
    providers: [
      { model: SOLO, scripted: true },
      { model: PAIR, scripted: true, slots: 512 },
      { model: PAIR, scripted: true, slots: 2, accelerator: "H200" },
    ],
  });
  [solo, first, second] = world.providers as [WorldProvider, WorldProvider, WorldProvider];
  startup = await world.addStartup();
  watch = watchUpstreams(world.relay);
});
beforeEach(() => {
  world.forgetFailures();
  for (const { scripted } of [solo, first, second]) scripted.play(answers);
});
afterEach(async () => {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged.splice(0)).toEqual([]);
});
afterAll(async () => {
  watch.stop();
  await world.stop();
  await resourcesAreBack();
});

const answers: Script = ({ socket }) => void socket.write(httpAnswer("200 OK", completion("Hi")));
const hangs: Script = () => undefined;
const usage = event({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 2 } });
const done = "data: [DONE]\n\n";

const ask = (model: string, stream = false) =>
  send(world.relay.url, { secret: startup.secret, body: { model, messages, stream, max_tokens: 10 } });
const liveOf = (provider: WorldProvider) =>
  world.relay.services.routing.routesOf(provider.model)!.find(({ endpointId }) => endpointId === provider.endpointId)!
    .live;
const requestsOf = ({ scripted }: WorldProvider) => scripted.requests.length;
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe("the next attempt begins within 5 ms of", () => {
  it.each<[string, Script]>([
    ["a 500", ({ socket }) => void socket.write(httpAnswer("500 Oops", "{}"))],
    ["a 429", ({ socket }) => void socket.write(httpAnswer("429 Too Many", "{}", { "retry-after": "1" }))],
    ["a reset", ({ socket }) => void socket.destroy()],
  ])("%s", async (_, fails) => {
    // A connection that is open already, so that the way to the next provider is no part of what is measured.
    first.scripted.play(fails);
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      world.forgetFailures();
      const before = watch.attempts.length;
      expect((await ask(PAIR).answer).status).toBe(200);
      const [failed, next] = watch.attempts.slice(before);
      expect([failed!.attempt.endpoint.id, next!.attempt.endpoint.id]).toEqual([first.endpointId, second.endpointId]);
      waits.push(next!.dispatchedMs - (failed!.headMs ?? failed!.overMs!));
    }
    // Of five one is the figure of the relay, whatever else the machine does.
    expect(Math.min(...waits)).toBeLessThan(5);
    expect(median(waits)).toBeLessThan(50);
  });
});

describe("a client that leaves is noticed by the provider within 100 ms", () => {
  /** The relay has cancelled within that time of the leaving, and the provider's socket is closed. */
  async function expectCancelled(leave: () => void, socket: Socket): Promise<void> {
    const closed = once(socket, "close");
    const since = ownTime();
    leave();
    await closed;
    expect(since.stop()).toBeLessThan(100);
    expect(watch.last.cancelledMs).not.toBeNull();
  }

  it.each([
    ["a stream", true],
    ["a whole answer", false],
  ])("while it waits for the headers of %s", async (_, stream) => {
    const before = requestsOf(solo);
    solo.scripted.play(hangs);
    const exchange = ask(SOLO, stream);
    await until("the request at the provider", () => requestsOf(solo) > before);
    await expectCancelled(() => exchange.leave(), solo.scripted.requests.at(-1)!.socket);
  });

  it.each([
    ["a stream", true, streamHead + delta("Hi")],
    ["a whole answer", false, httpAnswer("200 OK", completion("Hi")).slice(0, -5)],
  ])("in the middle of %s", async (_, stream, part) => {
    solo.scripted.play(({ socket }) => void socket.write(part));
    const before = watch.attempts.length;
    const exchange = ask(SOLO, stream);
    await until("the part in the relay", () => watch.attempts.length > before && watch.last.bytes > 0);
    await expectCancelled(() => exchange.leave(), solo.scripted.requests.at(-1)!.socket);
  });

  it("while its request, sent ahead, waits behind the answer to an earlier one", async () => {
    const before = requestsOf(solo);
    solo.scripted.play(({ socket }) => void socket.write(streamHead + delta("Hi")));
    const body = JSON.stringify({ model: SOLO, messages, stream: true, max_tokens: 10 });
    const one = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${startup.secret}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const { hostname, port } = new URL(world.relay.url);
    const client = open(Number(port), hostname).on("error", () => undefined);
    client.write(one + one);
    await until("both at the provider", () => requestsOf(solo) === before + 2);
    await until("both to have begun", () => watch.attempts.slice(-2).every(({ bytes }) => bytes > 0));
    const sockets = solo.scripted.requests.slice(-2).map(({ socket }) => socket);
    const closed = Promise.all(sockets.map((socket) => once(socket, "close")));
    const since = ownTime();
    client.destroy();
    await closed;
    expect(since.stop()).toBeLessThan(100);
  });

  it("while it waits for a connection, and the provider never hears of it", async () => {
    const before = requestsOf(solo);
    await withSilentAddress(async (accepted) => {
      const exchange = ask(SOLO);
      await until("the relay to knock", () => accepted() > 0);
      const since = ownTime();
      exchange.leave();
      await until("the attempt to be over", () => watch.last.cancelledMs !== null);
      expect(since.stop()).toBeLessThan(100);
      await world.expectNothingLeft();
    });
    expect(requestsOf(solo)).toBe(before);
    expect(await world.db.source.getRepository(UsageRecord).findOneBy({ id: watch.last.attempt.requestId })).toBeNull();
  });

  it("while it waits for its turn to connect, and the provider never hears of it", async () => {
    const before = requestsOf(solo);
    await withSilentAddress(async (accepted) => {
      // More than a relay connects at once.
      const asked = Array.from({ length: 20 }, () => ask(SOLO));
      await until("as many to connect as may", () => accepted() >= 16);
      const since = ownTime();
      for (const exchange of asked) exchange.leave();
      await until("all to be over", () => world.relay.server.inFlight() === 0);
      expect(since.stop()).toBeLessThan(100);
      await world.expectNothingLeft();
    });
    expect(requestsOf(solo)).toBe(before);
  });
});

/** The solo endpoint is at an address that accepts connections and never says a word. */
async function withSilentAddress(act: (accepted: () => number) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const moveTo = async (url: string) => {
    await world.rows("UPDATE endpoint SET base_url = $2 WHERE id = $1", [solo.endpointId, url]);
    await world.refresh();
  };
  await moveTo(`https://127.0.0.1:${port}`);
  try {
    await act(() => sockets.size);
  } finally {
    await moveTo(solo.scripted.url);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  }
}

describe("each timeout fires by itself:", () => {
  /** What the attempt took. A timer is never early, and late only by what the machine does. */
  async function expectTimeout(sinceMs: () => number, limitMs: number, stream = true): Promise<void> {
    const before = watch.attempts.length;
    const own = ownTime();
    const { text } = await ask(SOLO, stream).answer;
    expect(text).toMatch(/upstream_timeout|upstream_truncated/);
    expect(watch.attempts).toHaveLength(before + 1);
    // The total counts from the request, which was admitted before it was dispatched.
    expect(watch.last.cancelledMs! - sinceMs()).toBeGreaterThan(limitMs - 200);
    expect(own.stop()).toBeLessThan(limitMs + 250);
  }

  it("to connect", async () => {
    await withSilentAddress(async () => {
      const before = performance.now();
      const { status, text } = await ask(SOLO).answer;
      expect([status, JSON.parse(text).error.code]).toEqual([504, "upstream_timeout"]);
      expect(watch.last.overMs! - before).toBeGreaterThan(limits.connect - 20);
      expect(watch.last.cancelledMs).toBeNull();
    });
  });

  it("to the first byte", async () => {
    solo.scripted.play(hangs);
    await expectTimeout(() => watch.last.dispatchedMs, limits.firstByte);
  });

  it("to the first content, though headers, roles and comments come", async () => {
    const role = event({ choices: [{ index: 0, delta: { role: "assistant" } }] });
    solo.scripted.play(({ socket }) => void socket.write(`${streamHead}: x\n\n${role}`));
    await expectTimeout(() => watch.last.dispatchedMs, limits.firstByte);
  });

  it("between two pieces", async () => {
    let wroteMs = 0;
    solo.scripted.play(({ socket }) => {
      wroteMs = performance.now();
      socket.write(streamHead + delta("Hi"));
    });
    await expectTimeout(() => wroteMs, limits.idle);
  });

  it("of all of it, though pieces come", async () => {
    solo.scripted.play(({ socket }) => {
      socket.write(streamHead);
      const timer = setInterval(() => void socket.write(delta("Hi")), 50);
      socket.on("close", () => clearInterval(timer));
    });
    await expectTimeout(() => watch.last.dispatchedMs, limits.total);
  });

  it("of all of a whole answer, though bytes come", async () => {
    solo.scripted.play(({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n");
      const timer = setInterval(() => void socket.write(" "), 50);
      socket.on("close", () => clearInterval(timer));
    });
    await expectTimeout(() => watch.last.dispatchedMs, limits.total, false);
  });
});

describe("a provider that asks to be left alone", () => {
  const throttles =
    (...waits: readonly string[]): Script =>
    ({ socket }) => {
      const headers = waits.map((wait) => `retry-after: ${wait}\r\n`).join("");
      socket.write(`HTTP/1.1 429 Too Many Requests\r\n${headers}content-length: 0\r\n\r\n`);
    };
  const pausedForMs = () => liveOf(solo).cooldownUntilMs - world.clock.nowMs();
  const at = (inMs: number) => new Date(Date.now() + inMs).toUTCString();

  it.each<[string, Script, number]>([
    ["for a minute", throttles("60"), 60_000],
    ["without saying for how long", throttles(), 1_000],
    ["in words", throttles("a while"), 1_000],
    ["for less than nothing", throttles("-5"), 1_000],
    ["for nothing", throttles("0"), 1_000],
    ["for a year", throttles("31536000"), 600_000],
    ["for longer than a number can say", throttles("9".repeat(400)), 1_000],
    ["until a moment", (request) => throttles(at(120_000))(request), 120_000],
    ["until a moment that is over", (request) => throttles(at(-120_000))(request), 1_000],
    ["twice in one answer", throttles("5", "60"), 60_000],
    ["twice in one answer, the longer first", throttles("60", "5"), 60_000],
    ["with a 503", ({ socket }) => void socket.write(httpAnswer("503 Busy", "", { "retry-after": "60" })), 60_000],
  ])("%s", async (_, script, expectedMs) => {
    solo.scripted.play(script);
    expect((await ask(SOLO).answer).status).toBeGreaterThanOrEqual(502);
    const pausedMs = pausedForMs();
    expect(pausedMs).toBeGreaterThan(expectedMs - 2_000);
    expect(pausedMs).toBeLessThanOrEqual(expectedMs + 1_000);
  });

  it("is left alone for the longest of what several of its answers asked for, in whatever order they come", async () => {
    const waiting: Parameters<Script>[0][] = [];
    solo.scripted.play((request) => void waiting.push(request));
    const asked = Array.from({ length: 3 }, () => ask(SOLO));
    await until("all of them at the provider", () => waiting.length === 3);
    const pauses: number[] = [];
    for (const [i, wait] of ["20", "60", "5"].entries()) {
      throttles(wait)(waiting[i]!);
      await until("the relay to have heard", () => world.relay.server.inFlight() === 2 - i);
      pauses.push(Math.round(pausedForMs() / 1_000));
    }
    await Promise.all(asked.map(({ answer }) => answer));
    expect(pauses).toEqual([20, 60, 60]);
    const before = requestsOf(solo);
    solo.scripted.play(answers);
    expect(JSON.parse((await ask(SOLO).answer).text).error.reasons).toEqual(["COOLING_DOWN"]);
    expect(requestsOf(solo)).toBe(before);
  });
});

describe("a maintenance that begins while streams run", () => {
  it("lets them finish, sends nothing new there, and ends as it began", async () => {
    const waiting: Parameters<Script>[0][] = [];
    first.scripted.play((request) => {
      waiting.push(request);
      request.socket.write(streamHead + delta("Hi"));
    });
    const running = Array.from({ length: 3 }, () => ask(PAIR, true));
    await Promise.all(running.map((exchange) => exchange.sees('"Hi"')));
    const { capacity } = world.services;
    const now = world.clock.nowMs();
    const window = await capacity.openWindow(first.viewer, {
      ...first.place,
      kind: "MAINTENANCE",
      gpuCount: 8,
      startsAt: new Date(now - 1),
      endsAt: new Date(now + 60_000),
    });
    await world.refresh();
    const before = requestsOf(first);
    expect((await ask(PAIR).answer).status).toBe(200);
    expect([requestsOf(first), watch.last.attempt.endpoint.id]).toEqual([before, second.endpointId]);
    for (const { socket } of waiting) socket.end(`${delta(" you")}${usage}${done}`);
    for (const { answer } of running) {
      const { text, headers } = await answer;
      expect(text.endsWith(done)).toBe(true);
      const id = headers["x-request-id"] as string;
      expect(await world.db.source.getRepository(UsageRecord).findOneBy({ id })).toMatchObject({
        endpointId: first.endpointId,
        outcome: "COMPLETED",
        completionTokens: 2,
      });
    }
    await capacity.cancelWindow(first.viewer, window.id);
    await world.refresh();
    first.scripted.play(answers);
    expect((await ask(PAIR).answer).status).toBe(200);
    expect(requestsOf(first)).toBe(before + 1);
  });
});
