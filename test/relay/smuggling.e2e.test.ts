/** Requests that can be read in two ways, at the relay: refused, or read in one; nothing of them reaches a provider, nobody else gets an answer of theirs. */
import { watchResources } from "../support/leftovers";
import { send } from "../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { type Doorway, misread, smuggle, smugglings } from "../support/smuggling";

const messages = [{ role: "user" as const, content: "Who is behind me?" }];

let world: RelayWorld;
let startup: WorldStartup;
let door: Doorway;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld();
  startup = await world.addStartup();
  door = {
    url: world.relay.url,
    line: "POST /v1/chat/completions HTTP/1.1",
    headers: ["host: x", `authorization: Bearer ${startup.secret}`, "content-type: application/json"],
    body: JSON.stringify({ model: MODEL, messages, max_tokens: 2 }),
  };
});
afterEach(async () => {
  await world.expectNothingLeft();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.expectBooksBalance();
  await world.stop();
  await resourcesAreBack();
});

const asked = () => world.providers[0]!.reference.numbers().requests;

it.each(smugglings.map((smuggling) => [smuggling.what, smuggling] as const))("%s", async (_, smuggling) => {
  const before = asked();
  const read = await smuggle(door, smuggling);
  expect(misread(smuggling, read)).toBeNull();
  expect(asked() - before).toBe(read.text.includes('"chat.completion"') ? 1 : 0);
  if (smuggling.reading === "REFUSED") expect(asked()).toBe(before);
  expect((await send(door.url, { method: "GET", path: "/healthz" }).answer).status).toBe(200);
});

it("a model whose name has a line break in it is not found, and breaks no line", async () => {
  for (const model of ["acme/a\r\nset-cookie: b=c", "acme/a\u2028\0", "../../v1/files", "a".repeat(1_000)]) {
    const { status, headers, text } = await send(door.url, { secret: startup.secret, body: { model, messages } })
      .answer;
    expect([status, JSON.parse(text).error.code]).toEqual([404, "model_not_found"]);
    expect(headers["set-cookie"]).toBeUndefined();
  }
});

it("all of them are over, and a proper request is answered, and charged once", async () => {
  const { status } = await send(door.url, { secret: startup.secret, body: JSON.parse(door.body) }).answer;
  expect(status).toBe(200);
  const records = await world.rows("SELECT id FROM usage_record");
  expect(records).toHaveLength(world.providers[0]!.reference.numbers().completed);
});
