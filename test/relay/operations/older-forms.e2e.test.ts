/** Completions and embeddings with the official client: every form of input, one exact charge each, every byte passed on. */
import { UsageRecord } from "../../../entities/usage-record";
import { priceNanoCredit } from "../../../src/pricing/quote";
import { eventsOf, send } from "../../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../../support/relay-world";
import { event, httpAnswer, type Script, streamHead } from "../../support/scripted-provider";

const SCRIPTED = "acme/scripted";
let world: RelayWorld;
let startup: WorldStartup;
let charged: Set<string>;

beforeAll(async () => {
  world = await openRelayWorld({ providers: [{}, { scripted: true, model: SCRIPTED, accelerator: "A100" }] });
  startup = await world.addStartup();
});
beforeEach(async () => {
  charged = new Set((await records()).map(({ id }) => id));
});
afterEach(async () => {
  world.forgetFailures();
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(() => world.stop());

const records = () => world.db.source.getRepository(UsageRecord).find();
const scripted = () => world.providers[1]!.scripted;
const client = () => world.client(startup);

/** The one charge since the test began. */
async function theCharge() {
  const fresh = (await records()).filter(({ id }) => !charged.has(id));
  expect(fresh).toHaveLength(1);
  return fresh[0]!;
}

/** Exactly what the published terms make of the figures that the client saw. */
async function expectCharged(model: string, usage: { prompt_tokens: number; completion_tokens?: number }) {
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens = 0 } = usage;
  const record = await theCharge();
  const [route] = world.relay.services.routing.routesOf(model)!;
  expect(record).toMatchObject({ outcome: "COMPLETED", usageBounded: false, promptTokens, completionTokens });
  expect(record.chargeNanoCredit).toBe(priceNanoCredit(route!.quote!, { promptTokens, completionTokens }));
  expect(record.chargeNanoCredit).toBeGreaterThan(0n);
}

const answers =
  (body: string, headers?: Record<string, string>): Script =>
  ({ socket }) =>
    void socket.write(httpAnswer("200 OK", body, headers));

describe("completions", () => {
  it.each([
    ["a text", "Once upon a time", {}, 1],
    ["texts", ["Once", "Twice"], {}, 2],
    ["tokens", [50256, 11, 13], {}, 1],
    ["tokens of several texts", [[50256], [11, 13]], {}, 2],
    ["several answers", "Once", { n: 3 }, 3],
    ["the best of several", "Once", { n: 1, best_of: 4 }, 1],
    ["the prompt before the answer", "Once", { echo: true }, 1],
  ])("for %s are whole, and charged once", async (_what, prompt, more, choices) => {
    const answer = await client().completions.create({ model: MODEL, prompt, max_tokens: 40, ...more });
    expect(answer.choices).toHaveLength(choices);
    expect(answer.model).toBe(MODEL);
    if ("echo" in more) expect(answer.choices[0]!.text).toMatch(/^Once[A-Z]/);
    await expectCharged(MODEL, answer.usage!);
  });

  it("write 16 tokens when no limit is named, as this form always did", async () => {
    const answer = await client().completions.create({ model: MODEL, prompt: "Once" });
    expect([answer.usage!.completion_tokens, answer.choices[0]!.finish_reason]).toEqual([16, "length"]);
    await expectCharged(MODEL, answer.usage!);
  });

  it("stream the same text, with the usage chunk for who asks", async () => {
    const whole = await client().completions.create({ model: MODEL, prompt: ["Once", "Twice"], max_tokens: 9 });
    charged.add((await theCharge()).id);
    const stream = await client().completions.create({
      model: MODEL,
      prompt: ["Once", "Twice"],
      max_tokens: 9,
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts = ["", ""];
    let usage: typeof whole.usage;
    for await (const chunk of stream) {
      for (const { index, text } of chunk.choices) texts[index] += text;
      usage = chunk.usage ?? usage;
    }
    expect(texts).toEqual(whole.choices.map(({ text }) => text));
    expect(usage).toEqual(whole.usage);
    await expectCharged(MODEL, usage!);
  });

  it("stream without a usage chunk for who does not, and end with `[DONE]`", async () => {
    const body = { model: MODEL, prompt: "Once", stream: true, max_tokens: 3 };
    const { text } = await send(world.relay.url, { path: "/v1/completions", secret: startup.secret, body }).answer;
    const events = eventsOf(text);
    expect(events.pop()).toBe("[DONE]");
    expect(events).toHaveLength(4);
    expect(events.every((chunk) => (chunk as { choices: unknown[] }).choices.length === 1)).toBe(true);
    expect((await theCharge()).completionTokens).toBe(3);
  });

  it("pass unknown fields on byte for byte, in both directions", async () => {
    const answer = `{"object":"text_completion","model":"theirs","odd":[1.0,{"x":"\\u00e9"}],"choices":[{"index":0,"text":"Hi","logprobs":{"t":1.50}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"more":1e0}}`;
    scripted().play(answers(answer));
    const body = `{ "odd": [1.0, "\\u00e9"],"model":"${SCRIPTED}","prompt":"h\\u0069","max_tokens":5}`;
    const got = await send(world.relay.url, { path: "/v1/completions", secret: startup.secret, body }).answer;
    expect(got.text).toBe(answer.replace("theirs", SCRIPTED));
    expect(scripted().requests.at(-1)!.body).toBe(body.replace(SCRIPTED, "canary-upstream-2/Weights"));
    await theCharge();
  });

  it("of which some are not shown may be claimed up to the limit", async () => {
    scripted().play(
      answers('{"choices":[{"index":0,"text":"Hi"}],"usage":{"prompt_tokens":1,"completion_tokens":40}}'),
    );
    await client().completions.create({ model: SCRIPTED, prompt: "a", max_tokens: 10, best_of: 4 });
    expect(await theCharge()).toMatchObject({ completionTokens: 40, usageBounded: false });
  });
});

describe("embeddings", () => {
  it.each([
    ["a text", "Once upon a time", 1],
    ["texts", ["Once", "Twice", "Thrice"], 3],
    ["tokens", [50256, 11, 13], 1],
    ["tokens of several texts", [[50256], [11, 13]], 2],
  ])("of %s are vectors, and charged for the prompt alone", async (_what, input, count) => {
    const answer = await client().embeddings.create({ model: MODEL, input });
    expect(answer.data.map(({ embedding }) => embedding.length)).toEqual(Array(count).fill(64));
    await expectCharged(MODEL, answer.usage);
  });

  it("come in the encoding and the dimensions that were asked for", async () => {
    const numbers = await client().embeddings.create({
      model: MODEL,
      input: "a",
      encoding_format: "float",
      dimensions: 8,
    });
    const encoded = await client().embeddings.create({
      model: MODEL,
      input: "a",
      encoding_format: "base64",
      dimensions: 8,
    });
    const bytes = Buffer.from(encoded.data[0]!.embedding as unknown as string, "base64");
    const decoded = [...new Float32Array(bytes.buffer, bytes.byteOffset, 8)];
    expect(decoded).toEqual([...Float32Array.from(numbers.data[0]!.embedding)]);
  });

  it("cost nothing when there are none", async () => {
    scripted().play(
      answers('{"object":"list","data":[],"model":"theirs","usage":{"prompt_tokens":9,"total_tokens":9}}'),
    );
    const answer = await client().embeddings.create({ model: SCRIPTED, input: "a" });
    expect(answer).toMatchObject({ data: [], model: SCRIPTED });
    expect((await records()).filter(({ id }) => !charged.has(id))).toEqual([]);
  });

  it("pass unknown fields on byte for byte, in both directions", async () => {
    const answer = `{"odd":1.0,"data":[{"embedding":[0.10,-2e-1],"index":0,"odd":"\\u00e9"}],"model":"theirs","usage":{"prompt_tokens":1,"odd":1.0}}`;
    scripted().play(answers(answer));
    const body = `{"input":"h\\u0069","model":"${SCRIPTED}","odd":1.0}`;
    const got = await send(world.relay.url, { path: "/v1/embeddings", secret: startup.secret, body }).answer;
    expect(got.text).toBe(answer.replace("theirs", SCRIPTED));
    expect(scripted().requests.at(-1)!.body).toBe(body.replace(SCRIPTED, "canary-upstream-2/Weights"));
    await expectCharged(SCRIPTED, { prompt_tokens: 1 });
  });

  it("are refused by the context of their longest text, not of all together", async () => {
    const texts = Array(20).fill("x".repeat(4_000));
    const answer = await client().embeddings.create({ model: MODEL, input: texts });
    expect(answer.data).toHaveLength(20);
    await expect(client().embeddings.create({ model: MODEL, input: "x".repeat(40_000) })).rejects.toMatchObject({
      status: 400,
      code: "context_too_long",
      param: "input",
    });
  });
});

describe("a provider without the operation", () => {
  const refuses: Script = ({ socket }) => void socket.write(httpAnswer("404 Not Found", '{"detail":"canary"}'));

  it("is passed over, asked no more for a while, and is not taken for failed", async () => {
    scripted().play(refuses);
    const asked = scripted().requests.length;
    for (let i = 0; i < 5; i += 1) {
      await expect(client().embeddings.create({ model: SCRIPTED, input: "a" })).rejects.toMatchObject(
        // The last test's vectors were an answer: only an operation that was never answered may be disowned.
        { status: 502 },
      );
      world.forgetFailures();
    }
    for (let i = 0; i < 5; i += 1) {
      await expect(client().responses.create({ model: SCRIPTED, input: "a" })).rejects.toMatchObject({
        status: 404,
        code: "operation_not_served",
        message: expect.stringContaining(`No provider of \`${SCRIPTED}\` serves POST /v1/responses`),
      });
    }
    expect(scripted().requests).toHaveLength(asked + 5 + 1);
    const [route] = world.relay.services.routing.routesOf(SCRIPTED)!;
    expect(route!.live).toMatchObject({ openedAtMs: 0, consecutiveFailures: 0 });
    scripted().play(({ socket }) => socket.end(`${streamHead}${event({ choices: [{ text: "Hi" }] })}data: [DONE]\n\n`));
    const { text } = await send(world.relay.url, {
      path: "/v1/completions",
      secret: startup.secret,
      body: { model: SCRIPTED, prompt: "a", stream: true },
    }).answer;
    expect(text).toContain('"text":"Hi"');
    await theCharge();
  });
});
