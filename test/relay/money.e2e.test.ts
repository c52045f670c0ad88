/** What credit allows: as many requests at once as it covers, whichever relay they reach, and never one more. */
import OpenAI from "openai";
import { UsageRecord } from "../../entities/usage-record";
import { TEMPLATE_TOKENS_MAX } from "../../src/metering/usage-bounds";
import { priceNanoCredit } from "../../src/pricing/quote";
import { until, watchResources } from "../support/leftovers";
import { send } from "../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldProvider } from "../support/relay-world";
import { completion, httpAnswer, type ScriptedRequest } from "../support/scripted-provider";

const SCRIPTED = "acme/scripted";
/** A cheap endpoint that is asked first, and a dear one. */
const PAIR = "acme/pair";
const messages = [{ role: "user" as const, content: "How much is a token?" }];
const promptBytes = Buffer.byteLength(JSON.stringify(messages));

let world: RelayWorld;
let scripted: WorldProvider;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    relays: 2,
    providers: [
      {},
      { model: SCRIPTED, scripted: true },
      { model: PAIR, accelerator: "H100" },
      { model: PAIR, accelerator: "A100", slots: 2 },
    ],
  });
  scripted = world.providers[1]!;
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

/** The most that a request for `completionTokens` may cost at `endpointId`, or at the dearest: what is held for it. */
function holdOf(model: string, completionTokens: number): bigint {
  const quotes = world.relay.services.routing.routesOf(model)!.map(({ quote }) => quote!);
  const prices = quotes.map((quote) =>
    priceNanoCredit(quote, { promptTokens: promptBytes + TEMPLATE_TOKENS_MAX, completionTokens }),
  );
  return prices.reduce((most, price) => (price > most ? price : most));
}

const spentOf = async (startupId: string) => (await world.services.ledger.balance(startupId)).spentNanoCredit;
const recordsOf = (startupId: string) => world.db.source.getRepository(UsageRecord).findBy({ startupId });

describe("two hundred requests at once, at two relays, on credit for ten", () => {
  it("are ten that run and a hundred and ninety that are refused, and what the ten did not use is credit again", async () => {
    const startup = await world.addStartup(10n * holdOf(SCRIPTED, 100));
    const waiting: ScriptedRequest[] = [];
    scripted.scripted.play((request) => void waiting.push(request));
    const refused: unknown[] = [];
    const requests = Array.from({ length: 200 }, (_, i) =>
      world
        .client(startup, {}, world.relays[i % 2])
        .chat.completions.create({ model: SCRIPTED, messages, max_tokens: 100 })
        .catch((error: unknown) => {
          refused.push(error);
          return null;
        }),
    );
    await until("all two hundred to be decided", () => waiting.length + refused.length === 200, 20_000);
    expect({ running: waiting.length, refused: refused.length }).toEqual({ running: 10, refused: 190 });
    expect(await world.rows("SELECT id FROM hold WHERE startup_id = $1 AND state = 'HELD'", [startup.id])).toHaveLength(
      10,
    );
    for (const error of refused)
      expect(error).toMatchObject({ status: 402, code: "insufficient_credits", type: "insufficient_quota" });
    // Both relays had a share in it.
    expect(new Set(waiting.map(({ socket }) => socket)).size).toBe(10);

    for (const { socket } of waiting) socket.write(httpAnswer("200 OK", completion("Hi")));
    const answers = (await Promise.all(requests)).filter((answer) => answer !== null);
    expect(answers.map((answer) => answer.choices[0]!.message.content)).toEqual(Array(10).fill("Hi"));
    const records = await recordsOf(startup.id);
    expect(records).toHaveLength(10);
    expect(await spentOf(startup.id)).toBe(records.reduce((sum, record) => sum + record.chargeNanoCredit, 0n));

    scripted.scripted.play(({ socket }) => socket.write(httpAnswer("200 OK", completion("Hi"))));
    const next = await world.client(startup).chat.completions.create({ model: SCRIPTED, messages, max_tokens: 100 });
    expect(next.choices[0]!.message.content).toBe("Hi");
  });

  it("never spend more than there is, however the answers and the refusals interleave", async () => {
    const startup = await world.addStartup(10n * holdOf(MODEL, 60));
    // A machine that is busy with other things may let the database wait for too long: a client would ask again.
    const statusOf = async (i: number): Promise<number> => {
      const body = { model: MODEL, messages, max_tokens: 60, stream: i % 3 === 0 };
      const { status, text } = await send(world.relays[i % 2]!.url, { secret: startup.secret, body }).answer;
      return text.includes("database_unavailable") ? statusOf(i) : status;
    };
    const statuses = await Promise.all(Array.from({ length: 200 }, (_, i) => statusOf(i)));
    expect(new Set(statuses)).toEqual(new Set([200, 402]));
    const records = await recordsOf(startup.id);
    expect(records).toHaveLength(statuses.filter((status) => status === 200).length);
    expect(records.length).toBeGreaterThanOrEqual(10);
    const { issuedNanoCredit, availableNanoCredit, spentNanoCredit } = await world.services.ledger.balance(startup.id);
    expect(availableNanoCredit).toBe(issuedNanoCredit - spentNanoCredit);
    expect(availableNanoCredit).toBeGreaterThanOrEqual(0n);
  });
});

describe("a request that says how much it wants", () => {
  it("is refused with what it could have instead when its credit does not cover it, and the official client does not repeat it", async () => {
    const startup = await world.addStartup(holdOf(MODEL, 50));
    let sent = 0;
    const counting = (url: unknown, init: unknown) => {
      sent += 1;
      return world.fetch(url, init);
    };
    const client = world.client(startup, { maxRetries: 2, fetch: counting });
    const refused = client.chat.completions.create({ model: MODEL, messages, max_tokens: 51 });
    await expect(refused).rejects.toThrow(OpenAI.APIError);
    await expect(refused).rejects.toMatchObject({
      status: 402,
      code: "insufficient_credits",
      error: {
        affordable_tokens: 50,
        available: expect.stringMatching(/^0\.\d+$/),
        needed: expect.stringMatching(/^0\.\d+$/),
        held: "0",
        spent: "0",
      },
    });
    expect(sent).toBe(1);
    expect(
      (await client.chat.completions.create({ model: MODEL, messages, max_tokens: 50 })).usage!.completion_tokens,
    ).toBeLessThanOrEqual(50);
  });

  it("has to have credit for every choice that it asks for", async () => {
    const startup = await world.addStartup(holdOf(MODEL, 100));
    const refused = world.client(startup).chat.completions.create({ model: MODEL, messages, max_tokens: 60, n: 2 });
    await expect(refused).rejects.toMatchObject({ status: 402, error: { affordable_tokens: 50 } });
  });

  it("is admitted as soon as credit is there", async () => {
    const startup = await world.addStartup(0n);
    const ask = () => world.client(startup).chat.completions.create({ model: MODEL, messages, max_tokens: 5 });
    await expect(ask()).rejects.toMatchObject({ status: 402, error: { affordable_tokens: 0, available: "0" } });
    await world.fund(startup, holdOf(MODEL, 5));
    expect((await ask()).choices[0]!.finish_reason).toBe("length");
  });
});

describe("a request without a limit of its own", () => {
  it("is cut to what the credit covers, to the token, instead of being refused", async () => {
    const startup = await world.addStartup(holdOf(MODEL, 7));
    const answer = await world.client(startup).chat.completions.create({ model: MODEL, messages });
    expect(answer.choices[0]!.finish_reason).toBe("length");
    expect(answer.usage!.completion_tokens).toBe(7);
  });

  it("is refused when the credit does not cover its prompt and one token", async () => {
    const startup = await world.addStartup(holdOf(MODEL, 1) - 10n);
    await expect(world.client(startup).chat.completions.create({ model: MODEL, messages })).rejects.toMatchObject({
      status: 402,
      message: expect.stringContaining("does not cover this prompt"),
    });
  });

  it("shares what is left with others of its kind instead of being refused beside them", async () => {
    const startup = await world.addStartup(holdOf(MODEL, 40));
    const statuses = await Promise.all(
      Array.from(
        { length: 8 },
        async () =>
          (await send(world.relay.url, { secret: startup.secret, body: { model: MODEL, messages } }).answer).status,
      ),
    );
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(1);
    expect(statuses.every((status) => status === 200 || status === 402)).toBe(true);
  });
});

describe("a request that two endpoints can serve at two prices", () => {
  it("is held for at the dearer and charged at the one that served it", async () => {
    const startup = await world.addStartup();
    const [cheap, dear] = [world.providers[2]!, world.providers[3]!];
    const quoteOf = ({ endpointId }: WorldProvider) =>
      world.relay.services.routing.routesOf(PAIR)!.find((route) => route.endpointId === endpointId)!.quote!;
    for (const [fails, serves] of [
      [null, cheap],
      [cheap, dear],
    ] as const) {
      fails?.reference.setBehaviour({ mode: "fail" });
      const answer = await world.client(startup).chat.completions.create({ model: PAIR, messages, max_tokens: 30 });
      const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = answer.usage!;
      expect(await recordsOf(startup.id)).toContainEqual(
        expect.objectContaining({
          id: answer._request_id,
          endpointId: serves.endpointId,
          heldNanoCredit: holdOf(PAIR, 30),
          chargeNanoCredit: priceNanoCredit(quoteOf(serves), { promptTokens, completionTokens }),
        }),
      );
    }
    cheap.reference.setBehaviour({ mode: "normal" });
  });
});
