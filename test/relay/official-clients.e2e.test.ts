/** The Vercel AI SDK and the tools of the official client, as a startup would use them: only the base URL is ours. */
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { UsageRecord } from "../../entities/usage-record";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { completion, delta, event, httpAnswer, type Script, streamHead } from "../support/scripted-provider";

const SCRIPTED = "acme/scripted";
const prompt = "What is idle power good for?";
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
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(() => world.stop());

const records = () => world.db.source.getRepository(UsageRecord).find();
const scripted = () => world.providers[1]!.scripted;
const fetch = (url: unknown, init: unknown) => world.fetch(url, init);
const connection = () => ({
  baseURL: `${world.relay.url}/v1`,
  apiKey: startup.secret,
  fetch: fetch as typeof globalThis.fetch,
});
const compatible = () => createOpenAICompatible({ name: "exergy", includeUsage: true, ...connection() });
const openai = () => createOpenAI(connection());

async function expectCharges(...usages: { inputTokens?: number | undefined; outputTokens?: number | undefined }[]) {
  const fresh = (await records()).filter(({ id }) => !charged.has(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
  expect(fresh.map(({ promptTokens, completionTokens }) => [promptTokens, completionTokens])).toEqual(
    usages.map(({ inputTokens, outputTokens = 0 }) => [inputTokens, outputTokens]),
  );
  expect(fresh.every(({ chargeNanoCredit, outcome }) => chargeNanoCredit > 0n && outcome === "COMPLETED")).toBe(true);
}

describe("the Vercel AI SDK", () => {
  const models = {
    "its OpenAI-compatible provider": () => compatible()(MODEL),
    "that provider's completions": () => compatible().completionModel(MODEL),
    "its OpenAI provider, by chat": () => openai().chat(MODEL),
    "its OpenAI provider, by completions": () => openai().completion(MODEL),
    "its OpenAI provider, by responses": () => openai().responses(MODEL),
  };

  it.each(Object.entries(models))("with %s has its text whole, for one charge", async (_which, model) => {
    const { text, usage } = await generateText({ model: model(), prompt, maxOutputTokens: 40 });
    expect(text).toMatch(/^[A-Z][a-z]/);
    await expectCharges(usage);
  });

  it.each(Object.entries(models))("with %s has its text in pieces, for one charge", async (_which, model) => {
    const result = streamText({
      model: model(),
      prompt,
      maxOutputTokens: 40,
      onError: ({ error }) => {
        throw error;
      },
    });
    let pieces = 0;
    let text = "";
    for await (const piece of result.textStream) {
      pieces += 1;
      text += piece;
    }
    expect(pieces).toBeGreaterThan(5);
    expect(text).toMatch(/^[A-Z][a-z]/);
    await expectCharges(await result.usage);
  });

  it.each([
    ["compatible", () => compatible().embeddingModel(MODEL)],
    ["OpenAI", () => openai().embedding(MODEL)],
  ])("with its %s provider has its vectors, for one charge", async (_which, model) => {
    const { embeddings, usage } = await embedMany({ model: model(), values: ["Hello", "world"] });
    expect(embeddings.map(({ length }) => length)).toEqual([64, 64]);
    await expectCharges({ inputTokens: usage.tokens });
  });

  it.each([
    ["chat", () => compatible()(SCRIPTED), chatScript],
    ["responses", () => openai().responses(SCRIPTED), responsesScript],
  ])("calls a tool by %s and goes on with what it said, for one charge each", async (_which, model, script) => {
    scripted().play(script());
    const asked: unknown[] = [];
    const weather = tool({
      description: "The weather of a city",
      inputSchema: jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } }),
      execute: async (input) => {
        asked.push(input);
        return "sunny";
      },
    });
    const result = await generateText({
      model: model(),
      prompt,
      tools: { weather },
      stopWhen: stepCountIs(2),
      // Each request may end at another provider: nobody keeps the items of the one before.
      providerOptions: { openai: { store: false } },
    });
    expect(asked).toEqual([{ city: "Oslo" }]);
    expect(result.text).toBe("It is sunny.");
    expect(scripted().requests.at(-1)!.body).toContain("sunny");
    await expectCharges(...result.steps.map(({ usage }) => usage));
  });

  it("is told the reason of an error, and does not repeat what is no use repeating", async () => {
    const asking = generateText({ model: compatible()("nobody/has"), prompt });
    await expect(asking).rejects.toMatchObject({
      statusCode: 404,
      isRetryable: false,
      message: expect.stringContaining("nobody/has"),
    });
    await expectCharges();
  });
});

describe("the official client", () => {
  it("has its tool calls whole and in pieces, for one charge each", async () => {
    const call = {
      id: "call_1",
      type: "function" as const,
      function: { name: "weather", arguments: '{"city":"Oslo"}' },
    };
    const usage = { prompt_tokens: 9, completion_tokens: 6, total_tokens: 15 };
    const tools = [{ type: "function" as const, function: { name: "weather", parameters: { type: "object" } } }];
    const ask = { model: SCRIPTED, messages: [{ role: "user" as const, content: prompt }], tools };
    scripted().play(({ socket }) => void socket.write(httpAnswer("200 OK", called(call, usage))));
    const whole = await world.client(startup).chat.completions.create(ask);
    expect(whole.choices[0]!.message.tool_calls).toEqual([call]);
    const piece = (fields: object, finish: string | null = null) =>
      delta("", { choices: [{ index: 0, delta: fields, finish_reason: finish }] });
    const part = (fields: object) => piece({ tool_calls: [{ index: 0, ...fields }] });
    const pieces = [
      piece({ role: "assistant", content: null }),
      part({ ...call, function: { name: "weather", arguments: "" } }),
      part({ function: { arguments: '{"city"' } }),
      part({ function: { arguments: ':"Oslo"}' } }),
      piece({}, "tool_calls"),
    ].join("");
    scripted().play(({ socket }) =>
      socket.end(`${streamHead}${pieces}${event({ choices: [], usage })}data: [DONE]\n\n`),
    );
    const final = await world.client(startup).chat.completions.stream(ask).finalMessage();
    expect(final.tool_calls).toMatchObject([{ id: "call_1", function: call.function }]);
    await expectCharges({ inputTokens: 9, outputTokens: 6 }, { inputTokens: 9, outputTokens: 6 });
  });
});

function called(call: object, usage: object): string {
  return completion("", {
    choices: [
      { index: 0, message: { role: "assistant", content: null, tool_calls: [call] }, finish_reason: "tool_calls" },
    ],
    usage,
  });
}

/** The first answer calls the tool, the next one says what came of it. */
function chatScript(): Script {
  let turn = 0;
  const call = { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } };
  const answers = [
    called(call, { prompt_tokens: 9, completion_tokens: 6, total_tokens: 15 }),
    completion("It is sunny.", { usage: { prompt_tokens: 20, completion_tokens: 4, total_tokens: 24 } }),
  ];
  return ({ socket }) => void socket.write(httpAnswer("200 OK", answers[turn++]!));
}

function responsesScript(): Script {
  let turn = 0;
  const respond = (item: object, input_tokens: number) =>
    JSON.stringify({
      id: "resp_1",
      created_at: 1,
      model: "theirs",
      status: "completed",
      output: [item],
      usage: { input_tokens, output_tokens: 4, total_tokens: input_tokens + 4 },
    });
  const said = { type: "output_text", text: "It is sunny.", annotations: [] };
  const answers = [
    respond({ type: "function_call", id: "fc_1", call_id: "call_1", name: "weather", arguments: '{"city":"Oslo"}' }, 9),
    respond({ type: "message", id: "msg_1", role: "assistant", content: [said] }, 20),
  ];
  return ({ socket }) => void socket.write(httpAnswer("200 OK", answers[turn++]!));
}
