/** What providers may claim as usage, however mad: the charge stays within what the relay saw, and the record says when it was not the claim. */
import { UsageRecord } from "../../entities/usage-record";
import { holdAmountNanoCredit } from "../../src/metering/hold-amount";
import { TEMPLATE_TOKENS_MAX } from "../../src/metering/usage-bounds";
import { priceNanoCredit } from "../../src/pricing/quote";
import { watchResources } from "../support/leftovers";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { delta, event, httpAnswer, type ScriptedProvider, streamHead } from "../support/scripted-provider";

const MODEL = "acme/scripted";
const messages = [{ role: "user" as const, content: "How many tokens are there in an honest answer?" }];
const promptBytes = Buffer.byteLength(JSON.stringify(messages));
const promptMax = promptBytes + TEMPLATE_TOKENS_MAX;
const pieces = ["Hi", " you"];
/** A token covers a byte at least, and one more ends the text. */
const completionMax = pieces.join("").length + 1;
/** What the relay makes of a figure that is of no use: bytes ÷ 4, and in a stream one token for each chunk; here the same. */
const estimated = { prompt: Math.ceil(promptBytes / 4), completion: pieces.length };

let world: RelayWorld;
let startup: WorldStartup;
let provider: ScriptedProvider;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({ providers: [{ model: MODEL, scripted: true }] });
  startup = await world.addStartup();
  provider = world.providers[0]!.scripted;
});
afterEach(async () => {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

interface Expected {
  readonly prompt: number;
  readonly completion: number;
  /** The claim itself is wrong, not only missing: the provider is warned of in the log. */
  readonly lie?: boolean;
}

const honest: Expected = { prompt: 9, completion: 2 };
const guessed: Expected = estimated;
const caught: Expected = { ...estimated, lie: true };

const ask = (stream: boolean, maxTokens: number) =>
  send(world.relay.url, { secret: startup.secret, body: { model: MODEL, messages, stream, max_tokens: maxTokens } })
    .answer;

async function expectRecord(id: string, expected: Expected, maxTokens: number): Promise<void> {
  const record = await world.db.source.getRepository(UsageRecord).findOneBy({ id });
  const quote = world.relay.services.routing.routesOf(MODEL)![0]!.quote!;
  const charge = priceNanoCredit(quote, { promptTokens: expected.prompt, completionTokens: expected.completion });
  expect(record).toMatchObject({
    outcome: "COMPLETED",
    promptTokens: expected.prompt,
    completionTokens: expected.completion,
    chargeNanoCredit: charge,
    usageBounded: expected !== honest && !believed.has(expected),
  });
  expect(record!.heldNanoCredit).toBe(
    holdAmountNanoCredit([quote], { promptTokens: promptMax, completionTokens: maxTokens }),
  );
  expect(charge).toBeLessThanOrEqual(record!.heldNanoCredit);
  expect(record!.accrualNanoUsd + record!.spreadNanoUsd).toBeLessThanOrEqual(charge);
  const warned = world.logged.splice(0);
  expect(warned).toEqual(expected.lie ? [expect.stringContaining("reported usage is outside what the relay saw")] : []);
}

/** Believed as it was claimed, though not the usual figures. */
const believed = new WeakSet<Expected>();
function as(prompt: number, completion: number): Expected {
  const expected = { prompt, completion };
  believed.add(expected);
  return expected;
}

const claims = (prompt: unknown, completion: unknown) =>
  `{"prompt_tokens":${prompt},"completion_tokens":${completion}}`;
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** The text of the value of `usage`; null: there is none. */
const payloads: [what: string, usage: string | null, expected: Expected, maxTokens?: number][] = [
  ["nothing", null, guessed],
  ["null", "null", guessed],
  ["an empty object", "{}", guessed],
  ["nulls", claims("null", "null"), guessed],
  ["one figure alone", '{"completion_tokens":2}', { prompt: estimated.prompt, completion: 2 }],
  ["zeros", claims(0, 0), as(0, 0)],
  ["negative zeros", claims("-0", "-0"), as(0, 0)],
  ["negative figures", claims(-9, -2), caught],
  ["a negative output", claims(9, -2), { prompt: 9, completion: estimated.completion, lie: true }],
  ["the most negative figures", claims("-9223372036854775808", "-9007199254740991"), caught],
  ["infinity by exponent", claims("1e400", "1e400"), caught],
  ["negative infinity by exponent", claims("-1e400", "-1e400"), caught],
  ["nearly nothing by exponent", claims("1e-400", "2e-5"), { prompt: 0, completion: estimated.completion, lie: true }],
  ["whole numbers by exponent", claims("9e0", "0.2e1"), honest],
  ["whole numbers with a point", claims("9.0", "2.000"), honest],
  ["fractions", claims("9.5", "1.5"), caught],
  ["texts", claims('"9"', '"2"'), caught],
  ["texts that are no numbers", claims('"NaN"', '"0x2"'), caught],
  ["a text of 100 KB", claims(`"${"9".repeat(100_000)}"`, 2), { ...caught, completion: 2 }],
  ["a number of 10,000 digits", claims("9".repeat(10_000), 2), { ...caught, completion: 2 }],
  ["truth", claims("true", "false"), caught],
  ["objects in place of figures", claims('{"prompt_tokens":9}', '{"value":2}'), caught],
  ["100,000 nested arrays", claims(nested(100_000), nested(10)), caught],
  ["a list", "[9,2]", caught],
  ["a text", '"nine and two"', caught],
  ["a number", "11", caught],
  ["true", "true", caught],
  ["other names", '{"input_tokens":9,"output_tokens":2}', guessed],
  ["figures of its prototype", '{"__proto__":{"prompt_tokens":9,"completion_tokens":2}}', guessed],
  ["escaped names", '{"\\u0070rompt_tokens":9,"completion\\u005ftokens":2}', honest],
  ["each figure twice", '{"prompt_tokens":1,"prompt_tokens":9,"completion_tokens":"x","completion_tokens":2}', honest],
  [
    "the largest safe whole numbers",
    claims(2 ** 53 - 1, 2 ** 53 - 1),
    { prompt: promptMax, completion: completionMax, lie: true },
  ],
  ["whole numbers that a double bends", claims("9007199254740993", "9223372036854775807"), caught],
  ["as many prompt tokens as there can be", claims(promptMax, 2), as(promptMax, 2)],
  ["one prompt token more", claims(promptMax + 1, 2), { prompt: promptMax, completion: 2, lie: true }],
  ["as much output as there can be", claims(9, completionMax), as(9, completionMax)],
  ["one output token more", claims(9, completionMax + 1), { prompt: 9, completion: completionMax, lie: true }],
  ["more output than was asked for", claims(9, 6), { prompt: 9, completion: 5, lie: true }, 5],
  [
    "more cached tokens than tokens",
    '{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1e9,"audio_tokens":-1}}',
    honest,
  ],
  [
    "more reasoning than output",
    '{"prompt_tokens":9,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":1e9}}',
    honest,
  ],
  ["a total that is none", '{"prompt_tokens":9,"completion_tokens":2,"total_tokens":-1e308}', honest],
];

describe.each([
  ["whole", false],
  ["streamed", true],
] as const)("an answer that is %s, and claims", (_, stream) => {
  it.each(payloads)("%s", async (_what, usage, expected, maxTokens = 10) => {
    const member = usage === null ? "" : `,"usage":${usage}`;
    provider.play(({ socket }) => {
      const message = JSON.stringify({ role: "assistant", content: pieces.join("") });
      if (stream)
        socket.end(
          `${streamHead}${pieces.map((piece) => delta(piece)).join("")}data: {"choices":[]${member}}\n\ndata: [DONE]\n\n`,
        );
      else
        socket.write(
          httpAnswer("200 OK", `{"choices":[{"index":0,"message":${message},"finish_reason":"stop"}]${member}}`),
        );
    });
    const { status, text, headers } = await ask(stream, maxTokens);
    expect(status).toBe(200);
    // Nobody asked for the figures, and nobody sees them.
    if (stream)
      expect(text).toMatch(/" you"[^\n]*\n\n(data: \{"choices":\[\](,"usage":null)?\}\n\n)?data: \[DONE\]\n\n$/);
    await expectRecord(headers["x-request-id"] as string, expected, maxTokens);
  });
});

it("an answer that is no JSON for its figures is none: a 502, and nothing charged", async () => {
  for (const usage of [claims("NaN", "Infinity"), claims("0x9", "2"), claims("09", "2"), claims("9,,", "2")]) {
    provider.play(
      ({ socket }) =>
        void socket.write(httpAnswer("200 OK", `{"choices":[{"message":{"content":"Hi"}}],"usage":${usage}}`)),
    );
    world.forgetFailures();
    const { status, text, headers } = await ask(false, 10);
    expect([status, JSON.parse(text).error.code]).toEqual([502, "upstream_failed"]);
    expect(
      await world.db.source.getRepository(UsageRecord).findOneBy({ id: headers["x-request-id"] as string }),
    ).toBeNull();
  }
});

describe("a stream with its figures", () => {
  const figures = (prompt: number, completion: number) => event(`{"choices":[],"usage":${claims(prompt, completion)}}`);
  const done = "data: [DONE]\n\n";
  const [hi, you] = pieces.map((piece) => delta(piece)) as [string, string];

  it.each<[string, string, Expected]>([
    ["twice: the last ones count", hi + you + figures(1, 1) + figures(9, 2) + done, honest],
    ["in every chunk, growing: the last ones count", hi + figures(9, 1) + you + figures(9, 2) + done, honest],
    ["beside its output", hi + delta(" you", { usage: { prompt_tokens: 9, completion_tokens: 2 } }) + done, honest],
    ["beside its output, as no object", hi + delta(" you", { usage: "9 and 2" }) + done, caught],
    ["before its first output", figures(9, 2) + hi + you + done, honest],
    ["after its `[DONE]`: too late", hi + you + done + figures(9, 2), guessed],
    ["after its `[DONE]`, larger: too late", hi + you + figures(9, 2) + done + figures(50, 7), honest],
    ["as no JSON: none", `${hi}${you}data: {"choices":[],"usage":${claims("NaN", 2)}}\n\n${done}`, guessed],
    ["in two lines of data", `${hi}${you}data: {"choices":[],\ndata: "usage":${claims(9, 2)}}\n\n${done}`, honest],
    [
      "taken back with null: they stand",
      `${hi}${you}${figures(9, 2)}data: {"choices":[],"usage":null}\n\n${done}`,
      honest,
    ],
  ])("%s", async (_, answer, expected) => {
    provider.play(({ socket }) => void socket.end(streamHead + answer));
    const { status, headers } = await ask(true, 10);
    expect(status).toBe(200);
    await expectRecord(headers["x-request-id"] as string, expected, 10);
  });
});
