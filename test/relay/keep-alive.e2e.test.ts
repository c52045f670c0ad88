/** Silence in a stream: comments between events, no answer lost to them, and what is left of failover once the status is out. */
import { UsageRecord } from "../../entities/usage-record";
import { until } from "../support/leftovers";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { delta, httpAnswer, type Script, type ScriptedRequest, streamHead } from "../support/scripted-provider";

const MODEL = "acme/quiet";
const COMMENT = ": keep-alive\n\n";
const messages = [{ role: "user", content: "Hello" }];
let world: RelayWorld;
let startup: WorldStartup;

beforeAll(async () => {
  const provider = { scripted: true, model: MODEL };
  world = await openRelayWorld({
    providers: [provider, { ...provider, accelerator: "A100" }],
    keepAlive: { gapMs: 15, firstMs: 10 },
  });
  startup = await world.addStartup();
});
afterEach(async () => {
  world.forgetFailures();
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged).toEqual([]);
});
afterAll(() => world.stop());

const ask = (stream = true) =>
  send(world.relay.url, { secret: startup.secret, body: { model: MODEL, messages, stream } });
const [hello, world_] = [delta("Hello"), delta(" world")];
const named = (text: string) => text.replaceAll('"scripted"', `"${MODEL}"`);

/** Each provider's next request, kept until the test answers it. */
function holding(): { asked: ScriptedRequest[] } {
  const asked: ScriptedRequest[] = [];
  const keep: Script = (request) => void asked.push(request);
  for (const { scripted } of world.providers) scripted.play(keep);
  return { asked };
}

it("is filled with comments before the first content, and the answer follows whole", async () => {
  const { asked } = holding();
  const exchange = ask();
  await until("the request", () => asked.length === 1);
  await exchange.sees(COMMENT + COMMENT);
  expect(exchange.status()).toBe(200);
  asked[0]!.socket.end(`${streamHead}${hello}data: [DONE]\n\n`);
  const { text, headers } = await exchange.answer;
  expect(text.replaceAll(COMMENT, "")).toBe(`${named(hello)}data: [DONE]\n\n`);
  expect(headers["content-type"]).toBe("text/event-stream; charset=utf-8");
});

it("is filled between events, never inside one, however its bytes arrive", async () => {
  const { asked } = holding();
  const exchange = ask();
  await until("the request", () => asked.length === 1);
  const [begin, end] = [world_.slice(0, 20), world_.slice(20)];
  asked[0]!.socket.write(`${streamHead}${hello}${begin}`);
  await exchange.sees(named(hello) + COMMENT + COMMENT);
  asked[0]!.socket.end(`${end}data: [DONE]\n\n`);
  const { text } = await exchange.answer;
  expect(text.replaceAll(COMMENT, "")).toBe(`${named(hello + world_)}data: [DONE]\n\n`);
});

it("does not end failover: no content went out, so another provider may answer", async () => {
  const { asked } = holding();
  const exchange = ask();
  await until("the request", () => asked.length === 1);
  await exchange.sees(COMMENT);
  asked[0]!.socket.destroy();
  await until("the second attempt", () => asked.length === 2);
  asked[1]!.socket.end(`${streamHead}${hello}data: [DONE]\n\n`);
  const { text, headers } = await exchange.answer;
  expect(text.replaceAll(COMMENT, "")).toBe(`${named(hello)}data: [DONE]\n\n`);
  const id = headers["x-request-id"] as string;
  expect(await world.db.source.getRepository(UsageRecord).findOneBy({ id })).toMatchObject({ attempts: 2 });
});

it("has taken the status: what would have been one is an error event, and free", async () => {
  const { asked } = holding();
  const exchange = ask();
  await until("the request", () => asked.length === 1);
  await exchange.sees(COMMENT);
  const before = await world.db.source.getRepository(UsageRecord).count();
  asked[0]!.socket.destroy();
  await until("the second attempt", () => asked.length === 2);
  asked[1]!.socket.write(httpAnswer("500 No", "{}"));
  const { text, status, broken } = await exchange.answer;
  expect([status, broken]).toEqual([200, false]);
  expect(JSON.parse(text.replaceAll(COMMENT, "").replace(/^data: /, ""))).toMatchObject({
    error: { code: "upstream_failed" },
  });
  expect(text).not.toContain("[DONE]");
  expect(await world.db.source.getRepository(UsageRecord).count()).toBe(before);
});

it("is left as it is in an answer that is asked for whole", async () => {
  const { asked } = holding();
  const exchange = ask(false);
  await until("the request", () => asked.length === 1);
  const other = ask();
  await other.sees(COMMENT + COMMENT + COMMENT);
  expect(exchange.status()).toBeUndefined();
  exchange.leave();
  other.leave();
});
