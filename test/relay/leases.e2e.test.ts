/** Requests on borrowed credit, over sockets: dispatched without the ledger, ended as all others, and in nobody's way. */
import { UsageRecord } from "../../entities/usage-record";
import { affordableCompletionTokens, holdAmountNanoCredit } from "../../src/metering/hold-amount";
import { TEMPLATE_TOKENS_MAX } from "../../src/metering/usage-bounds";
import { until, watchResources } from "../support/leftovers";
import { eventsOf, send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, delta, event, httpAnswer, type Script, streamHead } from "../support/scripted-provider";

/** One endpoint offers it, whose answers a test writes. */
const SOLO = "acme/solo";
/** Two endpoints offer it; the first has far more slots, so that it is asked first. */
const PAIR = "acme/pair";
const messages = [{ role: "user" as const, content: "What is a lease?" }];
const promptTokens = Buffer.byteLength(JSON.stringify(messages)) + TEMPLATE_TOKENS_MAX;

let world: RelayWorld;
let solo: WorldProvider;
let first: WorldProvider;
let startup: WorldStartup;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    relays: 2,
    environment: { UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "400", UPSTREAM_IDLE_TIMEOUT_MS: "400" },
    providers: [
      { model: SOLO, scripted: true },
      { model: PAIR, scripted: true, slots: 512 },
      { model: PAIR, slots: 2 },
    ],
  });
  [solo, first] = world.providers as [WorldProvider, WorldProvider];
});
beforeEach(async () => {
  startup = await world.addStartup();
  world.forgetFailures();
});
afterEach(async () => {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const answers =
  (text: string): Script =>
  ({ socket }) =>
    void socket.write(httpAnswer("200 OK", completion(text)));
const streams =
  (...pieces: readonly string[]): Script =>
  ({ socket }) =>
    void socket.end(streamHead + pieces.join(""));
const ask = (model: string, body: object = {}, relay = world.relay) =>
  send(relay.url, { secret: startup.secret, body: { model, messages, max_tokens: 10, ...body } });
const records = () => world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id });
const balance = () => world.services.ledger.balance(startup.id);
const figures = (relay = world.relay) => relay.services.metering.leaseFigures;

/** Small requests until one of them was charged to a lease; what they cost is returned. */
async function warm(model = SOLO, relay = world.relay): Promise<void> {
  solo.scripted.play(answers("Hi"));
  first.scripted.play(answers("Hi"));
  await until("a request on a lease", async () => {
    expect((await ask(model, {}, relay).answer).status).toBe(200);
    return (await records()).some(({ leaseId }) => leaseId !== null);
  });
}

/** How much of the quotes' dearest a request for so many tokens sets aside. */
const quotes = (model: string) => world.relay.services.routing.routesOf(model)!.map(({ quote }) => quote!);
const holdOf = (model: string, completionTokens: number) =>
  holdAmountNanoCredit(quotes(model), { promptTokens, completionTokens });

describe("a warm relay", () => {
  it("dispatches and streams while the ledger is locked, and sends `[DONE]` when the charge is booked", async () => {
    await warm();
    const runner = world.db.source.createQueryRunner();
    await runner.startTransaction();
    await runner.query("SELECT ledger_lock()");
    try {
      solo.scripted.play(streams(delta("Hi"), "data: [DONE]\n\n"));
      const exchange = ask(SOLO, { stream: true });
      await exchange.sees('"content":"Hi"');
      expect(exchange.text()).not.toContain("[DONE]");
      await runner.commitTransaction();
      const { text, headers } = await exchange.answer;
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
      expect(await records()).toContainEqual(
        expect.objectContaining({ id: headers["x-request-id"], leaseId: expect.any(String), outcome: "COMPLETED" }),
      );
    } finally {
      if (runner.isTransactionActive) await runner.rollbackTransaction();
      await runner.release();
    }
  });

  it("counts what came from where", async () => {
    await warm();
    const { leases, freeNanoCredit, setAsideNanoCredit } = figures();
    expect({ leases: leases > 0, free: freeNanoCredit > 0n, setAsideNanoCredit }).toEqual({
      leases: true,
      free: true,
      setAsideNanoCredit: 0n,
    });
    const text = await world.relay.metrics.text();
    expect(text).toMatch(/^exergy_holds_total\{source="lease"\} [1-9]/m);
    expect(text).toMatch(/^exergy_holds_total\{source="ledger"\} [1-9]/m);
    expect(text).toMatch(new RegExp(`^exergy_leases_open ${leases}$`, "m"));
    expect(text).toMatch(new RegExp(`^exergy_lease_free_nano ${freeNanoCredit}$`, "m"));
    expect(text).toMatch(/^exergy_hold_seconds_count [1-9]/m);
  });
});

describe("a request on borrowed credit ends as any other:", () => {
  const usage = (completion_tokens: number) => event({ choices: [], usage: { prompt_tokens: 9, completion_tokens } });
  const fails: Script = ({ socket }) => void socket.write(httpAnswer("500 Internal Server Error", "{}"));
  const rejects: Script = ({ socket }) => void socket.write(httpAnswer("400 Bad Request", "{}"));
  const hangs: Script = () => undefined;
  const cuts: Script = ({ socket }) =>
    void socket.write(streamHead + delta("Hi") + delta(" you"), () => socket.destroy());

  /** What is charged for; null: nothing. */
  const rows: [how: string, script: Script, stream: boolean, charged: Partial<UsageRecord> | null][] = [
    ["whole and finished", answers("Hi"), false, { outcome: "COMPLETED", completionTokens: 2 }],
    [
      "streamed and finished",
      streams(delta("Hi"), usage(1), "data: [DONE]\n\n"),
      true,
      { outcome: "COMPLETED", completionTokens: 1 },
    ],
    ["finished without a byte of output", answers(""), false, null],
    ["every attempt failed", fails, true, null],
    ["the provider found the request at fault", rejects, true, null],
    ["the provider never answered", hangs, true, null],
    ["the provider broke off", cuts, true, { outcome: "PARTIAL", completionTokens: 2 }],
    [
      "the provider claimed more than it can have written",
      streams(delta("Hi"), usage(1_000_000), "data: [DONE]\n\n"),
      true,
      { outcome: "COMPLETED", completionTokens: 3, usageBounded: true, claimedCompletionTokens: 1_000_000n },
    ],
  ];
  it.each(rows)("%s", async (_how, script, stream, charged) => {
    await warm();
    const before = await records();
    solo.scripted.play(script);
    const held = (await world.rows("SELECT id FROM hold WHERE startup_id = $1", [startup.id])).length;
    const { headers } = await ask(SOLO, { stream }).answer;
    const added = (await records()).filter(({ id }) => !before.some((known) => known.id === id));
    expect(added).toEqual(
      charged === null
        ? []
        : [expect.objectContaining({ ...charged, id: headers["x-request-id"], leaseId: expect.any(String) })],
    );
    expect(await world.rows("SELECT id FROM hold WHERE startup_id = $1", [startup.id])).toHaveLength(held);
    await world.expectNothingLeft();
    await expectNothingLost();
  });

  it("the client left after two tokens: the prompt and these", async () => {
    await warm();
    const before = (await records()).length;
    solo.scripted.play(({ socket }) => void socket.write(streamHead + delta("Hi") + delta(" you")));
    const exchange = ask(SOLO, { stream: true });
    await exchange.sees('" you"');
    exchange.leave();
    const added = await until("the record", async () => (await records()).slice(before)[0]);
    expect(added).toMatchObject({ outcome: "ABORTED", completionTokens: 2, leaseId: expect.any(String) });
    await world.expectNothingLeft();
    await expectNothingLost();
  });

  it("the client left before the first token: nothing", async () => {
    await warm();
    const before = (await records()).length;
    const asked = solo.scripted.requests.length;
    solo.scripted.play(hangs);
    const exchange = ask(SOLO, { stream: true });
    await until("the request at the provider", () => solo.scripted.requests.length > asked);
    exchange.leave();
    await world.expectNothingLeft();
    expect(await records()).toHaveLength(before);
    await expectNothingLost();
  });

  it("another provider answered: one charge, and to that one", async () => {
    await warm(PAIR);
    first.scripted.play(fails);
    const { status, headers } = await ask(PAIR).answer;
    expect(status).toBe(200);
    const added = (await records()).filter(({ id }) => id === headers["x-request-id"]);
    expect(added).toMatchObject([
      { endpointId: world.providers[2]!.endpointId, attempts: 2, leaseId: expect.any(String) },
    ]);
    await expectNothingLost();
  });

  it.each([
    ["the ledger", false],
    ["a lease", true],
  ])("a fault of ours on the way: what was set aside from %s is free again", async (_from, borrowed) => {
    if (borrowed) await warm();
    const before = (await records()).length;
    const choosing = jest.spyOn(world.relay.services.routing, "choose").mockImplementationOnce(() => {
      throw new Error("a fault of ours");
    });
    const { status, text } = await ask(SOLO).answer;
    choosing.mockRestore();
    expect([status, JSON.parse(text).error.code]).toEqual([500, "internal"]);
    const held = await world.rows("SELECT id FROM hold WHERE startup_id = $1 AND state = 'VOIDED'", [startup.id]);
    if (!borrowed) expect(held).toHaveLength(1);
    await world.expectNothingLeft();
    expect(await records()).toHaveLength(before);
    await expectNothingLost();
  });

  it("the lease was swept meanwhile, as of a process that was paused: no `[DONE]`, and nothing charged", async () => {
    await warm();
    const before = (await records()).length;
    let finish = () => undefined as unknown;
    solo.scripted.play(({ socket }) => {
      socket.write(streamHead + delta("Hi"));
      finish = () => socket.end("data: [DONE]\n\n");
    });
    const exchange = ask(SOLO, { stream: true });
    await exchange.sees('"content":"Hi"');
    await world.db.source.query("UPDATE lease SET expires_at = now() - interval '1 second' WHERE startup_id = $1", [
      startup.id,
    ]);
    await world.services.recall.sweep();
    finish();
    const { text } = await exchange.answer;
    expect(text).not.toContain("[DONE]");
    expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: "settlement_refused" } });
    expect(await records()).toHaveLength(before);
    await expectNothingLost();
  });
});

/** Once everything borrowed is back, what is not spent is available. */
async function expectNothingLost(): Promise<void> {
  await world.returnLeases();
  const { issuedNanoCredit, availableNanoCredit, spentNanoCredit } = await balance();
  expect(availableNanoCredit).toBe(issuedNanoCredit - spentNanoCredit);
  expect(spentNanoCredit).toBe((await records()).reduce((sum, record) => sum + record.chargeNanoCredit, 0n));
}

describe("what one relay has borrowed and does not use", () => {
  /** A wallet of which one relay has borrowed, and the most output that all of it affords: more than is left in the ledger. */
  async function borrowedOf(): Promise<{ affordable: number }> {
    const room = world.relay.services.routing.routesOf(SOLO)![0]!.maxOutputTokens;
    startup = await world.addStartup(holdOf(SOLO, room - 1) + holdOf(SOLO, 10));
    await warm();
    const { availableNanoCredit, issuedNanoCredit, spentNanoCredit } = await balance();
    const affordable = affordableCompletionTokens(quotes(SOLO), promptTokens, issuedNanoCredit - spentNanoCredit, room);
    expect(holdOf(SOLO, affordable)).toBeGreaterThan(availableNanoCredit);
    return { affordable };
  }
  const sentMaxTokens = () => JSON.parse(solo.scripted.requests.at(-1)!.body).max_tokens;

  it("is there for a request at another one, to the token, within a beat of its heart", async () => {
    const { affordable } = await borrowedOf();
    const { status } = await ask(SOLO, { max_tokens: affordable }, world.relays[1]).answer;
    expect([status, sentMaxTokens()]).toEqual([200, affordable]);
  });

  it("counts as affordable for a request without a limit of its own", async () => {
    const { affordable } = await borrowedOf();
    const { status } = await ask(SOLO, { max_tokens: undefined }, world.relays[1]).answer;
    expect([status, sentMaxTokens()]).toEqual([200, affordable]);
  });

  it("is back when that relay stops", async () => {
    await warm(SOLO, world.relays[1]);
    expect(figures(world.relays[1]).leases).toBeGreaterThan(0);
    await world.relays[1]!.stop();
    world.relays.pop();
    const { issuedNanoCredit, availableNanoCredit, spentNanoCredit } = await balance();
    expect(availableNanoCredit).toBe(issuedNanoCredit - spentNanoCredit);
  });
});
