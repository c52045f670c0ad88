/** What a key and its organisation may send: how it is told, refused and given back, seen through the official client. */
import { RateLimitError } from "openai";
import { until, watchResources } from "../../support/leftovers";
import { type RawAnswer, send } from "../../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../../support/relay-world";
import { completion, httpAnswer } from "../../support/scripted-provider";

const MODEL = "acme/solo";
const SCRIPTED = "acme/scripted";
const messages = [{ role: "user" as const, content: "Tell me about quiet racks." }];
/** Of the organisation, so that its limits show without hiding the keys'. */
const ORGANISATION_REQUESTS = 50;

let world: RelayWorld;
let startup: WorldStartup;
let solo: WorldProvider;
let scripted: WorldProvider;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    environment: {
      RELAY_KEY_REQUESTS_PER_MINUTE: "20",
      RELAY_ORGANISATION_REQUESTS_PER_MINUTE: `${ORGANISATION_REQUESTS}`,
      UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "2000",
    },
    // The clock is moved by minutes, for which relay tokens are not made.
    providers: [
      { model: MODEL, verifyTokens: false },
      { model: SCRIPTED, scripted: true },
    ],
  });
  [solo, scripted] = world.providers as [WorldProvider, WorldProvider];
});
beforeEach(async () => {
  startup = await world.addStartup();
  world.forgetFailures();
});
afterEach(async () => {
  solo.reference.setBehaviour({ mode: "normal" });
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const aKey = async (limits: { requestsPerMinute?: number; tokensPerMinute?: number; concurrentRequests?: number }) => {
  const input = { organisationId: startup.id, name: "limited", scopes: ["INFER"] as const, limits };
  return (await world.services.accounts.createApiKey(world.operator, input)).secret;
};
const chat = (secret: string, more: object = {}) =>
  send(world.relay.url, { secret, body: { model: MODEL, messages, max_tokens: 16, ...more } });
const figures = ({ headers }: RawAnswer) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("x-ratelimit-")));
const remaining = (answer: RawAnswer) => [
  Number(answer.headers["x-ratelimit-remaining-requests"]),
  Number(answer.headers["x-ratelimit-remaining-tokens"]),
];

test("every answer tells what is left, and a stream does too", async () => {
  const secret = await aKey({ requestsPerMinute: 10, tokensPerMinute: 600 });
  const whole = await chat(secret).answer;
  const { usage } = JSON.parse(whole.text) as { usage: { total_tokens: number } };
  expect(whole.status).toBe(200);
  expect(figures(whole)).toEqual({
    "x-ratelimit-limit-requests": "10",
    "x-ratelimit-remaining-requests": "9",
    "x-ratelimit-reset-requests": expect.stringMatching(/^(\d(\.\d+)?s|\d+ms)$/),
    "x-ratelimit-limit-tokens": "600",
    "x-ratelimit-remaining-tokens": expect.stringMatching(/^5\d\d$/),
    "x-ratelimit-reset-tokens": expect.stringMatching(/^(\d(\.\d+)?s|\d+ms)$/),
  });
  // What comes back while the request runs is a tenth of a token in ten milliseconds.
  expect(remaining(whole)[1]).toBeGreaterThanOrEqual(600 - usage.total_tokens);
  const streamed = await chat(secret, { stream: true }).answer;
  expect(streamed.text).toMatch(/data: \[DONE\]\n\n$/);
  expect(remaining(streamed)[0]).toBe(8);
});

test("every inference route takes from the same allowance", async () => {
  const secret = await aKey({ requestsPerMinute: 10 });
  const usage = { prompt_tokens: 4, completion_tokens: 1, input_tokens: 4, output_tokens: 1, total_tokens: 5 };
  const asked = [
    ["/v1/completions", { prompt: "Quiet racks", max_tokens: 4 }, { choices: [{ index: 0, text: "Hi" }], usage }],
    [
      "/v1/embeddings",
      { input: "Quiet racks" },
      { data: [{ index: 0, embedding: [0.5] }], usage: { prompt_tokens: 4 } },
    ],
    [
      "/v1/responses",
      { input: "Quiet racks", max_output_tokens: 16 },
      {
        object: "response",
        status: "completed",
        output: [{ type: "message", content: [{ type: "output_text", text: "Hi" }] }],
        usage,
      },
    ],
  ] as const;
  const left: number[] = [];
  for (const [path, body, whole] of asked) {
    scripted.scripted.play(({ socket }) => socket.write(httpAnswer("200 OK", JSON.stringify(whole))));
    const answer = await send(world.relay.url, { path, secret, body: { model: SCRIPTED, ...body } }).answer;
    expect([path, answer.status]).toEqual([path, 200]);
    left.push(remaining(answer)[0]!);
  }
  expect(left).toEqual([9, 8, 7]);
});

test("the official client gets its RateLimitError with OpenAI's words, repeats when it is told, and is served", async () => {
  const secret = await aKey({ requestsPerMinute: 2 });
  const ask = (maxRetries: number) =>
    world.client({ secret }, { maxRetries }).chat.completions.create({ model: MODEL, messages, max_tokens: 16 });
  await ask(0);
  await ask(0);
  const refused = (await ask(0).catch((error: unknown) => error)) as InstanceType<typeof RateLimitError>;
  expect(refused).toBeInstanceOf(RateLimitError);
  expect(refused).toMatchObject({ status: 429, code: "rate_limit_exceeded", type: "requests", param: null });
  expect(refused.message).toMatch(/Limit 2, Used 2, Requested 1\. Please try again in \d/);
  const retryAfterMs = Number(refused.headers.get("retry-after-ms"));
  expect(retryAfterMs).toBeGreaterThan(25_000);
  expect(retryAfterMs).toBeLessThanOrEqual(30_000);
  expect(refused.headers.get("retry-after")).toBe(`${Math.ceil(retryAfterMs / 1_000)}`);
  expect(refused.headers.get("x-should-retry")).toBe("true");
  world.clock.shiftMs += retryAfterMs;
  expect((await ask(0)).choices).toHaveLength(1);
});

test("what is left comes back with time, evenly, and never beyond the limit", async () => {
  const secret = await aKey({ requestsPerMinute: 6 });
  for (let sent = 0; sent < 6; sent++) expect((await chat(secret).answer).status).toBe(200);
  expect((await chat(secret).answer).status).toBe(429);
  world.clock.shiftMs += 10_000;
  expect(remaining(await chat(secret).answer)[0]).toBe(0);
  world.clock.shiftMs += 30_000;
  expect(remaining(await chat(secret).answer)[0]).toBe(2);
  world.clock.shiftMs += 3_600_000;
  expect(remaining(await chat(secret).answer)[0]).toBe(5);
});

test("tokens count as prompt and max_tokens while a request runs, and as what was used when it has ended", async () => {
  const secret = await aKey({ tokensPerMinute: 2_000, requestsPerMinute: 20 });
  solo.reference.setBehaviour({ mode: "hang" });
  const hanging = chat(secret, { max_tokens: 1_500 });
  await until("the request at the provider", () => solo.reference.numbers().inFlight === 1);
  const refused = await chat(secret, { max_tokens: 600 }).answer;
  expect([refused.status, JSON.parse(refused.text).error]).toMatchObject([
    429,
    { type: "tokens", code: "rate_limit_exceeded", retry_after_ms: expect.any(Number) },
  ]);
  hanging.leave();
  await world.expectNothingLeft();
  solo.reference.setBehaviour({ mode: "normal" });
  const served = await chat(secret, { max_tokens: 600 }).answer;
  const { usage } = JSON.parse(served.text) as { usage: { total_tokens: number } };
  expect(served.status).toBe(200);
  expect(remaining(served)[1]).toBeGreaterThanOrEqual(2_000 - usage.total_tokens - 1);
  // What no minute can hold is refused without a time to come again.
  const never = await chat(secret, { max_tokens: 3_000 }).answer;
  expect(JSON.parse(never.text).error.message).toContain("Request too large");
  expect([never.status, never.headers["x-should-retry"], never.headers["retry-after-ms"]]).toEqual([
    429,
    "false",
    undefined,
  ]);
  // A client that names no limit takes what the minute holds at most.
  world.clock.shiftMs += 60_000;
  expect((await chat(secret, { max_tokens: undefined }).answer).status).toBe(200);
});

test("an organisation's keys share its limits, and no key's own limit lifts them", async () => {
  const secrets = [await aKey({ requestsPerMinute: 1_000 }), await aKey({ requestsPerMinute: 1_000 })];
  let served = 0;
  let answer = await chat(secrets[0]!).answer;
  while (answer.status === 200 && served < 10 * ORGANISATION_REQUESTS) {
    served += 1;
    answer = await chat(secrets[served % 2]!).answer;
  }
  expect(answer.status).toBe(429);
  // More than the limit only by what came back while they were sent.
  expect(served).toBeGreaterThanOrEqual(ORGANISATION_REQUESTS);
  expect(JSON.parse(answer.text).error.message).toContain("your organisation");
  expect(answer.headers["x-ratelimit-limit-requests"]).toBe(`${ORGANISATION_REQUESTS}`);
});

test("refused calls take nothing: after a hundred of them all figures are as before", async () => {
  const secret = await aKey({ requestsPerMinute: 20, tokensPerMinute: 100_000 });
  const before = await chat(secret).answer;
  const { availableNanoCredit } = await world.services.ledger.balance(startup.id);
  const shiftMs = world.clock.shiftMs;
  const refusals = [
    { model: "acme/nobody" },
    { max_tokens: 100_000 },
    { max_tokens: -1 },
    { messages: [] },
    // Over the tokens of the minute.
    { max_tokens: 4_000, n: 100 },
  ];
  for (let sent = 0; sent < 100; sent++) {
    const { status } = await chat(secret, refusals[sent % refusals.length]).answer;
    expect([400, 404, 429]).toContain(status);
  }
  const after = await chat(secret, { model: "acme/nobody" }).answer;
  expect(after.status).toBe(404);
  const [requests, tokens] = remaining(before) as [number, number];
  const [requestsAfter, tokensAfter] = remaining(after) as [number, number];
  expect(world.clock.shiftMs).toBe(shiftMs);
  expect(requestsAfter).toBeGreaterThanOrEqual(requests);
  expect(tokensAfter).toBeGreaterThanOrEqual(tokens);
  const balance = await world.services.ledger.balance(startup.id);
  expect(balance.availableNanoCredit).toBe(availableNanoCredit);
  expect(world.relay.services.metering.leaseFigures.setAsideNanoCredit).toBe(0n);
});

test("a request that fails before any content is as if it had not been", async () => {
  const secret = await aKey({ requestsPerMinute: 5, tokensPerMinute: 100_000 });
  scripted.scripted.play(({ socket }) => socket.write(httpAnswer("500 Oh", completion(""))));
  for (let sent = 0; sent < 8; sent++) {
    const failed = await chat(secret, { model: SCRIPTED, stream: sent % 2 === 0 }).answer;
    expect([failed.status, ...remaining(failed)]).toEqual([expect.any(Number), 5, 100_000]);
    expect(failed.status).toBeGreaterThanOrEqual(500);
  }
  solo.reference.setBehaviour({ mode: "fail", status: 400 });
  const rejected = await chat(secret).answer;
  expect([rejected.status, ...remaining(rejected)]).toEqual([400, 5, 100_000]);
});

test("without credit nothing is counted either", async () => {
  startup = await world.addStartup(0n);
  const refused = await chat(await aKey({ requestsPerMinute: 5, tokensPerMinute: 9_000 })).answer;
  expect([refused.status, ...remaining(refused)]).toEqual([402, 5, 9_000]);
});

test.each(["whole", "streamed"])(
  "requests at once are limited, and a client that leaves a %s answer makes room",
  async (how) => {
    const secret = await aKey({ concurrentRequests: 2 });
    solo.reference.setBehaviour({ mode: "hang" });
    const hanging = [0, 1].map(() => chat(secret, { stream: how === "streamed" }));
    await until("both at the provider", () => solo.reference.numbers().inFlight === 2);
    const refused = await chat(secret).answer;
    expect([refused.status, JSON.parse(refused.text).error]).toMatchObject([
      429,
      { code: "rate_limit_exceeded", type: "requests", message: expect.stringContaining("concurrent") },
    ]);
    hanging[0]!.leave();
    await until("its slot is free", () => world.relay.server.inFlight() === 1);
    solo.reference.setBehaviour({ mode: "normal" });
    expect((await chat(secret).answer).status).toBe(200);
    hanging[1]!.leave();
  },
);

test("a key's new limits hold within the seconds for which a key is remembered", async () => {
  const { apiKey, secret } = await world.services.accounts.createApiKey(world.operator, {
    organisationId: startup.id,
    name: "limited",
    scopes: ["INFER"],
    limits: { requestsPerMinute: 1 },
  });
  await chat(secret).answer;
  expect((await chat(secret).answer).status).toBe(429);
  await world.services.accounts.changeKeyLimits(world.operator, { id: apiKey.id, limits: { requestsPerMinute: 3 } });
  world.clock.shiftMs += 5_000;
  const served = await chat(secret).answer;
  expect([served.status, served.headers["x-ratelimit-limit-requests"]]).toEqual([200, "3"]);
});

test("the figures say who was turned away, and why", async () => {
  const text = await world.relay.metrics.text();
  for (const cause of ["key_requests", "key_tokens", "key_concurrency", "organisation_requests"])
    expect(text).toMatch(new RegExp(`exergy_relay_refusals_total\\{cause="${cause}"\\} [1-9]`));
});
