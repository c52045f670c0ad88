/** A request that goes well, whole and streamed: what the client gets, what is booked, what the provider sees, and in which order. */
import type OpenAI from "openai";
import { UsageRecord } from "../../entities/usage-record";
import { priceNanoCredit } from "../../src/pricing/quote";
import { until, watchResources } from "../support/leftovers";
import { eventsOf, type RawExchange, send } from "../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { completion, delta, event, httpAnswer, streamHead } from "../support/scripted-provider";

const SCRIPTED = "acme/scripted";
const messages = [{ role: "user" as const, content: "What is idle power good for?" }];

let world: RelayWorld;
let startup: WorldStartup;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({ providers: [{}, { scripted: true, model: SCRIPTED, accelerator: "A100" }] });
  startup = await world.addStartup();
});
afterEach(async () => {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const recordOf = (id: string | null | undefined) =>
  world.db.source.getRepository(UsageRecord).findOneBy({ id: id ?? "" });
const balance = () => world.services.ledger.balance(startup.id);
const scripted = () => world.providers[1]!.scripted;

/** What the offering's published terms make of a usage, computed apart from the settlement. */
function priceOf(model: string, usage: { prompt_tokens: number; completion_tokens: number }): bigint {
  const [route] = world.relay.services.routing.routesOf(model)!;
  return priceNanoCredit(route!.quote!, {
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
  });
}

describe("a whole answer", () => {
  it("arrives with its text, and is charged what the reported usage costs, once, to the nano-credit", async () => {
    const before = await balance();
    const numbers = world.providers[0]!.reference.numbers();
    const answer = await world.client(startup).chat.completions.create({ model: MODEL, messages });
    expect(answer.choices[0]!.message.content).toMatch(/^[A-Z][a-z .A-Z]+\.$/);
    expect(answer.choices[0]!.finish_reason).toBe("stop");
    const usage = answer.usage!;
    const charge = priceOf(MODEL, usage);
    expect(await recordOf(answer._request_id)).toMatchObject({
      startupId: startup.id,
      apiKeyId: startup.keyId,
      providerId: world.providers[0]!.organisationId,
      endpointId: world.providers[0]!.endpointId,
      model: MODEL,
      outcome: "COMPLETED",
      promptTokens: usage.prompt_tokens,
      completionTokens: usage.completion_tokens,
      usageBounded: false,
      chargeNanoCredit: charge,
      streamed: false,
      attempts: 1,
    });
    expect(charge).toBeGreaterThan(0n);
    expect(
      await world.rows("SELECT state, captured_nano_credit::text FROM hold WHERE id = $1", [answer._request_id]),
    ).toEqual([{ state: "CAPTURED", captured_nano_credit: charge.toString() }]);
    const after = await balance();
    expect(after.spentNanoCredit - before.spentNanoCredit).toBe(charge);
    expect(after.availableNanoCredit + after.heldNanoCredit + after.spentNanoCredit).toBe(after.issuedNanoCredit);
    const { promptTokens, completionTokens, completed } = world.providers[0]!.reference.numbers();
    expect({ promptTokens, completionTokens, completed }).toEqual({
      promptTokens: numbers.promptTokens + usage.prompt_tokens,
      completionTokens: numbers.completionTokens + usage.completion_tokens,
      completed: numbers.completed + 1,
    });
    expect(await world.decision(answer._request_id!)).toMatchObject({
      outcome: "SERVED",
      attempts: [{ result: "OK" }],
    });
  });

  it("goes out only when it is booked: while the ledger is busy the client sees nothing of it", async () => {
    await whileLedgerIsLocked(async () => {
      const exchange = send(world.relay.url, { secret: startup.secret, body: { model: MODEL, messages } });
      return { exchange, providerIsDone: () => world.providers[0]!.reference.numbers().inFlight === 0, seen: "" };
    });
  });
});

describe("a streamed answer", () => {
  it("is the same text in pieces, without the usage chunk that the client did not ask for", async () => {
    const whole = await world.client(startup).chat.completions.create({ model: MODEL, messages });
    const { answer } = send(world.relay.url, {
      secret: startup.secret,
      body: { model: MODEL, messages, stream: true },
    });
    const { status, headers, text } = await answer;
    expect([status, headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
    const events = eventsOf(text);
    expect(events.pop()).toBe("[DONE]");
    const chunks = events as { choices: { delta: { content?: string } }[]; model: string; usage: unknown }[];
    expect(chunks.map(({ choices }) => choices[0]!.delta.content ?? "").join("")).toBe(
      whole.choices[0]!.message.content,
    );
    expect(chunks.every((chunk) => chunk.choices.length === 1 && chunk.usage === null && chunk.model === MODEL)).toBe(
      true,
    );
    const record = (await recordOf(headers["x-request-id"] as string))!;
    expect(record).toMatchObject({ outcome: "COMPLETED", streamed: true, promptTokens: whole.usage!.prompt_tokens });
    expect(record.chargeNanoCredit).toBe(priceOf(MODEL, whole.usage!));
    expect(record.ttftMs).toBeGreaterThanOrEqual(0);
  });

  it("carries the usage chunk when the client asks, and is charged exactly that", async () => {
    const stream = world
      .client(startup)
      .chat.completions.create({ model: MODEL, messages, stream: true, stream_options: { include_usage: true } });
    const { data, request_id } = await stream.withResponse();
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of data) chunks.push(chunk);
    const last = chunks.at(-1)!;
    expect(last.choices).toEqual([]);
    expect(last.usage!.completion_tokens).toBe(chunks.filter((chunk) => chunk.choices[0]?.delta.content).length);
    expect((await recordOf(request_id))!.chargeNanoCredit).toBe(priceOf(MODEL, last.usage!));
  });

  it("shows its content at once and its `[DONE]` only when it is booked", async () => {
    await whileLedgerIsLocked(async () => {
      const exchange = send(world.relay.url, {
        secret: startup.secret,
        body: { model: MODEL, messages, stream: true },
      });
      return { exchange, providerIsDone: () => exchange.text().includes('"finish_reason":"stop"'), seen: "data: {" };
    });
  });

  it("has its record readable on another connection at the moment the client sees the end", async () => {
    const { data, request_id } = await world
      .client(startup)
      .chat.completions.create({ model: MODEL, messages, stream: true })
      .withResponse();
    for await (const _ of data);
    expect(await recordOf(request_id)).toMatchObject({ outcome: "COMPLETED" });
  });
});

/** Another session holds the ledger's lock from just after the hold until the client has waited for nothing. */
async function whileLedgerIsLocked(
  start: () => Promise<{ exchange: RawExchange; providerIsDone: () => boolean; seen: string }>,
): Promise<void> {
  const runner = world.db.source.createQueryRunner();
  const provider = world.providers[0]!.reference;
  provider.setBehaviour({ mode: "slow", delayMs: 30 });
  try {
    await runner.startTransaction();
    const recorded = "SELECT id FROM usage_record";
    const before = await world.rows(recorded);
    const { exchange, providerIsDone, seen } = await start();
    await until("the request at the provider", () => provider.numbers().inFlight === 1);
    await runner.query("SELECT ledger_lock()");
    await until("the provider's whole answer", providerIsDone);
    const waiting =
      "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    await until("the settlement at the lock", async () => (await world.rows(waiting)).length > 0);
    expect(exchange.text().slice(0, 7)).toBe(seen);
    expect(exchange.text()).not.toContain("[DONE]");
    expect(await world.rows(recorded)).toHaveLength(before.length);
    await runner.commitTransaction();
    const { text, headers } = await exchange.answer;
    expect(text).toMatch(/\[DONE\]\n\n$|"usage":\{[^}]+\}\}$/);
    expect(await recordOf(headers["x-request-id"] as string)).toMatchObject({ outcome: "COMPLETED" });
  } finally {
    provider.setBehaviour({ mode: "normal" });
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    await runner.release();
  }
}

describe("what the provider sees", () => {
  it("is our request id, its own model name and a limit, the rest byte for byte, and nothing of the client's headers", async () => {
    scripted().play(({ socket }) =>
      socket.write(httpAnswer("200 OK", completion("Hi", { model: "whatever it says" }))),
    );
    const body = `{ "vendor_field":[1.0, {"x":"\\u00e9"}],\n "model":"${SCRIPTED}","messages":[{"role":"user","content":"h\\u0069"}] }`;
    const headers = {
      cookie: "session=canary-cookie",
      "x-forwarded-for": "203.0.113.9",
      "openai-organization": "canary-header",
      "user-agent": "canary-agent",
    };
    const answer = await send(world.relay.url, { secret: startup.secret, body, headers }).answer;
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ model: SCRIPTED, choices: [{ message: { content: "Hi" } }] });
    const seen = scripted().requests.at(-1)!;
    expect(seen.head).toContain(`x-request-id: ${answer.headers["x-request-id"]}`);
    expect(seen.body).toBe(
      `{"max_tokens":4096, "vendor_field":[1.0, {"x":"\\u00e9"}],\n "model":"canary-upstream-2/Weights","messages":[{"role":"user","content":"h\\u0069"}] }`,
    );
    expect(`${seen.head}${seen.body}`).not.toMatch(
      /canary-(cookie|header|agent)|203\.0\.113|cookie|forwarded|authorization|exg_/i,
    );
    expect(`${seen.head}${seen.body}`).not.toContain(startup.id);
  });

  it("is always asked for usage in a stream, and may end it with more than `[DONE]`", async () => {
    scripted().play(({ socket }) =>
      socket.end(
        `${streamHead}: a comment\n\n${delta("Hi")}${event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 1 } })}data: [DONE]\n\n\n: bye\n\n`,
      ),
    );
    const { text, headers } = await send(world.relay.url, {
      secret: startup.secret,
      body: { model: SCRIPTED, messages, stream: true },
    }).answer;
    expect(JSON.parse(scripted().requests.at(-1)!.body).stream_options).toEqual({ include_usage: true });
    expect(text).toBe(`: a comment\n\n${delta("Hi").replace('"scripted"', `"${SCRIPTED}"`)}data: [DONE]\n\n`);
    expect(await recordOf(headers["x-request-id"] as string)).toMatchObject({
      outcome: "COMPLETED",
      promptTokens: 3,
      completionTokens: 1,
    });
  });

  it("may claim more than was delivered, and is paid for what was", async () => {
    scripted().play(({ socket }) =>
      socket.write(httpAnswer("200 OK", completion("Hi", { usage: { prompt_tokens: 1e9, completion_tokens: 1e9 } }))),
    );
    const answer = await world.client(startup).chat.completions.create({ model: SCRIPTED, messages });
    const record = (await recordOf(answer._request_id))!;
    expect(record).toMatchObject({ usageBounded: true, completionTokens: "Hi".length + 1 });
    expect(record.promptTokens).toBeLessThan(200);
    expect(world.logged.splice(0)).toEqual([expect.stringContaining("reported usage is outside what the relay saw")]);
  });
});
