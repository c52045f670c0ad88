/** Credit that is kept for some accelerators serves a model that is offered on others too: there alone, to the last nano-credit. */
import { UsageRecord } from "../../entities/usage-record";
import { affordableCompletionTokens, holdAmountNanoCredit } from "../../src/metering/hold-amount";
import { creditFor } from "../../src/metering/narrower-purposes";
import { purposeOf } from "../../src/metering/purpose";
import { TEMPLATE_TOKENS_MAX } from "../../src/metering/usage-bounds";
import { NANO } from "../../src/money/nano";
import { faultsInTheBooks } from "../ledger/books";
import { until, watchResources } from "../support/leftovers";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, httpAnswer, type ScriptedRequest } from "../support/scripted-provider";

/** On the dear A100, which has most of the slots and is asked first by anybody who may, and on two H100. */
const MODEL = "acme/kept";
/** One H100 and one A100, whose answers a test writes. */
const SCRIPTED = "acme/scripted";
const messages = [{ role: "user" as const, content: "Whose credit is this?" }];
const promptTokens = Buffer.byteLength(JSON.stringify(messages)) + TEMPLATE_TOKENS_MAX;

let world: RelayWorld;
let startup: WorldStartup;
let other: WorldProvider;
let first: WorldProvider;
let second: WorldProvider;
let scriptedOther: WorldProvider;
let scripted: WorldProvider;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    relays: 2,
    sharedBus: true,
    environment: { UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "20000", UPSTREAM_CONNECT_TIMEOUT_MS: "20000" },
    providers: [
      { model: MODEL, accelerator: "A100", slots: 512 },
      { model: MODEL, accelerator: "H100", slots: 64 },
      { model: MODEL, accelerator: "H100", slots: 2 },
      { model: SCRIPTED, accelerator: "A100", scripted: true, slots: 512 },
      { model: SCRIPTED, accelerator: "H100", scripted: true, slots: 512 },
    ],
  });
  [other, first, second, scriptedOther, scripted] = world.providers as [
    WorldProvider,
    WorldProvider,
    WorldProvider,
    WorldProvider,
    WorldProvider,
  ];
});
beforeEach(async () => {
  startup = await world.addStartup(0n);
  world.forgetFailures();
});
afterEach(async () => {
  for (const { reference } of [other, first, second]) reference.setBehaviour({ mode: "normal" });
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(await faultsInTheBooks(world.db)).toEqual([]);
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const quotesOf = (model: string, accelerators: readonly string[]) =>
  world.relay.services.routing
    .routesOf(model)!
    .filter((route) => accelerators.includes(route.accelerator))
    .map(({ quote }) => quote!);
const holdOf = (model: string, completionTokens: number, accelerators: readonly string[] = ["A100", "H100"]) =>
  holdAmountNanoCredit(quotesOf(model, accelerators), { promptTokens, completionTokens });
const ask = (body: object = {}, relay = world.relay) =>
  send(relay.url, { secret: startup.secret, body: { model: MODEL, messages, max_tokens: 10, ...body } }).answer;
const keep = (nanoCredit: bigint, ...accelerators: string[]) => world.fund(startup, nanoCredit, { accelerators });
const records = () => world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id });
const left = async (...accelerators: string[]) => {
  await world.returnLeases();
  return creditFor(
    purposeOf("INFERENCE", accelerators),
    await world.services.metering.keptCredit(startup.id, "INFERENCE"),
  );
};
const refusalsOf = async (requestId: unknown) =>
  new Map((await world.decision(requestId as string)).candidates.map((one) => [one.endpointId, one.refusal]));
const spentEverywhere = async () => (await records()).reduce((sum, { chargeNanoCredit }) => sum + chargeNanoCredit, 0n);

/** Sixty requests at once over both relays, until each of them waits at a provider or is refused. */
async function rush(): Promise<{ waiting: readonly ScriptedRequest[]; end: () => Promise<void> }> {
  const waiting: ScriptedRequest[] = [];
  for (const provider of [scripted, scriptedOther]) provider.scripted.play((request) => void waiting.push(request));
  let refused = 0;
  const answers = Array.from({ length: 60 }, async (_, n) => {
    const { status } = await ask({ model: SCRIPTED, max_tokens: 100 }, world.relays[n % 2]);
    if (status === 402) refused += 1;
  });
  await until("all sixty to be decided", () => waiting.length + refused === 60, 20_000);
  const end = async () => {
    for (const { socket } of waiting) socket.write(httpAnswer("200 OK", completion("Hi")));
    await Promise.all(answers);
  };
  return { waiting, end };
}

describe("a startup whose only credit is kept for the H100", () => {
  it("is served by the H100 alone, held at its price, and told why the others were no candidates", async () => {
    await keep(100n * NANO, "H100");
    for (let n = 0; n < 6; n++) {
      const { status, headers } = await ask({}, world.relays[n % 2]);
      expect(status).toBe(200);
      const refusals = await refusalsOf(headers["x-request-id"]);
      expect(refusals.get(other.endpointId)).toBe("ACCELERATOR_NOT_COVERED");
      expect([refusals.get(first.endpointId), refusals.get(second.endpointId)]).toEqual([null, null]);
    }
    const served = await records();
    expect(served.map(({ accelerator }) => accelerator)).toEqual(Array(6).fill("H100"));
    for (const { heldNanoCredit } of served) expect(heldNanoCredit).toBe(holdOf(MODEL, 10, ["H100"]));
    expect(holdOf(MODEL, 10, ["H100"])).toBeLessThan(holdOf(MODEL, 10));
  });

  it("borrows for it, and is warm from then on: nothing is asked for in vain or called back", async () => {
    await keep(100n * NANO, "H100");
    await until("a request on a lease", async () => {
      expect((await ask()).status).toBe(200);
      return (await records()).some(({ leaseId }) => leaseId !== null);
    });
    const before = (await records()).length;
    for (let n = 0; n < 20; n++) expect((await ask()).status).toBe(200);
    const fresh = (await records()).slice(before);
    expect(fresh.every(({ leaseId }) => leaseId !== null)).toBe(true);
    const recalled = "SELECT id FROM lease WHERE startup_id = $1 AND recall_epoch > 0";
    expect(await world.rows(recalled, [startup.id])).toEqual([]);
  });

  it("is rerouted to the other H100, and past that to nobody", async () => {
    await keep(100n * NANO, "H100");
    first.reference.setBehaviour({ mode: "fail" });
    const asked = other.reference.numbers().requests;
    for (let n = 0; n < 8; n++) expect((await ask()).status).toBe(200);
    expect(new Set((await records()).map(({ endpointId }) => endpointId))).toEqual(new Set([second.endpointId]));

    world.forgetFailures();
    second.reference.setBehaviour({ mode: "fail" });
    const { status, headers } = await ask();
    expect(status).toBe(502);
    const { attempts, outcome } = await world.decision(headers["x-request-id"] as string);
    expect(outcome).toBe("FAILED");
    expect(new Set(attempts.map(({ endpointId }) => endpointId))).toEqual(
      new Set([first.endpointId, second.endpointId]),
    );
    expect(other.reference.numbers().requests).toBe(asked);
    expect((await left("H100")).freeNanoCredit).toBe(100n * NANO - (await spentEverywhere()));
  });

  it("is refused with what it could have there, and cut to it without a limit of its own", async () => {
    await keep(holdOf(MODEL, 5, ["H100"]), "H100");
    const refused = await ask({ max_tokens: 6 });
    expect(refused.status).toBe(402);
    expect(JSON.parse(refused.text).error).toMatchObject({ code: "insufficient_credits", affordable_tokens: 5 });
    const cut = await ask({ max_tokens: undefined });
    expect(cut.status).toBe(200);
    expect(JSON.parse(cut.text).usage.completion_tokens).toBe(5);
  });

  it("waits for a slot of an H100, and for no other", async () => {
    await keep(100n * NANO, "H100");
    const { routing } = world.relay.services;
    const taken = routing
      .routesOf(MODEL)!
      .filter(({ accelerator }) => accelerator === "H100")
      .flatMap((route) => Array.from({ length: route.slots }, () => route));
    for (const route of taken) routing.attemptBegan(route);
    const waits = ask();
    await until("the request to wait", () => routing.queueDepth === 1);
    const freed = taken.pop()!;
    routing.attemptEnded(freed);
    const { status, headers } = await waits;
    for (const route of taken) routing.attemptEnded(route);
    expect(status).toBe(200);
    expect((await world.decision(headers["x-request-id"] as string)).endpoint_id).toBe(freed.endpointId);
  });

  it("is within a budget that covers the H100 and not what no credit of its pays for", async () => {
    await keep(100n * NANO, "H100");
    const over = { apiKeyId: startup.keyId, projectId: null, period: "MONTH" as const, hardStop: true };
    const amountNanoCredit = holdOf(MODEL, 10, ["H100"]);
    await world.services.budgets.create(world.operator, { ...over, amountNanoCredit });
    expect(JSON.parse((await ask({ max_tokens: 11 })).text).error).toMatchObject({
      code: "budget_exceeded",
      affordable_tokens: 10,
    });
    expect((await ask()).status).toBe(200);
  });

  it("is told to the provider that it was lost to, by its reason", async () => {
    await keep(100n * NANO, "H100");
    const { headers } = await ask();
    await world.decision(headers["x-request-id"] as string);
    const losses = await world.services.routing.losses(other.viewer, {});
    expect(losses.map(({ reason }) => reason)).toContain("ACCELERATOR_NOT_COVERED");
  });

  it("can spend all of it, at two relays at once, and not one request more", async () => {
    await keep(10n * holdOf(SCRIPTED, 100, ["H100"]), "H100");
    const before = scriptedOther.scripted.requests.length;
    const { waiting, end } = await rush();
    expect(waiting.length).toBe(10);
    expect(scriptedOther.scripted.requests.length).toBe(before);
    await end();
    expect(await records()).toHaveLength(10);
  });
});

describe("a startup with credit for anything and credit that is kept", () => {
  it("uses the first wherever it is served best, and is kept to the H100 when that does not cover it any more", async () => {
    await world.fund(startup, holdOf(MODEL, 10));
    await keep(100n * NANO, "H100");
    const anywhere = await ask();
    expect([...(await refusalsOf(anywhere.headers["x-request-id"])).values()]).toEqual([null, null, null]);
    const kept = await ask();
    expect([anywhere.status, kept.status]).toEqual([200, 200]);
    expect((await refusalsOf(kept.headers["x-request-id"])).get(other.endpointId)).toBe("ACCELERATOR_NOT_COVERED");
    // The two lots together pay for it at the H100: what was left of the one is not left over.
    const { freeNanoCredit } = await left("A100", "H100");
    expect(freeNanoCredit).toBeLessThan(holdOf(MODEL, 10));
    expect((await left("H100")).freeNanoCredit).toBe(holdOf(MODEL, 10) + 100n * NANO - (await spentEverywhere()));
  });

  it("goes on with the first when what is kept is spent", async () => {
    await keep(holdOf(MODEL, 10, ["H100"]), "H100");
    expect((await ask()).status).toBe(200);
    expect((await ask()).status).toBe(402);
    await world.fund(startup, 10n * NANO);
    const { status, headers } = await ask();
    expect(status).toBe(200);
    expect([...(await refusalsOf(headers["x-request-id"])).values()]).toEqual([null, null, null]);
  });

  it("is refused only when neither covers it, however its requests meet at two relays", async () => {
    await world.fund(startup, 3n * holdOf(SCRIPTED, 100));
    await keep(7n * holdOf(SCRIPTED, 100, ["H100"]), "H100");
    const { waiting, end } = await rush();
    expect((await left("H100")).freeNanoCredit).toBeLessThan(holdOf(SCRIPTED, 100, ["H100"]));
    expect(waiting.length).toBeGreaterThanOrEqual(10);
    await end();
    expect(await records()).toHaveLength(waiting.length);
  });

  it("has what another relay borrowed of the first called back where that is what is missing", async () => {
    for (const provider of [scripted, scriptedOther])
      provider.scripted.play(({ socket }) => void socket.write(httpAnswer("200 OK", completion("Hi"))));
    const small = holdOf(SCRIPTED, 10);
    await world.fund(startup, 200n * small);
    await until("a request on a lease", async () => {
      expect((await ask({ model: SCRIPTED }, world.relays[1])).status).toBe(200);
      return (await records()).some(({ leaseId }) => leaseId !== null);
    });
    await keep(small, "H100");
    const kept = await world.services.metering.keptCredit(startup.id, "INFERENCE");
    const { freeNanoCredit, leasedNanoCredit } = creditFor(purposeOf("INFERENCE", ["H100"]), kept);
    const n = 100;
    const fits = (nanoCredit: bigint) =>
      affordableCompletionTokens(quotesOf(SCRIPTED, ["H100"]), promptTokens, nanoCredit, 1_000_000) / n;
    const maxTokens = Math.floor(fits(freeNanoCredit + leasedNanoCredit));
    expect(maxTokens).toBeGreaterThan(fits(freeNanoCredit));
    expect((await ask({ model: SCRIPTED, max_tokens: maxTokens, n })).status).toBe(200);
    const heldNanoCredit = holdOf(SCRIPTED, maxTokens * n, ["H100"]);
    expect(await records()).toContainEqual(expect.objectContaining({ accelerator: "H100", heldNanoCredit }));
  });
});

describe("a startup with a lot for each accelerator", () => {
  it("goes where the router would go first, and to the other when that rests", async () => {
    await keep(100n * NANO, "H100");
    await keep(100n * NANO, "A100");
    const served = async () => {
      const { status, headers } = await ask();
      expect(status).toBe(200);
      return (await world.decision(headers["x-request-id"] as string)).endpoint_id;
    };
    for (let n = 0; n < 3; n++) expect(await served()).not.toBeNull();
    rest("A100");
    for (let n = 0; n < 3; n++) expect([first.endpointId, second.endpointId]).toContain(await served());
    world.forgetFailures();
    rest("H100");
    for (let n = 0; n < 3; n++) expect(await served()).toBe(other.endpointId);
  });

  /** Its endpoints wait out a pause. */
  function rest(accelerator: string): void {
    for (const { services } of world.relays)
      for (const route of services.routing.routesOf(MODEL)!)
        if (route.accelerator === accelerator) route.live.cooldownUntilMs = world.clock.nowMs() + 60_000;
  }
});
