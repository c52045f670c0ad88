/** Two relays that share a Redis count a key's requests together, and go on apart when it is lost. */
import { RateLimitError } from "openai";
import { until, watchResources } from "../../support/leftovers";
import { send } from "../../support/raw-request";
import { startRedis, type TestRedis } from "../../support/redis";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../../support/relay-world";

jest.setTimeout(60_000);

/** A slot comes back each 15 s. */
const LIMIT = 4;
const messages = [{ role: "user" as const, content: "Here or there?" }];

let redis: TestRedis;
let world: RelayWorld;
let startup: WorldStartup;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  redis = await startRedis();
  world = await openRelayWorld({ relays: 2, redisUrl: redis.url });
  startup = await world.addStartup();
  await until("both relays are connected", () => world.relays.every(isConnected));
});
afterEach(async () => {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
});
afterAll(async () => {
  await world.stop();
  await redis.close();
  await resourcesAreBack();
});

const isConnected = ({ redis: link }: RelayWorld["relay"]) => link!.connected();
const aKey = async (limits: object) => {
  const input = { organisationId: startup.id, name: "limited", scopes: ["INFER"] as const, limits };
  return { secret: (await world.services.accounts.createApiKey(world.operator, input)).secret };
};
const ask = (key: { secret: string }, relay: number) =>
  world
    .client(key, {}, world.relays[relay]!)
    .chat.completions.create({ model: MODEL, messages, max_tokens: 8 })
    .withResponse()
    .then(
      ({ response }) => ({ status: 200, headers: response.headers }),
      (error: unknown) => {
        if (!(error instanceof RateLimitError)) throw error;
        return { status: 429, headers: error.headers };
      },
    );
const remaining = (answer: { headers: Headers | undefined }) =>
  Number(answer.headers!.get("x-ratelimit-remaining-requests"));

test("a key's minute is one, whichever relay its requests come to, and both tell what is left of it", async () => {
  const key = await aKey({ requestsPerMinute: LIMIT });
  const left: number[] = [];
  for (let sent = 0; sent < LIMIT; sent++) {
    const answer = await ask(key, sent % 2);
    expect(answer.status).toBe(200);
    left.push(remaining(answer));
  }
  expect(left).toEqual([3, 2, 1, 0]);
  expect([(await ask(key, 0)).status, (await ask(key, 1)).status]).toEqual([429, 429]);
});

test("requests at once are counted together, and one that is left at one relay makes room at the other", async () => {
  const key = await aKey({ concurrentRequests: 1 });
  const { reference } = world.providers[0]!;
  reference.setBehaviour({ mode: "hang" });
  const hanging = send(world.relays[0]!.url, { ...key, body: { model: MODEL, messages, max_tokens: 8 } });
  await until("it is at the provider", () => reference.numbers().inFlight === 1);
  expect((await ask(key, 1)).status).toBe(429);
  hanging.leave();
  reference.setBehaviour({ mode: "normal" });
  await until("the other relay has room", async () => (await ask(key, 1)).status === 200);
});

test("without Redis each relay gives the minute by itself and no more, with it again both give one", async () => {
  const key = await aKey({ requestsPerMinute: LIMIT });
  expect((await ask(key, 0)).status).toBe(200);
  await redis.kill();
  let served = 0;
  for (let sent = 0; sent < 6 * LIMIT; sent++) if ((await ask(key, sent % 2)).status === 200) served += 1;
  // One relay saw three left, the other had not asked yet; a slow machine may see one come back.
  expect(served).toBeGreaterThanOrEqual(LIMIT);
  expect(served).toBeLessThanOrEqual(2 * LIMIT + 1);
  await redis.restart();
  await until("both relays are back", () => world.relays.every(isConnected), 20_000);
  await until("they count together", async () => (await servedOfANewKey()) <= LIMIT, 20_000);
});

async function servedOfANewKey(): Promise<number> {
  const key = await aKey({ requestsPerMinute: LIMIT });
  let served = 0;
  for (let sent = 0; sent < 2 * LIMIT; sent++) if ((await ask(key, sent % 2)).status === 200) served += 1;
  return served;
}
