/** How requests of each operation can end besides well: what is charged is what came, and nothing of it stays behind. */
import { UsageRecord } from "../../../entities/usage-record";
import { until, watchResources } from "../../support/leftovers";
import { send } from "../../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../../support/relay-world";

let world: RelayWorld;
let startup: WorldStartup;
let charged: Set<string>;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({ providers: [{}] });
  startup = await world.addStartup();
});
beforeEach(async () => {
  charged = new Set((await records()).map(({ id }) => id));
});
afterEach(async () => {
  provider().setBehaviour({ mode: "normal" });
  world.forgetFailures();
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const provider = () => world.providers[0]!.reference;
const records = () => world.db.source.getRepository(UsageRecord).find();
const freshRecords = async () => (await records()).filter(({ id }) => !charged.has(id));
const ask = (path: string, body: object) =>
  send(world.relay.url, { path, secret: startup.secret, body: { model: MODEL, ...body } });

const operations = [
  { path: "/v1/chat/completions", body: { messages: [{ role: "user", content: "Hello" }] }, piece: '"content":"' },
  { path: "/v1/completions", body: { prompt: "Hello", max_tokens: 40 }, piece: '"text":"' },
  { path: "/v1/responses", body: { input: "Hello" }, piece: '"delta":"' },
];
const end = /\[DONE\]|response\.(completed|incomplete)/;

describe.each(operations)("$path", ({ path, body, piece }) => {
  const streamed = { ...body, stream: true };

  it("is charged for what was delivered when the client leaves in the middle of a stream", async () => {
    provider().setBehaviour({ mode: "hang", afterChunks: 3 });
    const exchange = ask(path, streamed);
    await until("three pieces", () => exchange.text().split(piece).length - 1 >= 3);
    const { aborted } = provider().numbers();
    exchange.leave();
    await until("the provider to see it", () => provider().numbers().aborted > aborted);
    const [record] = await until("the record", async () => {
      const fresh = await freshRecords();
      return fresh.length > 0 ? fresh : undefined;
    });
    expect(record).toMatchObject({ outcome: "ABORTED", completionTokens: 3 });
  });

  it("is charged for what was delivered when the provider breaks off, and does not look complete", async () => {
    provider().setBehaviour({ mode: "cut", afterChunks: 2 });
    const { text, status } = await ask(path, streamed).answer;
    expect(status).toBe(200);
    expect(text).not.toMatch(end);
    expect(text).toContain("upstream_truncated");
    expect(await freshRecords()).toMatchObject([{ outcome: "PARTIAL", completionTokens: 2 }]);
  });

  it("is free when the provider fails before the first content", async () => {
    provider().setBehaviour({ mode: "cut", afterChunks: 0 });
    expect(await ask(path, streamed).answer).toMatchObject({ status: 502 });
    expect(await freshRecords()).toEqual([]);
  });
});

describe.each([...operations, { path: "/v1/embeddings", body: { input: "Hello" } }])(
  "$path, whole",
  ({ path, body }) => {
    it("is free when the client leaves while it waits", async () => {
      provider().setBehaviour({ mode: "hang" });
      const exchange = ask(path, body);
      await until("the provider to have it", () => provider().numbers().inFlight === 1);
      exchange.leave();
      await until("the provider to see it", () => provider().numbers().inFlight === 0);
      await world.expectNothingLeft();
      expect(await freshRecords()).toEqual([]);
    });

    it("is free when the provider fails, and is asked again by the official client's rules", async () => {
      provider().setBehaviour({ mode: "fail", status: 500 });
      expect(await ask(path, body).answer).toMatchObject({ status: 502, headers: { "x-should-retry": "true" } });
      expect(await freshRecords()).toEqual([]);
    });

    it("is a 400 when the provider finds the request at fault", async () => {
      provider().setBehaviour({ mode: "fail", status: 422 });
      expect(await ask(path, body).answer).toMatchObject({ status: 400, headers: { "x-should-retry": "false" } });
      expect(await freshRecords()).toEqual([]);
    });
  },
);
