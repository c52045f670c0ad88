/** What metrics, traces and the log tell of requests, and what none of them ever tells. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createLog } from "../../src/platform/log";
import { openTelemetry, type Telemetry } from "../../src/relay/telemetry";
import { until, watchResources } from "../support/leftovers";
import { type RawAnswer, type RawRequest, send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, delta, httpAnswer, type ScriptedRequest, streamHead } from "../support/scripted-provider";
import { attributesOf, type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "./an-otlp-receiver";

const SOLO = "acme/solo";
/** Two endpoints offer it; the first has far more slots, so that it is asked first. */
const PAIR = "acme/pair";
const DONE = "data: [DONE]\n\n";

let world: RelayWorld;
let solo: WorldProvider;
let first: WorldProvider;
let startup: WorldStartup;
let receiver: OtlpReceiver;
let telemetry: Telemetry;
let resourcesAreBack: () => Promise<void>;
const telemetryLog: string[] = [];

beforeAll(async () => {
  resourcesAreBack = watchResources();
  receiver = await startOtlpReceiver();
  const log = createLog({ level: "debug", write: (line) => void telemetryLog.push(line) });
  telemetry = openTelemetry({ endpoint: receiver.url, version: "1.2.3", log });
  world = await openRelayWorld({
    environment: { UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "2000", UPSTREAM_IDLE_TIMEOUT_MS: "300" },
    providers: [
      { model: SOLO, scripted: true },
      { model: PAIR, scripted: true, slots: 512 },
      { model: PAIR, slots: 2 },
    ],
    watchers: [(seen) => telemetry.watch(seen)],
    logLevel: "trace",
  });
  [solo, first] = world.providers as [WorldProvider, WorldProvider];
  startup = await world.addStartup();
});
beforeEach(() => {
  world.forgetFailures();
  receiver.spans.length = 0;
  receiver.metrics.length = 0;
});
afterEach(() => world.expectNothingLeft());
afterAll(async () => {
  await telemetry.close();
  await world.stop();
  await receiver.close();
  await resourcesAreBack();
});

const ask = (body: object, request: Omit<RawRequest, "body"> = {}) =>
  send(world.relay.url, {
    secret: startup.secret,
    body: { messages: [{ role: "user", content: "Well?" }], max_tokens: 20, ...body },
    ...request,
  });
const answers = ({ socket }: ScriptedRequest) => void socket.write(httpAnswer("200 OK", completion("Well.")));
const streams = ({ socket }: ScriptedRequest) => {
  socket.write(`${streamHead}${delta("one ")}`);
  setImmediate(() => socket.end(`${delta("two")}${DONE}`));
};
const text = () => world.relay.metrics.text();
const figure = async (series: string) =>
  Number(
    (await text())
      .split("\n")
      .find((line) => line.startsWith(`${series} `))
      ?.split(" ")[1] ?? 0,
  );
async function spansOf(requestId: unknown): Promise<{ request: ReceivedSpan; attempts: ReceivedSpan[] }> {
  await telemetry.flush();
  const request = receiver.spans.find((span) => attributesOf(span)["exergy.request.id"] === requestId)!;
  return { request, attempts: receiver.spans.filter(({ parentSpanId }) => parentSpanId === request.spanId) };
}

describe("metrics", () => {
  it("count a request by what it was and how it ended, its tokens, bytes and times", async () => {
    const before = await Promise.all([
      figure('exergy_relay_requests_total{operation="chat_completions",outcome="completed"}'),
      figure('exergy_relay_tokens_total{direction="output"}'),
      figure('exergy_relay_stream_ends_total{cause="done"}'),
      figure("exergy_relay_overhead_seconds_count"),
      figure("exergy_relay_settle_seconds_count"),
      figure("exergy_relay_first_token_seconds_count"),
    ]);
    solo.scripted.play(answers);
    expect((await ask({ model: SOLO }).answer).status).toBe(200);
    solo.scripted.play(streams);
    expect((await ask({ model: SOLO, stream: true }).answer).text).toContain("[DONE]");
    const after = await Promise.all([
      figure('exergy_relay_requests_total{operation="chat_completions",outcome="completed"}'),
      figure('exergy_relay_tokens_total{direction="output"}'),
      figure('exergy_relay_stream_ends_total{cause="done"}'),
      figure("exergy_relay_overhead_seconds_count"),
      figure("exergy_relay_settle_seconds_count"),
      figure("exergy_relay_first_token_seconds_count"),
    ]);
    expect(after.map((value, index) => value - before[index]!)).toEqual([2, 4, 1, 2, 2, 1]);
    expect(await figure('exergy_relay_bytes_total{direction="in"}')).toBeGreaterThan(0);
    expect(await figure('exergy_relay_bytes_total{direction="out"}')).toBeGreaterThan(0);
  });

  it("do not call the provider's time ours", async () => {
    const before = [
      await figure("exergy_relay_overhead_seconds_sum"),
      await figure("exergy_relay_request_seconds_sum"),
    ];
    solo.scripted.play((request) => setTimeout(() => answers(request), 400));
    await ask({ model: SOLO }).answer;
    const overhead = (await figure("exergy_relay_overhead_seconds_sum")) - before[0]!;
    const all = (await figure("exergy_relay_request_seconds_sum")) - before[1]!;
    expect(all).toBeGreaterThan(0.4);
    expect(overhead).toBeLessThan(all - 0.39);
  });

  it("show what is open and for how long, and nothing when all is over", async () => {
    const waiting: ScriptedRequest[] = [];
    solo.scripted.play((request) => void waiting.push(request));
    const open = [ask({ model: SOLO }), ask({ model: SOLO })];
    await until("both to be dispatched", () => waiting.length === 2);
    expect(await figure("exergy_relay_open_holds")).toBe(2);
    expect(await figure("exergy_relay_oldest_hold_seconds")).toBeGreaterThan(0);
    expect(await figure(`exergy_routing_in_flight{endpoint="${solo.endpointId}"}`)).toBe(2);
    for (const request of waiting) answers(request);
    await Promise.all(open.map(({ answer }) => answer));
    await until("none to be open", async () => (await figure("exergy_relay_open_holds")) === 0);
    expect(await figure("exergy_relay_oldest_hold_seconds")).toBe(0);
  });

  it("show a breaker that opened", async () => {
    const breaker = `exergy_routing_breaker_state{endpoint="${solo.endpointId}"}`;
    expect(await figure(breaker)).toBe(0);
    solo.scripted.play(({ socket }) => void socket.write(httpAnswer("500 No", "{}")));
    for (let i = 0; i < 3; i++) await ask({ model: SOLO }).answer;
    expect(await figure(breaker)).toBe(2);
    expect(await figure("exergy_relay_retry_budget")).toBeLessThanOrEqual(20);
  });

  it("have series that nobody outside can multiply: paths, models and methods are no labels", async () => {
    const series = async () => (await text()).split("\n").filter((line) => /^exergy_relay_requests_total/.test(line));
    await ask({}, { path: "/v1/none-0" }).answer;
    await ask({ model: "none-0" }).answer;
    const before = (await series()).length;
    for (let i = 1; i < 20; i++) {
      await ask({}, { path: `/v1/none-${i}` }).answer;
      await ask({ model: `none-${i}` }).answer;
    }
    expect((await series()).length).toBe(before);
    expect(await text()).not.toContain("none-");
  });
});

describe("traces", () => {
  it("hold a request with its attempts, below the client's own span", async () => {
    first.scripted.play(({ socket }) => void socket.write(httpAnswer("503 Full", "{}")));
    const [traceId, parent] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
    const { headers, status } = await ask(
      { model: PAIR, stream: true },
      { headers: { traceparent: `00-${traceId}-${parent}-01` } },
    ).answer;
    expect(status).toBe(200);
    const { request, attempts } = await spansOf(headers["x-request-id"]);
    expect(request).toMatchObject({ name: `chat ${PAIR}`, kind: 2, traceId, parentSpanId: parent });
    expect(attributesOf(request)).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "exergy",
      "gen_ai.request.model": PAIR,
      "gen_ai.request.max_tokens": 20,
      "gen_ai.usage.input_tokens": expect.any(Number),
      "gen_ai.usage.output_tokens": expect.any(Number),
      "exergy.outcome": "completed",
    });
    expect(request.events.map(({ name }) => name)).toEqual(["first token"]);
    expect(attempts.map((span) => attributesOf(span)["exergy.attempt.result"])).toEqual(["STATUS_5XX", "OK"]);
    expect(BigInt(request.startTimeUnixNano)).toBeLessThanOrEqual(BigInt(attempts[0]!.startTimeUnixNano));
    expect(BigInt(request.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(attempts[1]!.endTimeUnixNano));
  });

  it("begin anew where the client's header is none, and are not kept where it says so", async () => {
    solo.scripted.play(answers);
    const traceId = randomBytes(16).toString("hex");
    const odd = await ask({ model: SOLO }, { headers: { traceparent: `00-${traceId}-0000000000000000-01` } }).answer;
    const unsampled = await ask({ model: SOLO }, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-00` } })
      .answer;
    const { request } = await spansOf(odd.headers["x-request-id"]);
    expect(request.traceId).not.toBe(traceId);
    expect(request.parentSpanId ?? "").toBe("");
    expect(
      receiver.spans.some((span) => attributesOf(span)["exergy.request.id"] === unsampled.headers["x-request-id"]),
    ).toBe(false);
  });

  it("are not passed on: a provider learns nothing of the client's trace", async () => {
    solo.scripted.play(answers);
    const traceId = randomBytes(16).toString("hex");
    await ask({ model: SOLO }, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: "a=b" } })
      .answer;
    const { head } = solo.scripted.requests.at(-1)!;
    expect(head).not.toMatch(/traceparent|tracestate/i);
    expect(head).not.toContain(traceId);
  });

  it("go with the four figures of the conventions", async () => {
    solo.scripted.play(streams);
    await ask({ model: SOLO, stream: true }).answer;
    await telemetry.flush();
    const units = Object.fromEntries(receiver.metrics.map(({ name, unit }) => [name, unit]));
    expect(units).toEqual({
      "gen_ai.client.token.usage": "{token}",
      "gen_ai.server.request.duration": "s",
      "gen_ai.server.time_to_first_token": "s",
      "gen_ai.server.time_per_output_token": "s",
    });
    const usage = receiver.metrics.find(({ name }) => name === "gen_ai.client.token.usage")!.histogram.dataPoints;
    expect(new Set(usage.map((point) => attributesOf(point)["gen_ai.token.type"]))).toEqual(
      new Set(["input", "output"]),
    );
    expect(usage[0]!.explicitBounds.slice(0, 4)).toEqual([1, 4, 16, 64]);
  });
});

test("without an endpoint nothing of OpenTelemetry is loaded, but for the interface that prom-client asks for", () => {
  const program = `require(${JSON.stringify(join(__dirname, "../../bin/exergy.ts"))});
    console.log(Object.keys(require.cache).filter((file) => /@opentelemetry.(?!api.)/.test(file)).length);`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--require", join(__dirname, "../demo/typescript.cjs"), "--eval", program],
    { encoding: "utf8" },
  );
  expect([stdout.trim(), stderr]).toEqual(["0", ""]);
});

test("no prompt, answer, key, token or name of a provider is in any metric, span, line of the log or error, however a request ends", async () => {
  const [prompt, said, unfit] = ["canary-prompt-7f3", "canary-answer-9b1", "canary-body-2c4"];
  const trace = { headers: { "x-canary": "canary-header-5d8", cookie: "canary-cookie-6e0" } };
  const question = (model: string, more: object = {}) =>
    ask({ model, messages: [{ role: "user", content: prompt }], user: "canary-user-1a2", ...more }, trace);
  const seen: RawAnswer[] = [];
  const of = async (exchange: ReturnType<typeof ask>) => void seen.push(await exchange.answer);
  const scripts: ((request: ScriptedRequest) => void)[] = [
    ({ socket }) => void socket.write(httpAnswer("200 OK", completion(said))),
    ({ socket }) => void socket.write(httpAnswer("200 OK", `{"${unfit}":1}`)),
    ({ socket }) => void socket.write(httpAnswer("400 Bad", `{"error":{"message":"${unfit}"}}`)),
    ({ socket }) => void socket.write(httpAnswer("401 No", `{"error":{"message":"${unfit}"}}`)),
    ({ socket }) => void socket.write(httpAnswer("429 Full", unfit)),
    ({ socket }) => void socket.write(httpAnswer("500 Broken", unfit, { server: unfit, "x-powered-by": unfit })),
    ({ socket }) => void socket.end(unfit),
    ({ socket }) => void socket.destroy(),
    ({ socket }) => void socket.end(`${streamHead}${delta(said)}`),
    ({ socket }) => void socket.end(`${streamHead}${delta(said)}data: {"error":{"message":"${unfit}"}}\n\n`),
    ({ socket }) => void socket.write(`${streamHead}${delta(said)}`),
    () => undefined,
  ];
  for (const script of scripts) {
    for (const stream of [false, true]) {
      world.forgetFailures();
      solo.scripted.play(script);
      await of(question(SOLO, { stream }));
    }
  }
  const leaving = question(SOLO, { stream: true });
  await until("it to be dispatched", () => solo.scripted.requests.length > 0);
  leaving.leave();
  await of(question("canary-model-4b7"));
  await of(question(SOLO, { max_tokens: "canary-field-8c8" }));
  await of(question(SOLO, { max_tokens: 4_000_000 }));
  await of(ask({ model: SOLO }, { secret: "exg_canarykey", ...trace }));
  await of(send(world.relay.url, { secret: startup.secret, body: `{"model": canary-json-3d3` }));
  await of(ask({}, { path: "/v1/canary-path", ...trace }));
  const broke = await world.addStartup(1n);
  await of(ask({ model: SOLO, messages: [{ role: "user", content: prompt }] }, { secret: broke.secret }));
  await world.expectNothingLeft();
  await telemetry.flush();

  const watched = [...world.logged, ...telemetryLog, receiver.text(), await text()].join("\n");
  expect(watched).toContain(SOLO);
  const tokens = solo.scripted.requests.flatMap(({ head }) => /^x-exergy-relay-token: (\S+)/im.exec(head)?.[1] ?? []);
  expect(tokens.length).toBeGreaterThan(10);
  const secrets = [startup.secret, broke.secret, ...tokens];
  // An endpoint's id is a label of the metrics, which operators alone read; it names nobody.
  const names = world.providers.flatMap(({ canaries, endpointId }) =>
    canaries.filter((canary) => canary !== endpointId),
  );
  const told = (haystack: string, needles: readonly string[]) => needles.filter((needle) => haystack.includes(needle));
  expect(watched.match(/canary-[a-z]+-\w+|exg_\w+/gi)).toBeNull();
  expect(told(watched, [...secrets, ...names])).toEqual([]);

  const errors = seen
    .filter(({ status }) => status !== 200)
    .map(({ headers, text: body }) => JSON.stringify([headers, body]));
  expect(errors.length).toBeGreaterThan(15);
  for (const error of errors) {
    expect(told(error, [prompt, said, unfit, ...secrets, ...names, solo.endpointId])).toEqual([]);
  }
});
