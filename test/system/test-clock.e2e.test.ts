/** A marketplace of two processes whose time is moved 40 days ahead: what is due is done, and nothing else notices. */
import {
  ApiKeyCreateDocument,
  DrawdownCreateDocument,
  FacilityOpenDocument,
  TestClockAdvanceDocument,
  TestClockDocument,
} from "../../codegen/generated/graphql";
import { encodeId } from "../../schema/node";
import type { UtilizationSample } from "../../src/events/topics";
import { NANO } from "../../src/money/nano";
import { type Database, openDatabase } from "../../src/platform/database";
import { type ApiClient, apiClient } from "../support/api-client";
import { until } from "../support/leftovers";
import { send } from "../support/raw-request";
import { delta, event, streamHead } from "../support/scripted-provider";
import type { WorldProvider } from "../support/world-provider";
import { openSystem, type Party, type RunningProcess, type TestSystem } from "./a-system";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MODEL = "acme/scripted";
const REAL = "acme/real";
const LAST =
  delta(" last", { choices: [{ index: 0, delta: { content: " last" }, finish_reason: "stop" }] }) +
  event({
    id: "chatcmpl-scripted",
    object: "chat.completion.chunk",
    created: 0,
    model: "scripted",
    choices: [],
    usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
  }) +
  event("[DONE]");

let system: TestSystem;
let api: RunningProcess;
let relay: RunningProcess;
let db: Database;
let operator: Party;
let startup: Party;
let partner: Party;
let scripted: WorldProvider;
let byOperator: ApiClient;
let facilityId: string;

const rows = <Row>(text: string, values: unknown[] = []): Promise<Row[]> => db.source.query(text, values);
const clients = new Map<string, ApiClient>();
const as = ({ secret }: Party): ApiClient => {
  const client = clients.get(secret) ?? apiClient(api.apiUrl, secret);
  clients.set(secret, client);
  return client;
};
const offsetOf = ({ services }: RunningProcess): number => services.system.testTime(operator.viewer)!.offsetMs;
const marketNow = (): Date => api.services.system.testTime(operator.viewer)!.now;

async function advance(input: { by: string } | { to: string }) {
  const { testClockAdvance } = await byOperator.read(TestClockAdvanceDocument, { input: input as never });
  return testClockAdvance;
}

/** The worker and the relay have heard of it, and what was due has been done. */
async function settled(): Promise<void> {
  await until("the relay has heard of it", () => offsetOf(relay) === offsetOf(api), 5_000);
  await until(
    "the hour is fixed",
    async () => {
      const [row] = await rows<{ hour: Date }>("SELECT max(hour) AS hour FROM fixing");
      return row!.hour.getTime() === Math.floor(marketNow().getTime() / HOUR_MS) * HOUR_MS;
    },
    5_000,
  );
}

beforeAll(async () => {
  system = await openSystem();
  api = await system.start({ ROLES: "api,worker", TEST_CLOCK: "on", SLA_EVALUATION_INTERVAL_MS: "50" });
  relay = await system.start({ ROLES: "relay", TEST_CLOCK: "on" });
  db = await openDatabase({ url: system.databaseUrl, poolMax: 2 });
  operator = await system.operator(api);
  byOperator = as(operator);
  [startup, partner] = [
    await system.party(api, operator, "STARTUP", ["READ", "WRITE", "INFER", "ADMIN"]),
    await system.party(api, operator, "CAPITAL_PARTNER"),
  ];
  await api.services.pricing.recordSpotPrices(operator.viewer, [
    {
      accelerator: "H100",
      region: "eu-north",
      source: "test",
      priceNanoUsd: 2n * NANO,
      confidencePpm: 1_000_000n,
      observedAt: new Date(),
    },
  ]);
  scripted = await system.provider(api, operator, { scripted: true, model: MODEL });
  await system.provider(api, operator, { model: REAL });
  const { facilityOpen } = await as(partner).read(FacilityOpenDocument, {
    input: { name: "Seed", limit: "1000", multiplier: "1.25" },
  });
  facilityId = facilityOpen.facility!.id;
  await relay.services.routing.refresh();
}, 60_000);
afterAll(async () => {
  await db?.close();
  await system?.stop();
});

const drawn = (idempotencyKey: string, amount = "100") =>
  as(partner).read(DrawdownCreateDocument, {
    input: { facilityId, startupId: encodeId("Startup", startup.id), amount },
    idempotencyKey,
  });
const ask = (model: string) =>
  send(relay.relayUrl!, {
    secret: startup.secret,
    body: { model, stream: true, messages: [{ role: "user", content: "Hello" }] },
  });

describe("who may move the time, and how", () => {
  it("only operators see it and move it", async () => {
    expect(await as(startup).codes(TestClockDocument)).toEqual(["FORBIDDEN"]);
    expect(await as(partner).codes(TestClockAdvanceDocument, { input: { by: "PT1H" } as never })).toEqual([
      "FORBIDDEN",
    ]);
    expect(await apiClient(api.apiUrl).codes(TestClockDocument)).toEqual(["UNAUTHENTICATED"]);
  });

  it("forwards only, a year at most, by one of the two words", async () => {
    const past = new Date(Date.now() - 1_000).toISOString();
    const far = new Date(Date.now() + 367 * DAY_MS).toISOString();
    for (const [input, field] of [
      [{ to: past }, "to"],
      [{ to: far }, "to"],
      [{ by: "PT0S" }, "by"],
      [{ by: "P367D" }, "by"],
    ] as const) {
      expect((await advance(input as { by: string })).userErrors).toMatchObject([
        { code: "BAD_USER_INPUT", field: ["input", field] },
      ]);
    }
    const both = await byOperator.ask(TestClockAdvanceDocument, { input: { to: far, by: "PT1H" } as never });
    expect(both.errors).toHaveLength(1);
    expect(offsetOf(api)).toBe(0);
    await expect(rows("UPDATE test_clock SET offset_ms = -1")).rejects.toThrow(/runs forwards only/);
  });
});

describe("a jump of 40 days", () => {
  it("is 40 days in every process, by the answer, the database and the audit trail", async () => {
    await drawn("before-the-jump");
    const before = await byOperator.read(TestClockDocument);
    expect(before.testClock!.offset).toBe("PT0S");
    const { testClock, userErrors } = await advance({ by: "P40D" });
    expect(userErrors).toEqual([]);
    expect(testClock!.offset).toBe("PT3456000S");
    const apart = Date.parse(testClock!.now) - Date.parse(testClock!.realNow);
    expect(Math.abs(apart - 40 * DAY_MS)).toBeLessThan(50);
    expect(Date.parse(testClock!.realNow) - Date.now()).toBeLessThan(1_000);
    await settled();
    expect(offsetOf(relay)).toBe(40 * DAY_MS);
    const [event] = await rows<{ change: unknown; at: Date }>(
      "SELECT change, at FROM audit_event WHERE action = 'test-clock.advance'",
    );
    expect(event!.change).toEqual({ offsetMs: { from: 0, to: 40 * DAY_MS } });
  });

  it("fixes the hour that it comes to, once, with the price that stood; and requests find a quote", async () => {
    const fixings = await rows<{ hour: Date; flags: string[]; price: string }>(
      "SELECT hour, flags, price_nano_usd AS price FROM fixing ORDER BY hour",
    );
    expect(fixings).toHaveLength(2);
    expect(fixings.map(({ price }) => price)).toEqual(["2000000000", "2000000000"]);
    expect(fixings[1]!.flags).toEqual(["STALE"]);
    const exchange = await ask(REAL).answer;
    expect([exchange.status, exchange.text.includes("[DONE]")]).toEqual([200, true]);
    const [usage] = await rows<{ period: string; completed_at: Date; charged: string }>(
      "SELECT period, completed_at, charge_nano_credit AS charged FROM usage_record",
    );
    expect(Math.abs(usage!.completed_at.getTime() - marketNow().getTime())).toBeLessThan(5_000);
    expect(usage!.period).toBe(marketNow().toISOString().slice(0, 7));
    expect(BigInt(usage!.charged)).toBeGreaterThan(0n);
  });

  it("is no outage: nothing is known of the minutes in between, and no breach is opened", async () => {
    await api.services.sla.evaluate();
    expect(await rows("SELECT id FROM sla_breach")).toEqual([]);
    const [minutes] = await rows<{ count: number }>("SELECT count(*)::int AS count FROM sla_minute");
    expect(minutes!.count).toBeLessThan(20);
    const begunMs = performance.now();
    await api.services.sla.evaluate();
    expect(performance.now() - begunMs).toBeLessThan(1_000);
  });

  it("lets a repeated key have its first result", async () => {
    const [drawdown] = await rows<{ id: string }>("SELECT id FROM drawdown");
    const { drawdownCreate } = await drawn("before-the-jump");
    expect(drawdownCreate.drawdown!.id).toBe(encodeId("Drawdown", drawdown!.id));
    expect(await rows("SELECT id FROM drawdown")).toHaveLength(1);
  });
});

describe("a move, seen by what runs", () => {
  it("ends the keys and sessions whose time is over, at once, and no others", async () => {
    const expiresAt = new Date(marketNow().getTime() + 10 * DAY_MS).toISOString();
    const { apiKeyCreate } = await as(startup).read(ApiKeyCreateDocument, {
      input: { name: "for ten days", scopes: ["READ"], expiresAt },
    });
    const short = { ...startup, secret: apiKeyCreate.secret! };
    const viewer = () => as(short).text("{ viewer { organisation { id } } }");
    expect((await viewer()).status).toBe(200);
    const login = await fetch(`${api.apiUrl}/session`, {
      method: "POST",
      headers: { authorization: `Bearer ${startup.secret}` },
    });
    const cookie = login.headers.get("set-cookie")!.split(";")[0]!;
    const session = () => fetch(`${api.apiUrl}/session`, { headers: { cookie } });
    expect((await session()).status).toBe(200);
    await advance({ by: "P11D" });
    expect((await viewer()).status).toBe(401);
    expect((await session()).status).toBe(401);
    expect((await as(startup).text("{ viewer { organisation { id } } }")).status).toBe(200);
  });

  it("cuts no request: what was in flight is charged, and its hold was not swept", async () => {
    let finish = (): void => undefined;
    scripted.scripted.play(({ socket }) => {
      socket.write(streamHead + delta("first"));
      finish = () => socket.end(LAST);
    });
    await drawn("for-the-stream");
    await relay.services.metering.returnLeases();
    const [before] = await rows<{ count: number }>("SELECT count(*)::int AS count FROM usage_record");
    const exchange = ask(MODEL);
    await exchange.sees("first");
    await advance({ by: "P3D" });
    await settled();
    finish();
    const { text, broken } = await exchange.answer;
    expect([text.includes("[DONE]"), broken]).toEqual([true, false]);
    const [after] = await rows<{ count: number }>("SELECT count(*)::int AS count FROM usage_record");
    expect(after!.count - before!.count).toBe(1);
    expect(await rows("SELECT id FROM hold WHERE state = 'EXPIRED'")).toEqual([]);
  });

  it("gives nobody new points: a minute of the rate limit is a real one", async () => {
    const remaining = async () => {
      const { data } = await as(partner).text("{ rateLimit { remaining } }");
      return Number((data as { rateLimit: { remaining: string } }).rateLimit.remaining);
    };
    const before = await remaining();
    await advance({ by: "P60D" });
    expect(await remaining()).toBeLessThan(before);
  });

  it("makes no month of GPU time out of a moment", async () => {
    let finish = (): void => undefined;
    scripted.scripted.play(({ socket }) => {
      socket.write(streamHead + delta("first"));
      finish = () => socket.end(LAST);
    });
    const exchange = ask(MODEL);
    await exchange.sees("first");
    const samples: UtilizationSample[] = [];
    const off = relay.services.bus.on("utilization.sampled", (sample) => void samples.push(sample));
    await advance({ by: "P30D" });
    await settled();
    const movedAtMs = marketNow().getTime();
    const sinceTheMove = () => samples.filter(({ at }) => Date.parse(at) >= movedAtMs);
    await until("samples after the move", () => sinceTheMove().some(({ inFlight }) => inFlight === 1), 5_000);
    off();
    finish();
    await exchange.answer;
    for (const { at } of sinceTheMove()) expect(Date.parse(at) - movedAtMs).toBeLessThan(60_000);
    const minuteOfAll = BigInt(60_000_000_000 * 8);
    for (const { soldGpuNanos, fillPpm } of samples) {
      expect(BigInt(soldGpuNanos)).toBeLessThan(minuteOfAll);
      expect(fillPpm).toBeLessThan(1_000_000);
    }
  });

  it("is one move when two come at once by an instant", async () => {
    const to = new Date(marketNow().getTime() + 5 * DAY_MS).toISOString();
    const answers = await Promise.all([advance({ to }), advance({ to })]);
    expect(answers.filter(({ testClock }) => testClock !== null)).toHaveLength(1);
    expect(answers.flatMap(({ userErrors }) => userErrors.map(({ code }) => code))).toEqual(["BAD_USER_INPUT"]);
    expect(Math.abs(marketNow().getTime() - Date.parse(to))).toBeLessThan(5_000);
  });
});

describe("a process that does not know of test clocks", () => {
  it("has no such time, and refuses to move it", async () => {
    const other = await openSystem();
    const plain = await other.start({ ROLES: "api" });
    const its = apiClient(plain.apiUrl, (await other.operator(plain)).secret);
    expect((await its.read(TestClockDocument)).testClock).toBeNull();
    const { testClockAdvance } = await its.read(TestClockAdvanceDocument, { input: { by: "PT1H" } as never });
    expect(testClockAdvance.userErrors).toMatchObject([{ code: "STATE_CONFLICT" }]);
    expect(testClockAdvance.userErrors[0]!.message).toContain("TEST_CLOCK=on");
    await other.stop();
  });

  it("does not start on books that are ahead of its time", async () => {
    await expect(system.start({ ROLES: "api" })).rejects.toMatchObject({
      code: "TIME_WAS_MOVED",
      message: expect.stringContaining("start with TEST_CLOCK=on"),
    });
  });

  it("starts where it was left when it does know", async () => {
    const late = await system.start({ ROLES: "api", TEST_CLOCK: "on" });
    expect(offsetOf(late)).toBe(offsetOf(api));
    await late.stop();
  });
});
