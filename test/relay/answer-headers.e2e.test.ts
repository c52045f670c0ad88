/** What an answer says of itself: tries, cost, what was held and what is left, in headers and, of a stream, at its end. */
import { request } from "node:http";
import { UsageRecord } from "../../entities/usage-record";
import { NANO, parseNano } from "../../src/money/nano";
import { until } from "../support/leftovers";
import { openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";

const FAST = "acme/fast";
const PAIR = "acme/pair";
const messages = [{ role: "user" as const, content: "Tell me about quiet racks." }];

let world: RelayWorld;
let startup: WorldStartup;

beforeAll(async () => {
  world = await openRelayWorld({
    providers: [{ model: FAST }, { model: PAIR, slots: 512 }, { model: PAIR, slots: 2, accelerator: "H200" }],
  });
});
beforeEach(async () => {
  startup = await world.addStartup();
});
afterEach(() => world.expectNothingLeft());
afterAll(() => world.stop());

type Fields = Record<string, string | string[] | undefined>;

/** As HTTP/1.1 has it, trailers included. */
function ask(stream: boolean, model = FAST): Promise<{ headers: Fields; trailers: Fields }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${world.relay.url}/v1/chat/completions`, {
      method: "POST",
      agent: false,
      headers: { authorization: `Bearer ${startup.secret}` },
    });
    sent.on("error", reject).on("response", (answer) => {
      answer.on("end", () => resolve({ headers: answer.headers, trailers: answer.trailers })).resume();
    });
    sent.end(JSON.stringify({ model, messages, stream, max_tokens: 24 }));
  });
}
const recordOf = (headers: Fields) =>
  world.db.source.getRepository(UsageRecord).findOneByOrFail({ id: headers["x-request-id"] as string });
const nano = (field: string | string[] | undefined) => parseNano(field as string);

it("a whole answer has what it cost and what was held for it", async () => {
  const { headers } = await ask(false);
  const record = await recordOf(headers);
  expect(nano(headers["x-exergy-cost"])).toBe(record.chargeNanoCredit);
  expect(nano(headers["x-exergy-held"])).toBe(record.heldNanoCredit);
  expect(headers["x-exergy-attempts"]).toBe("1");
});

it("a stream announces its cost and tells it at its end", async () => {
  const { headers, trailers } = await ask(true);
  const record = await recordOf(headers);
  expect(headers).toMatchObject({ trailer: "x-exergy-cost", "x-exergy-attempts": "1" });
  expect(headers["x-exergy-cost"]).toBeUndefined();
  expect(nano(headers["x-exergy-held"])).toBe(record.heldNanoCredit);
  expect(nano(trailers["x-exergy-cost"])).toBe(record.chargeNanoCredit);
});

it("counts the tries of a rerouted answer, whole and streamed", async () => {
  const [, first] = world.providers;
  first!.reference.setBehaviour({ mode: "fail" });
  for (const stream of [false, true]) {
    world.forgetFailures();
    expect((await ask(stream, PAIR)).headers["x-exergy-attempts"]).toBe("2");
  }
  first!.reference.setBehaviour({ mode: "normal" });
  world.forgetFailures();
});

it("tells what is left as far as a relay that has borrowed knows: what was spent meanwhile elsewhere may be missing", async () => {
  const left = await until("an answer that says it", async () => {
    const field = (await ask(false)).headers["x-exergy-credit-remaining"];
    return field === undefined ? undefined : nano(field);
  });
  await world.returnLeases();
  const { availableNanoCredit } = await world.services.ledger.balance(startup.id);
  const spent = 100n * NANO - availableNanoCredit;
  expect(left).toBeGreaterThan(99n * NANO);
  expect(left).toBeLessThanOrEqual(availableNanoCredit + spent);
});

it("an error says nothing of costs", async () => {
  const { headers } = await ask(false, "acme/none");
  expect(Object.keys(headers).filter((name) => name.startsWith("x-exergy"))).toEqual([]);
});
