/** What a budget allows: as many requests at once as it covers, whichever relay and key they come through, and an answer that says why not. */
import { TEMPLATE_TOKENS_MAX } from "../../src/metering/usage-bounds";
import { formatNano } from "../../src/money/nano";
import { priceNanoCredit } from "../../src/pricing/quote";
import { faultsInTheBooks } from "../ledger/books";
import { until, watchResources } from "../support/leftovers";
import { MODEL, openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, httpAnswer, type ScriptedRequest } from "../support/scripted-provider";

const SCRIPTED = "acme/scripted";
const messages = [{ role: "user" as const, content: "How much is a token?" }];
const promptBytes = Buffer.byteLength(JSON.stringify(messages));

let world: RelayWorld;
let scripted: WorldProvider;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    relays: 2,
    providers: [{}, { model: SCRIPTED, scripted: true }],
  });
  scripted = world.providers[1]!;
});
afterEach(async () => {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(await faultsInTheBooks(world.db)).toEqual([]);
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

/** The most that a request for `completionTokens` may cost. */
function holdOf(model: string, completionTokens: number): bigint {
  const quote = world.relay.services.routing.routesOf(model)![0]!.quote!;
  return priceNanoCredit(quote, { promptTokens: promptBytes + TEMPLATE_TOKENS_MAX, completionTokens });
}

const standing = async (budgetId: string) => (await world.services.budgets.figures([budgetId])).get(budgetId)!;

/** Over the startup's own key, for the month, set by an operator: the key has no scope for it. */
async function budgetOver(startup: WorldStartup, amountNanoCredit: bigint, hardStop = true): Promise<string> {
  const over = { apiKeyId: startup.keyId, projectId: null, period: "MONTH" as const };
  return (await world.services.budgets.create(world.operator, { ...over, amountNanoCredit, hardStop })).id;
}

describe("two hundred requests at once, at two relays, on a budget for ten", () => {
  it("are ten that run, whichever key of the project they come with, and what the ten did not use is free again", async () => {
    const startup = await world.addStartup();
    const { accounts, budgets } = world.services;
    const { id: projectId } = await accounts.projects.create(world.operator, { startupId: startup.id, name: "search" });
    await budgets.moveApiKey(world.operator, { id: startup.keyId, projectId });
    const fields = { organisationId: startup.id, name: "second", scopes: ["INFER"] as const, projectId };
    const { secret } = await accounts.createApiKey(world.operator, fields);
    const budget = { apiKeyId: null, projectId, period: "MONTH" as const, hardStop: true };
    const amountNanoCredit = 10n * holdOf(SCRIPTED, 100);
    const { id: budgetId } = await budgets.create(world.operator, { ...budget, amountNanoCredit });

    const waiting: ScriptedRequest[] = [];
    scripted.scripted.play((request) => void waiting.push(request));
    const refused: unknown[] = [];
    const requests = Array.from({ length: 200 }, (_, i) =>
      world
        .client(i % 4 < 2 ? startup : { secret }, {}, world.relays[i % 2])
        .chat.completions.create({ model: SCRIPTED, messages, max_tokens: 100 })
        .catch((error: unknown) => {
          refused.push(error);
          return null;
        }),
    );
    await until("all two hundred to be decided", () => waiting.length + refused.length === 200, 60_000);
    expect({ running: waiting.length, refused: refused.length }).toEqual({ running: 10, refused: 190 });
    for (const error of refused) expect(error).toMatchObject({ status: 402, code: "budget_exceeded" });
    expect(await standing(budgetId)).toMatchObject({ heldNanoCredit: amountNanoCredit, remainingNanoCredit: 0n });

    for (const { socket } of waiting) socket.write(httpAnswer("200 OK", completion("Hi")));
    const answers = (await Promise.all(requests)).filter((answer) => answer !== null);
    expect(answers).toHaveLength(10);
    const { spentNanoCredit } = await world.services.ledger.balance(startup.id);
    expect(await standing(budgetId)).toMatchObject({
      spentNanoCredit,
      heldNanoCredit: 0n,
      remainingNanoCredit: amountNanoCredit - spentNanoCredit,
    });
  }, 90_000);
});

describe("a request that its budget does not cover", () => {
  it("is told which budget, what is left, and when it begins anew; the official client does not repeat it", async () => {
    const startup = await world.addStartup();
    const amount = holdOf(MODEL, 50);
    await budgetOver(startup, amount);
    let sent = 0;
    const counting = (url: unknown, init: unknown) => {
      sent += 1;
      return world.fetch(url, init);
    };
    const client = world.client(startup, { maxRetries: 2, fetch: counting });
    const month = world.clock.now().toISOString().slice(0, 7);
    await expect(client.chat.completions.create({ model: MODEL, messages, max_tokens: 51 })).rejects.toMatchObject({
      status: 402,
      code: "budget_exceeded",
      type: "insufficient_quota",
      message: expect.stringContaining(`budget of the API key "test" for ${month}`),
      error: {
        budget: expect.any(String),
        budget_of: "API_KEY",
        budget_name: "test",
        limit: formatNano(amount),
        spent: "0",
        held: "0",
        available: formatNano(amount),
        needed: formatNano(holdOf(MODEL, 51)),
        affordable_tokens: 50,
        resets_at: expect.stringMatching(/^\d{4}-\d\d-01T00:00:00\.000Z$/),
      },
    });
    expect(sent).toBe(1);
    expect((await client.chat.completions.create({ model: MODEL, messages, max_tokens: 50 })).choices).toHaveLength(1);
  });

  it("is cut to what the budget covers, to the token, when it has no limit of its own", async () => {
    const startup = await world.addStartup();
    await budgetOver(startup, holdOf(MODEL, 7));
    const answer = await world.client(startup).chat.completions.create({ model: MODEL, messages });
    expect(answer.choices[0]!.finish_reason).toBe("length");
    expect(answer.usage!.completion_tokens).toBe(7);
  });

  it("is cut to the least of what wallet and budget cover", async () => {
    const startup = await world.addStartup(holdOf(MODEL, 5));
    await budgetOver(startup, holdOf(MODEL, 9));
    const answer = await world.client(startup).chat.completions.create({ model: MODEL, messages });
    expect(answer.usage!.completion_tokens).toBe(5);
  });

  it("runs all the same when the budget has no hard stop, and is counted", async () => {
    const startup = await world.addStartup();
    const budgetId = await budgetOver(startup, 1n, false);
    await world.client(startup).chat.completions.create({ model: MODEL, messages, max_tokens: 5 });
    const { rows } = await world.services.budgets.alerts(world.operator, {}, { budgetId });
    expect(rows.map(({ thresholdPpm }) => thresholdPpm).sort()).toEqual([1_000_000, 800_000, 950_000]);
    expect((await standing(budgetId)).spentNanoCredit).toBe(
      (await world.services.ledger.balance(startup.id)).spentNanoCredit,
    );
  });
});
