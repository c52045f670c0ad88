/** How a request ends when its client leaves or its provider fails, streamed and whole: what goes out, what is charged, who is asked next. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import OpenAI from "openai";
import { UsageRecord } from "../../entities/usage-record";
import { priceNanoCredit } from "../../src/pricing/quote";
import { createCertificateAuthority } from "../../src/upstreams/certificates";
import { until, watchResources } from "../support/leftovers";
import { ownTime } from "../support/own-time";
import { eventsOf, send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, delta, event, httpAnswer, streamHead } from "../support/scripted-provider";

/** One endpoint offers it. */
const SOLO = "acme/solo";
/** Two endpoints offer it; the first has far more slots, so that it is the first choice whenever it can be. */
const PAIR = "acme/pair";
const SCRIPTED = "acme/scripted";
/** Paced, and longer than the relay's total timeout. */
const DRIP = "acme/drip";
const messages = [{ role: "user" as const, content: "Tell me about quiet racks." }];
const promptTokens = Math.ceil(Buffer.byteLength(JSON.stringify(messages)) / 4);

let world: RelayWorld;
let startup: WorldStartup;
let solo: WorldProvider;
let first: WorldProvider;
let second: WorldProvider;
let scripted: WorldProvider;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    environment: {
      UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "400",
      UPSTREAM_IDLE_TIMEOUT_MS: "400",
      UPSTREAM_TOTAL_TIMEOUT_MS: "4500",
      UPSTREAM_CONNECT_TIMEOUT_MS: "1000",
    },
    providers: [
      { model: SOLO },
      { model: PAIR, slots: 512 },
      { model: PAIR, slots: 2, accelerator: "H200" },
      { model: SCRIPTED, scripted: true },
      { model: DRIP, tokensPerSecond: 10 },
    ],
  });
  [solo, first, second, scripted] = world.providers as [WorldProvider, WorldProvider, WorldProvider, WorldProvider];
});
beforeEach(async () => {
  startup = await world.addStartup();
  world.forgetFailures();
});
afterEach(async () => {
  for (const { reference } of [solo, first, second]) reference.setBehaviour({ mode: "normal" });
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const chat = (model: string, stream: boolean) =>
  send(world.relay.url, { secret: startup.secret, body: { model, messages, stream } });
const records = () => world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id });
const completed = (provider: WorldProvider) => provider.reference.numbers().completed;

async function expectNothingCharged(): Promise<void> {
  expect(await records()).toEqual([]);
  await world.returnLeases();
  const { issuedNanoCredit, availableNanoCredit } = await world.services.ledger.balance(startup.id);
  expect(availableNanoCredit).toBe(issuedNanoCredit);
  expect(
    await world.rows("SELECT id FROM hold WHERE startup_id = $1 AND state NOT IN ('VOIDED', 'HELD')", [startup.id]),
  ).toEqual([]);
}

/** The one record says `outcome`, and charges the prompt and `completionTokens` delivered ones by the offering's terms. */
async function expectCharged(outcome: string, completionTokens: number): Promise<void> {
  const record = await until("the usage record", async () => (await records())[0]);
  expect(record).toMatchObject({ outcome, promptTokens, completionTokens, usageBounded: true });
  const [route] = world.relay.services.routing
    .routesOf(record.model)!
    .filter(({ endpointId }) => endpointId === record.endpointId);
  expect(record.chargeNanoCredit).toBe(priceNanoCredit(route!.quote!, { promptTokens, completionTokens }));
  expect(await records()).toHaveLength(1);
}

async function expectError(
  answer: Promise<{ status: number; text: string; headers: object }>,
  status: number,
  code: string,
) {
  const { text, headers, ...rest } = await answer;
  expect({ status: rest.status, code: JSON.parse(text).error.code }).toEqual({ status, code });
  return { headers: headers as Record<string, string>, error: JSON.parse(text).error as Record<string, unknown> };
}

/** The client goes, and the provider's socket closes within 100 ms. */
async function leave(exchange: { leave(): void }, provider: WorldProvider): Promise<void> {
  const { aborted } = provider.reference.numbers();
  exchange.leave();
  await expectAborted(provider, aborted + 1);
}

async function expectAborted(provider: WorldProvider, times: number): Promise<void> {
  const since = ownTime();
  await until("the provider to see the abort", () => provider.reference.numbers().aborted === times);
  expect(since.stop()).toBeLessThan(100);
}

describe.each([
  ["whole", false],
  ["streamed", true],
] as const)("an answer that is asked for %s", (_, stream) => {
  it("is cancelled at the provider, and free, when the client leaves before its first byte", async () => {
    solo.reference.setBehaviour({ mode: "hang" });
    const exchange = chat(SOLO, stream);
    await until("the request at the provider", () => solo.reference.numbers().inFlight === 1);
    await leave(exchange, solo);
    await world.expectNothingLeft();
    await expectNothingCharged();
    const [hold] = await world.rows<{ id: string }>("SELECT id FROM hold WHERE startup_id = $1", [startup.id]);
    expect(await world.decision(hold!.id)).toMatchObject({ outcome: "ABORTED", attempts: [{ result: "CLIENT_GONE" }] });
  });

  it("becomes a 502 and costs nothing when the provider fails", async () => {
    solo.reference.setBehaviour({ mode: "fail" });
    const { headers, error } = await expectError(chat(SOLO, stream).answer, 502, "upstream_failed");
    expect(error).toMatchObject({ type: "upstream_error", message: expect.stringContaining("Nothing was charged") });
    expect(await world.decision(headers["x-request-id"]!)).toMatchObject({
      outcome: "FAILED",
      endpoint_id: null,
      attempts: [{ result: "STATUS_5XX" }],
    });
    await expectNothingCharged();
  });

  it("becomes a 503 when the provider is throttled, which is then left alone for as long as it asked", async () => {
    solo.reference.setBehaviour({ mode: "fail", status: 429, retryAfterSeconds: 60 });
    await expectError(chat(SOLO, stream).answer, 503, "no_route");
    solo.reference.setBehaviour({ mode: "normal" });
    const { requests } = solo.reference.numbers();
    const { error } = await expectError(chat(SOLO, stream).answer, 503, "no_route");
    expect(error.reasons).toEqual(["COOLING_DOWN"]);
    expect(solo.reference.numbers().requests).toBe(requests);
    world.clock.shiftMs += 60_000;
    expect(world.relay.services.routing.routesOf(SOLO)![0]!.live.cooldownUntilMs).toBeLessThanOrEqual(
      world.clock.nowMs(),
    );
    world.clock.shiftMs = 0;
    await expectNothingCharged();
  });

  it("becomes a 504 when the provider hangs, whose socket is closed", async () => {
    solo.reference.setBehaviour({ mode: "hang" });
    const { aborted } = solo.reference.numbers();
    await expectError(chat(SOLO, stream).answer, 504, "upstream_timeout");
    await expectAborted(solo, aborted + 1);
    await expectNothingCharged();
  });

  it("becomes a 400, is free and tried nowhere else when the provider finds the request itself at fault", async () => {
    first.reference.setBehaviour({ mode: "fail", status: 400 });
    const asked = second.reference.numbers().requests;
    const { headers } = await expectError(chat(PAIR, stream).answer, 400, "bad_user_input");
    expect(second.reference.numbers().requests).toBe(asked);
    expect(await world.decision(headers["x-request-id"]!)).toMatchObject({
      outcome: "FAILED",
      attempts: [{ result: "STATUS_400" }],
    });
    await expectNothingCharged();
  });

  it.each([
    ["fails with a 500", { mode: "fail" }, "STATUS_5XX"],
    ["is throttled", { mode: "fail", status: 429 }, "THROTTLED"],
    ["refuses our token", { mode: "fail", status: 401 }, "REFUSED"],
    ["hangs", { mode: "hang" }, "TIMEOUT"],
    ["cuts the connection", { mode: "cut", afterChunks: 0 }, "CUT"],
  ] as const)("comes from the next provider, charged once, when the first one %s", async (_how, behaviour, result) => {
    first.reference.setBehaviour(behaviour);
    const { status, headers } = await chat(PAIR, stream).answer;
    expect(status).toBe(200);
    expect(await records()).toMatchObject([
      { id: headers["x-request-id"], endpointId: second.endpointId, outcome: "COMPLETED", attempts: 2 },
    ]);
    expect(await world.decision(headers["x-request-id"] as string)).toMatchObject({
      outcome: "REROUTED",
      endpoint_id: second.endpointId,
      attempts: [
        { endpointId: first.endpointId, result },
        { endpointId: second.endpointId, result: "OK" },
      ],
    });
  });

  it("costs nothing when it has no content", async () => {
    const done =
      event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }) +
      event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 0 } });
    scripted.scripted.play(({ socket }) =>
      stream ? socket.end(`${streamHead}${done}data: [DONE]\n\n`) : socket.write(httpAnswer("200 OK", completion(""))),
    );
    const { status, text } = await chat(SCRIPTED, stream).answer;
    expect(status).toBe(200);
    expect(text).toMatch(stream ? /"finish_reason":"stop"[\s\S]+data: \[DONE\]\n\n$/ : /"content":""/);
    await expectNothingCharged();
  });

  it.each([
    ["is no JSON", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnope"],
    ["is an error in a 200", httpAnswer("200 OK", '{"error":{"message":"canary"}}')],
    ["is empty", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["redirects", "HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"],
    ["is no HTTP", "220 mail.example ESMTP\r\n"],
  ])("becomes a 502 and costs nothing when what comes back %s", async (_what, bytes) => {
    scripted.scripted.play(({ socket }) => socket.write(bytes));
    await expectError(chat(SCRIPTED, stream).answer, 502, "upstream_failed");
    await expectNothingCharged();
  });

  it("is not taken for failed because of an interim answer", async () => {
    const whole = stream ? `${streamHead}${delta("Hi")}data: [DONE]\n\n` : httpAnswer("200 OK", completion("Hi"));
    scripted.scripted.play(({ socket }) =>
      socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${whole}`, () => stream && socket.end()),
    );
    expect((await chat(SCRIPTED, stream).answer).status).toBe(200);
    expect(await records()).toHaveLength(1);
  });
});

describe("a whole answer", () => {
  it("is charged once when the official client had to repeat its request", async () => {
    solo.reference.setBehaviour({ mode: "fail" });
    const { failed } = solo.reference.numbers();
    const asked = world.client(startup, { maxRetries: 2 }).chat.completions.create({ model: SOLO, messages });
    await until("the first failure", () => solo.reference.numbers().failed > failed);
    solo.reference.setBehaviour({ mode: "normal" });
    const answer = await asked;
    expect(await records()).toMatchObject([{ id: answer._request_id, outcome: "COMPLETED", attempts: 1 }]);
  });

  it("is free when the client leaves while the provider is writing it", async () => {
    const provider = world.providers[4]!;
    const exchange = chat(DRIP, false);
    await until(
      "the prompt at the provider",
      () => provider.reference.numbers().inFlight === 1 && provider.reference.numbers().promptTokens > 0,
    );
    await leave(exchange, provider);
    await world.expectNothingLeft();
    await expectNothingCharged();
  });

  it("comes from the next provider when the first one breaks off in its middle", async () => {
    first.reference.setBehaviour({ mode: "cut", afterChunks: 1 });
    const { status, text } = await chat(PAIR, false).answer;
    expect([status, JSON.parse(text).choices.length]).toEqual([200, 1]);
    expect(await records()).toMatchObject([{ endpointId: second.endpointId, attempts: 2 }]);
  });
});

describe("a streamed answer", () => {
  it.each([1, 3])("is charged for the prompt and %d tokens when the client leaves after these", async (tokens) => {
    solo.reference.setBehaviour({ mode: "hang", afterChunks: tokens });
    const exchange = chat(SOLO, true);
    await until("the tokens", () => eventsOf(exchange.text().replace(/[^\n]*$/, "")).length === tokens + 1);
    await leave(exchange, solo);
    await expectCharged("ABORTED", tokens);
    expect(await world.decision((await records())[0]!.id)).toMatchObject({
      outcome: "ABORTED",
      endpoint_id: solo.endpointId,
    });
  });

  it("is charged for what the official client took before it stopped reading", async () => {
    solo.reference.setBehaviour({ mode: "hang", afterChunks: 2 });
    const { aborted } = solo.reference.numbers();
    const stream = await world.client(startup).chat.completions.create({ model: SOLO, messages, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    await expectAborted(solo, aborted + 1);
    await expectCharged("ABORTED", 2);
  });

  it("ends with an error and without `[DONE]` when the provider breaks off, and is charged for what came", async () => {
    first.reference.setBehaviour({ mode: "cut", afterChunks: 3 });
    const served = completed(second);
    const { status, text, headers } = await chat(PAIR, true).answer;
    expect(status).toBe(200);
    const events = eventsOf(text);
    expect(events).toHaveLength(5);
    expect(events.at(-1)).toMatchObject({ error: { code: "upstream_truncated", type: "upstream_error", param: null } });
    await expectCharged("PARTIAL", 3);
    expect(completed(second)).toBe(served);
    expect(await world.decision(headers["x-request-id"] as string)).toMatchObject({
      outcome: "FAILED",
      attempts: [{ result: "CUT" }],
    });
  });

  it("throws in the official client when the provider breaks off, instead of looking complete", async () => {
    solo.reference.setBehaviour({ mode: "cut", afterChunks: 3 });
    const stream = await world.client(startup).chat.completions.create({ model: SOLO, messages, stream: true });
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const chunk of stream) pieces.push(chunk.choices[0]?.delta.content ?? "");
    })();
    await expect(reading).rejects.toThrow(OpenAI.APIError);
    await expect(reading).rejects.toMatchObject({ code: "upstream_truncated" });
    expect(pieces).toHaveLength(4);
    await expectCharged("PARTIAL", 3);
  });

  it("ends with an error when the provider falls silent in its middle", async () => {
    solo.reference.setBehaviour({ mode: "hang", afterChunks: 2 });
    const { text } = await chat(SOLO, true).answer;
    expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: "upstream_truncated" } });
    await expectCharged("PARTIAL", 2);
  });

  it("stops its provider while the client does not read, for as long as that takes, and is whole when it reads again", async () => {
    const pieces = 320;
    const large = delta("x".repeat(65_536));
    let taken = 0;
    scripted.scripted.play(({ socket }) => {
      const next = () => {
        if (taken === pieces) return void socket.end("data: [DONE]\n\n");
        taken += 1;
        socket.write(large, next);
      };
      socket.write(streamHead, next);
    });
    const body = { model: SCRIPTED, messages, stream: true };
    const exchange = send(world.relay.url, { secret: startup.secret, body, stalls: true });
    const stalledMs = world.relay.config.upstream.idleTimeoutMs * 1.5;
    let [seen, sinceMs] = [0, performance.now()];
    await until("the provider to be stopped for longer than it may be idle", () => {
      if (taken !== seen) [seen, sinceMs] = [taken, performance.now()];
      return taken > 0 && performance.now() - sinceMs > stalledMs;
    });
    // The kernel's buffers hold what was taken, not the relay.
    expect(taken).toBeLessThan(pieces * 0.75);
    exchange.read();
    const { text } = await exchange.answer;
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(text.length).toBeGreaterThan(pieces * large.length);
    expect(await records()).toMatchObject([{ outcome: "COMPLETED" }]);
  });

  it("ends with an error when it takes longer than an answer may", async () => {
    const { text } = await chat(DRIP, true).answer;
    expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: "upstream_truncated" } });
    const [record] = await records();
    expect(record).toMatchObject({ outcome: "PARTIAL" });
    expect(record!.completionTokens).toBe(eventsOf(text).length - 2);
  });

  it("ends with an error when the provider reports one inside it, without the provider's words", async () => {
    scripted.scripted.play(({ socket }) =>
      socket.end(`${streamHead}${delta("Hi")}${event({ error: { message: "canary" } })}`),
    );
    const { text } = await chat(SCRIPTED, true).answer;
    expect(text).not.toContain("canary");
    expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: "upstream_truncated" } });
    await expectCharged("PARTIAL", 1);
  });

  it("is complete with its `[DONE]`, whatever the provider sends after it", async () => {
    scripted.scripted.play(({ socket }) =>
      socket.end(`${streamHead}${delta("Hi")}data: [DONE]\n\n${delta("and more")}`),
    );
    const { text } = await chat(SCRIPTED, true).answer;
    expect(text).toMatch(/"Hi"[^\n]*\n\ndata: \[DONE\]\n\n$/);
    expect(await records()).toMatchObject([{ outcome: "COMPLETED" }]);
  });

  it("is complete with its `[DONE]` though the provider keeps the connection open", async () => {
    scripted.scripted.play(({ socket }) => socket.write(`${streamHead}${delta("Hi")}data: [DONE]\n\n`));
    const { text } = await chat(SCRIPTED, true).answer;
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
    expect(await records()).toMatchObject([{ outcome: "COMPLETED" }]);
    for (const socket of scripted.scripted.sockets) socket.destroy();
  });
});

describe("a supply that is not what it was", () => {
  const served = async (provider: WorldProvider) => {
    const answer = await world.client(startup).chat.completions.create({ model: PAIR, messages });
    const decision = await world.decision(answer._request_id!);
    expect(decision.endpoint_id).toBe(provider.endpointId);
    return decision.candidates.find(({ endpointId }) => endpointId === first.endpointId)!.refusal;
  };

  it("leaves a provider in maintenance alone, says so, and comes back after it", async () => {
    expect(await served(first)).toBeNull();
    const now = world.clock.nowMs();
    const { capacity } = world.services;
    const window = await capacity.openWindow(first.viewer, {
      ...first.place,
      kind: "MAINTENANCE",
      gpuCount: 8,
      startsAt: new Date(now - 1),
      endsAt: new Date(now + 60_000),
    });
    await world.refresh();
    expect(await served(second)).toBe("IN_MAINTENANCE");
    await capacity.cancelWindow(first.viewer, window.id);
    await world.refresh();
    expect(await served(first)).toBeNull();
  });

  it("does not send work where no capacity is listed", async () => {
    const { capacity } = world.services;
    const { rows } = await capacity.windows(first.viewer, { first: 10 }, { kind: "BASELINE" });
    await capacity.cancelWindow(first.viewer, rows[0]!.id);
    await world.refresh();
    expect(await served(second)).toBe("NO_CAPACITY_WINDOW");
    await capacity.openWindow(first.viewer, {
      ...first.place,
      kind: "BURST",
      gpuCount: 1,
      startsAt: new Date(world.clock.nowMs() - 1),
    });
    await world.refresh();
    expect(await served(first)).toBeNull();
  });

  it("passes over an endpoint whose address may not be called, which stands in no one's way", async () => {
    const [{ base_url }] = (await world.rows<{ base_url: string }>("SELECT base_url FROM endpoint WHERE id = $1", [
      first.endpointId,
    ])) as [{ base_url: string }];
    await world.rows("UPDATE endpoint SET base_url = 'https://10.0.0.1:9' WHERE id = $1", [first.endpointId]);
    await world.refresh();
    await served(second);
    await world.rows("UPDATE endpoint SET base_url = $2 WHERE id = $1", [first.endpointId, base_url]);
    await world.refresh();
  });

  it("passes over an endpoint that presents a certificate of another authority", async () => {
    const [{ ca_pem }] = (await world.rows<{ ca_pem: string }>("SELECT ca_pem FROM endpoint WHERE id = $1", [
      first.endpointId,
    ])) as [{ ca_pem: string }];
    await world.rows("UPDATE endpoint SET ca_pem = $2 WHERE id = $1", [
      first.endpointId,
      (await createCertificateAuthority("another")).certPem,
    ]);
    await world.refresh();
    const asked = first.reference.numbers().requests;
    await served(second);
    expect(first.reference.numbers().requests).toBe(asked);
    await world.rows("UPDATE endpoint SET ca_pem = $2 WHERE id = $1", [first.endpointId, ca_pem]);
    await world.refresh();
  });

  it("passes over an endpoint that accepts connections and never says a word", async () => {
    const silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const sockets = new Set<Socket>();
    silent.on("connection", (socket) => void sockets.add(socket.on("error", () => undefined)));
    const port = (silent.address() as { port: number }).port;
    const [{ base_url }] = (await world.rows<{ base_url: string }>("SELECT base_url FROM endpoint WHERE id = $1", [
      first.endpointId,
    ])) as [{ base_url: string }];
    await world.rows("UPDATE endpoint SET base_url = $2 WHERE id = $1", [
      first.endpointId,
      `https://127.0.0.1:${port}`,
    ]);
    await world.refresh();
    await served(second);
    await world.rows("UPDATE endpoint SET base_url = $2 WHERE id = $1", [first.endpointId, base_url]);
    await world.refresh();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  it("serves from the next provider when one is killed, and is a 502 when all are", async () => {
    await served(first);
    await first.close();
    world.providers.splice(1, 1);
    const answer = await world.client(startup).chat.completions.create({ model: PAIR, messages });
    expect(await world.decision(answer._request_id!)).toMatchObject({
      outcome: "REROUTED",
      attempts: [{ result: expect.stringMatching(/CONNECT|CUT/) }, { result: "OK" }],
    });
    // Its breaker is open now: the next request does not even try.
    const again = await world.client(startup).chat.completions.create({ model: PAIR, messages });
    expect(await world.decision(again._request_id!)).toMatchObject({
      outcome: "SERVED",
      attempts: [{ endpointId: second.endpointId }],
    });
    await second.close();
    world.providers.splice(1, 1);
    const { availableNanoCredit } = await world.services.ledger.balance(startup.id);
    world.forgetFailures();
    await expect(world.client(startup).chat.completions.create({ model: PAIR, messages })).rejects.toMatchObject({
      status: 502,
      code: "upstream_failed",
    });
    expect((await world.services.ledger.balance(startup.id)).availableNanoCredit).toBe(availableNanoCredit);
  });
});
