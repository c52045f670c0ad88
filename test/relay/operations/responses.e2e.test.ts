/** Responses with the official client: streamed and whole, one exact charge each, the last event only when it is booked. */
import OpenAI from "openai";
import { UsageRecord } from "../../../entities/usage-record";
import { priceNanoCredit } from "../../../src/pricing/quote";
import { until } from "../../support/leftovers";
import { send } from "../../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../../support/relay-world";
import { httpAnswer, type Script, streamHead } from "../../support/scripted-provider";

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
const freshRecords = async () => (await records()).filter(({ id }) => !charged.has(id));
const scripted = () => world.providers[1]!.scripted;
const client = () => world.client(startup);
const raw = (body: string | object) => send(world.relay.url, { path: "/v1/responses", secret: startup.secret, body });

async function expectCharged(usage: OpenAI.Responses.ResponseUsage) {
  const [record, ...others] = await freshRecords();
  expect(others).toEqual([]);
  const [route] = world.relay.services.routing.routesOf(MODEL)!;
  const tokens = { promptTokens: usage.input_tokens, completionTokens: usage.output_tokens };
  expect(record).toMatchObject({ outcome: "COMPLETED", usageBounded: false, ...tokens });
  expect(record!.chargeNanoCredit).toBe(priceNanoCredit(route!.quote!, tokens));
}

const typed = (type: string, fields: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const theirs = { id: "resp_1", object: "response", model: "canary-upstream-2/Weights", metadata: { model: "mine" } };
const created = typed("response.created", { sequence_number: 0, response: { ...theirs, status: "in_progress" } });
const delta = (text: string) => typed("response.output_text.delta", { item_id: "m", delta: text });
const completed = (usage: object | null, output: unknown[] = []) =>
  typed("response.completed", { response: { ...theirs, status: "completed", output, usage } });
const plays = (...events: string[]): Script => {
  const text = `${streamHead}${events.join("")}`;
  return ({ socket }) => void socket.end(text);
};

describe("a whole response", () => {
  it("arrives with its text and is charged once", async () => {
    const answer = await client().responses.create({ model: MODEL, input: "Hello", instructions: "Be brief." });
    expect(answer).toMatchObject({
      status: "completed",
      model: MODEL,
      output_text: expect.stringMatching(/^[A-Z].*\.$/),
    });
    await expectCharged(answer.usage!);
  });

  it("ends where its limit is, which the provider always hears of", async () => {
    const answer = await client().responses.create({ model: MODEL, input: "Hello", max_output_tokens: 5 });
    expect(answer).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
    expect(answer.usage!.output_tokens).toBe(5);
    await expectCharged(answer.usage!);
  });

  it("passes unknown fields on byte for byte, in both directions", async () => {
    const answer = `{"odd":1.0,"metadata":{"model":"mine"},"model":"theirs","status":"completed","output":[{"type":"odd","x":"Hi"}],"usage":{"input_tokens":2,"output_tokens":1,"odd":1e0}}`;
    scripted().play(({ socket }) => void socket.write(httpAnswer("200 OK", answer)));
    const body = `{"odd":[1.0],"input":[{"role":"user","content":"h\\u0069","model":"mine"}],"max_output_tokens":5,"model":"${SCRIPTED}"}`;
    const got = await raw(body).answer;
    expect(got.text).toBe(answer.replace('"theirs"', `"${SCRIPTED}"`));
    expect(scripted().requests.at(-1)!.body).toBe(body.replace(SCRIPTED, "canary-upstream-2/Weights"));
    expect(await freshRecords()).toMatchObject([{ promptTokens: 2, completionTokens: 1, usageBounded: false }]);
  });

  it.each([
    ["previous_response_id", { previous_response_id: "resp_1" }],
    ["conversation", { conversation: "conv_1" }],
    ["background", { background: true }],
  ])("that needs %s is refused before anything is set aside", async (param, field) => {
    const asked = world.providers[0]!.reference.numbers().requests;
    await expect(client().responses.create({ model: MODEL, input: "a", ...field })).rejects.toMatchObject({
      status: 400,
      code: "bad_user_input",
      param,
    });
    expect(world.providers[0]!.reference.numbers().requests).toBe(asked);
  });
});

describe("a streamed response", () => {
  it("is the same text in typed events that begin, count up and end as they should", async () => {
    const whole = await client().responses.create({ model: MODEL, input: "Hello" });
    charged = new Set((await records()).map(({ id }) => id));
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of await client().responses.create({ model: MODEL, input: "Hello", stream: true }))
      events.push(event);
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i));
    expect([events[0]!.type, events.at(-1)!.type]).toEqual(["response.created", "response.completed"]);
    const text = events.map((event) => (event.type === "response.output_text.delta" ? event.delta : "")).join("");
    expect(text).toBe(whole.output_text);
    const last = events.at(-1) as OpenAI.Responses.ResponseCompletedEvent;
    expect(last.response.model).toBe(MODEL);
    await expectCharged(last.response.usage!);
  });

  it("is put together by the official client's own helper", async () => {
    const stream = client().responses.stream({ model: MODEL, input: "Hello", max_output_tokens: 6 });
    const final = await stream.finalResponse();
    expect(final).toMatchObject({ status: "incomplete", model: MODEL });
    await expectCharged(final.usage!);
  });

  it("shows its last event only when it is booked", async () => {
    const locked = await world.db.source.createQueryRunner();
    await locked.startTransaction();
    await locked.query("LOCK TABLE usage_record IN ACCESS EXCLUSIVE MODE");
    const exchange = raw({ model: MODEL, input: "Hello", stream: true });
    await exchange.sees("response.output_item.done");
    await until("the provider to be done", () => world.providers[0]!.reference.numbers().inFlight === 0);
    expect(exchange.text()).not.toContain("response.completed");
    await locked.rollbackTransaction();
    await locked.release();
    expect((await exchange.answer).text.trimEnd().split("\n").at(-2)).toBe("event: response.completed");
    expect(await freshRecords()).toHaveLength(1);
  });

  it("passes every byte on but the provider's name of the model, and nothing after the end", async () => {
    const events = [created, ": a comment\n\n", typed("response.odd.new", { odd: "1.0" }), delta("Hi")];
    const end = completed({ input_tokens: 3, output_tokens: 1 });
    scripted().play(plays(...events, end, "data: [DONE]\n\n", delta("more")));
    const { text } = await raw({ model: SCRIPTED, input: "a", stream: true }).answer;
    expect(text).toBe([...events, end].join("").replaceAll("canary-upstream-2/Weights", SCRIPTED));
    expect(await freshRecords()).toMatchObject([{ promptTokens: 3, completionTokens: 1, usageBounded: false }]);
  });

  it("counts once what comes in pieces and again whole", async () => {
    const item = { id: "m", type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi" }] };
    const claims = { input_tokens: 1, output_tokens: 5 };
    scripted().play(
      plays(created, delta("Hi"), typed("response.output_item.done", { item }), completed(claims, [item])),
    );
    await raw({ model: SCRIPTED, input: "a", stream: true }).answer;
    expect(await freshRecords()).toMatchObject([{ completionTokens: "Hi".length + 1, usageBounded: true }]);
    expect(world.logged.splice(0)).toEqual([expect.stringContaining("outside what the relay saw")]);
  });

  it("may bring its output only at the end", async () => {
    const item = { type: "message", content: [{ type: "output_text", text: "Hello" }] };
    scripted().play(plays(created, completed({ input_tokens: 1, output_tokens: 2 }, [item])));
    const { text } = await raw({ model: SCRIPTED, input: "a", stream: true }).answer;
    expect(text).toContain("Hello");
    expect(await freshRecords()).toMatchObject([{ completionTokens: 2, usageBounded: false }]);
  });

  it("that breaks off is an error in the official client, and charged for what came", async () => {
    scripted().play(plays(created, delta("Hello")));
    const stream = await client().responses.create({ model: SCRIPTED, input: "a", stream: true });
    const reading = (async () => {
      for await (const _ of stream);
    })();
    await expect(reading).rejects.toThrow(OpenAI.APIError);
    await expect(reading).rejects.toMatchObject({ code: "upstream_truncated" });
    expect(await freshRecords()).toMatchObject([{ outcome: "PARTIAL", completionTokens: 1 }]);
  });

  it("that the provider calls failed ends as failed, without the provider's reasons, and charged for what came", async () => {
    const failed = { ...theirs, status: "failed", error: { code: "server_error", message: "canary-host is down" } };
    scripted().play(plays(created, delta("Hello"), typed("response.failed", { response: failed })));
    const { text } = await raw({ model: SCRIPTED, input: "a", stream: true }).answer;
    const last = JSON.parse(text.trimEnd().split("data: ").at(-1)!);
    expect(last).toMatchObject({ type: "response.failed", response: { status: "failed", model: SCRIPTED } });
    expect(text).not.toContain("canary");
    expect(await freshRecords()).toMatchObject([{ outcome: "PARTIAL" }]);
  });

  it("that failed before any content is an error with a status, and free", async () => {
    scripted().play(plays(created, typed("response.failed", { response: theirs })));
    expect(await raw({ model: SCRIPTED, input: "a", stream: true }).answer).toMatchObject({ status: 502 });
    expect(await freshRecords()).toEqual([]);
  });
});
