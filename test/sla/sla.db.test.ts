/** Counting, judging and telling on PostgreSQL: counts add up, each breach opens and closes once, maintenance is excused. */
import type { Endpoint } from "../../entities/endpoint";
import type { Viewer } from "../../src/accounts/viewer";
import { Capacity } from "../../src/capacity/capacity";
import { Catalog } from "../../src/catalog/catalog";
import { Outbox } from "../../src/events/outbox";
import type { Database } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { Sla } from "../../src/sla/sla";
import { openWorld, refusal, type World } from "../accounts/a-world";
import { anEndpoint } from "../catalog/an-endpoint";

let world: World;
let outbox: Outbox;
let sla: Sla;
let catalog: Catalog;
let provider: Viewer;

beforeAll(async () => {
  world = await openWorld("2026-01-15T12:30:00Z");
  const { db, bus, clock } = world;
  outbox = new Outbox(db, bus, clock);
  sla = new Sla({ db, outbox, clock });
  catalog = new Catalog({ db, bus, clock, egress: { allowLoopback: false, ownHosts: [] } });
  provider = await world.a("PROVIDER");
});
beforeEach(() => world.again("sla_minute", "sla_breach", "outbox_event", "capacity_window"));
afterAll(() => world.close());

async function liveEndpoint(changes: object = {}): Promise<Endpoint> {
  const { id } = await catalog.registerEndpoint(provider, await anEndpoint(changes));
  return catalog.moveEndpoint(world.operator, id, "LIVE");
}

async function observe(endpoint: Endpoint, requests: number, failed: number): Promise<void> {
  for (let request = 0; request < requests; request++) {
    sla.observeAttempt(endpoint.id, request < failed ? { failed: true } : { failed: false, ttftMs: 40 });
  }
  await sla.flush();
}

const breachesOf = async (endpoint: Endpoint) =>
  (await sla.breaches(world.operator, {}, { endpointId: endpoint.id })).rows.map((row) => ({
    kind: row.kind,
    openedAt: row.openedAt.toISOString().slice(11, 19),
    closedAt: row.closedAt?.toISOString().slice(11, 19) ?? null,
  }));

async function told(): Promise<string[]> {
  const rows = await world.db.source.query("SELECT topic, organisation_id, payload FROM outbox_event ORDER BY id");
  return rows.map((row: { topic: string; organisation_id: string; payload: { breachId: string } }) => {
    expect(row.organisation_id).toBe(provider.organisationId);
    return row.topic;
  });
}

test("there are three tiers, each stricter than the one before", async () => {
  const tiers = (await sla.tiers()).map(({ code, uptimeTargetPpm, responseTimeMs }) => [
    code,
    uptimeTargetPpm,
    responseTimeMs,
  ]);
  expect(tiers).toEqual([
    ["STANDARD", 995_000, 500],
    ["PREMIUM", 999_000, 200],
    ["ENTERPRISE", 999_500, 100],
  ]);
});

test("counts add up over flushes and processes, per minute", async () => {
  const endpoint = await liveEndpoint();
  const { db, clock } = world;
  const other = new Sla({ db, outbox, clock });
  for (let round = 0; round < 5; round++) {
    for (const ttftMs of [100, 101, 200, 500, 501]) sla.observeAttempt(endpoint.id, { failed: false, ttftMs });
    other.observeAttempt(endpoint.id, { failed: true });
    other.observeProbe(endpoint.id, round > 0);
    await Promise.all([sla.flush(), other.flush(), sla.flush()]);
  }
  clock.advanceMs(60_000);
  sla.observeProbe(endpoint.id, true);
  await sla.flush();
  const from = new Date("2026-01-15T12:00:00Z");
  const minutes = await sla.minutes(provider, endpoint.id, from, new Date("2026-01-15T13:00:00Z"));
  expect(minutes).toEqual([
    {
      endpointId: endpoint.id,
      minute: new Date("2026-01-15T12:30:00Z"),
      requests: 30,
      failed: 5,
      ttftSamples: 25,
      within100Ms: 5,
      within200Ms: 15,
      within500Ms: 20,
      probes: 5,
      probesFailed: 1,
    },
    expect.objectContaining({ minute: new Date("2026-01-15T12:31:00Z"), requests: 0, probes: 1, probesFailed: 0 }),
  ]);
});

test("what a failed flush could not write is in the next one, with what came meanwhile", async () => {
  const endpoint = await liveEndpoint();
  let broken = true;
  const db: Database = {
    ...world.db,
    query: (statement, values) => (broken ? Promise.reject(new Error("gone")) : world.db.query(statement, values)),
  };
  const shaky = new Sla({ db, outbox, clock: world.clock });
  shaky.observeAttempt(endpoint.id, { failed: true });
  await expect(shaky.flush()).rejects.toThrow("gone");
  shaky.observeAttempt(endpoint.id, { failed: false });
  broken = false;
  await shaky.flush();
  await shaky.flush();
  const [minute] = await sla.minutes(
    provider,
    endpoint.id,
    new Date("2026-01-15T12:30:00Z"),
    new Date("2026-01-15T12:31:00Z"),
  );
  expect([minute?.requests, minute?.failed]).toEqual([2, 1]);
});

test("an endpoint that does not exist does not keep the others' counts from being written", async () => {
  const endpoint = await liveEndpoint();
  sla.observeProbe(newId(), true);
  sla.observeProbe(endpoint.id, true);
  await sla.flush();
  const [counted] = await world.db.source.query("SELECT count(*)::int AS rows FROM sla_minute");
  expect(counted.rows).toBe(1);
});

test("a bad minute opens exactly one breach under parallel evaluation, and tells it once", async () => {
  const endpoint = await liveEndpoint();
  await observe(endpoint, 10, 10);
  const { db, clock } = world;
  const processes = Array.from({ length: 4 }, () => new Sla({ db, outbox, clock }));
  await world.atOnce(
    "sla_breach",
    [...processes, ...processes].map((one) => () => one.evaluate()),
  );
  expect(await breachesOf(endpoint)).toEqual([{ kind: "UPTIME", openedAt: "12:30:00", closedAt: null }]);
  expect(await told()).toEqual(["sla.breach.opened"]);
});

test("a good minute closes it when it is complete, once, however many evaluate", async () => {
  const endpoint = await liveEndpoint();
  await observe(endpoint, 10, 10);
  await sla.evaluate();
  world.clock.advanceMs(60_000);
  await observe(endpoint, 10, 0);
  await sla.evaluate();
  expect((await breachesOf(endpoint))[0]?.closedAt).toBeNull();
  world.clock.advanceMs(60_000);
  await sla.evaluate();
  expect((await breachesOf(endpoint))[0]?.closedAt).toBeNull();
  world.clock.advanceMs(3_000);
  await world.atOnce(
    "sla_breach",
    [1, 2, 3, 4].map(() => () => sla.evaluate()),
  );
  expect(await breachesOf(endpoint)).toEqual([{ kind: "UPTIME", openedAt: "12:30:00", closedAt: "12:32:00" }]);
  expect(await told()).toEqual(["sla.breach.opened", "sla.breach.closed"]);
});

test("a process with a clock behind neither reopens nor closes twice", async () => {
  const endpoint = await liveEndpoint();
  await observe(endpoint, 10, 10);
  world.clock.advanceMs(60_000);
  await observe(endpoint, 10, 0);
  await sla.evaluate(new Date("2026-01-15T12:31:30Z"));
  await sla.evaluate(new Date("2026-01-15T12:32:30Z"));
  await sla.evaluate(new Date("2026-01-15T12:31:30Z"));
  expect(await breachesOf(endpoint)).toHaveLength(1);
  expect(await told()).toEqual(["sla.breach.opened", "sla.breach.closed"]);
});

test("the breach keeps the counts that opened it and the tier that was promised", async () => {
  const endpoint = await liveEndpoint({ slaTier: "ENTERPRISE" });
  for (let request = 0; request < 20; request++)
    sla.observeAttempt(endpoint.id, { failed: false, ttftMs: request < 18 ? 50 : 150 });
  await sla.flush();
  await sla.evaluate();
  const [breach] = (await sla.breaches(provider, {}, { open: true })).rows;
  expect(breach).toMatchObject({
    kind: "RESPONSE_TIME",
    slaTier: "ENTERPRISE",
    evidence: { minute: "2026-01-15T12:30:00.000Z", requests: 20, ttftSamples: 20, within100Ms: 18, within200Ms: 20 },
  });
  expect(await sla.breachesByIds([breach!.id, newId(), "junk"])).toHaveLength(1);
});

test("two failed probes in a minute open a breach without any request", async () => {
  const endpoint = await liveEndpoint();
  sla.observeProbe(endpoint.id, false);
  sla.observeProbe(endpoint.id, false);
  await sla.flush();
  await sla.evaluate();
  expect(await breachesOf(endpoint)).toHaveLength(1);
});

test("minutes that maintenance touches are skipped, those beside it are judged", async () => {
  const capacity = new Capacity({ ...world, outbox });
  const endpoint = await liveEndpoint();
  const elsewhere = await liveEndpoint({ zone: "eu-north-b" });
  const { accelerator, region, zone } = endpoint;
  const window = { accelerator, region, zone, kind: "MAINTENANCE" as const, gpuCount: 8 };
  await capacity.openWindow(provider, {
    ...window,
    startsAt: new Date("2026-01-15T12:30:59.999Z"),
    endsAt: new Date("2026-01-15T12:31:00.001Z"),
  });
  for (const minute of ["12:30", "12:31"]) {
    world.clock.moveTo(`2026-01-15T${minute}:30Z`);
    await observe(endpoint, 10, 10);
    await observe(elsewhere, 10, 10);
    await sla.evaluate();
    expect(await breachesOf(endpoint)).toEqual([]);
  }
  expect(await breachesOf(elsewhere)).toHaveLength(1);
  world.clock.moveTo("2026-01-15T12:32:30Z");
  await observe(endpoint, 10, 10);
  await sla.evaluate();
  expect(await breachesOf(endpoint)).toEqual([{ kind: "UPTIME", openedAt: "12:32:00", closedAt: null }]);
});

test("maintenance that was cancelled before the minute excuses nothing", async () => {
  const capacity = new Capacity({ ...world, outbox });
  const endpoint = await liveEndpoint();
  const { accelerator, region, zone } = endpoint;
  const span = { startsAt: new Date("2026-01-15T12:29:00Z"), endsAt: new Date("2026-01-15T13:00:00Z") };
  const { id } = await capacity.openWindow(provider, {
    accelerator,
    region,
    zone,
    kind: "MAINTENANCE",
    gpuCount: 8,
    ...span,
  });
  await capacity.cancelWindow(provider, id);
  await observe(endpoint, 10, 10);
  await sla.evaluate();
  expect(await breachesOf(endpoint)).toHaveLength(1);
});

test("what is not live is not judged", async () => {
  const endpoint = await liveEndpoint();
  await catalog.moveEndpoint(world.operator, endpoint.id, "SUSPENDED");
  await observe(endpoint, 10, 10);
  await sla.evaluate();
  expect(await breachesOf(endpoint)).toEqual([]);
});

test("a suspended endpoint's breach ends with its promise, and is told once", async () => {
  const endpoint = await liveEndpoint();
  await observe(endpoint, 20, 20);
  await sla.evaluate();
  await catalog.moveEndpoint(world.operator, endpoint.id, "SUSPENDED");
  await Promise.all([sla.evaluate(), sla.evaluate()]);
  expect(await breachesOf(endpoint)).toMatchObject([{ kind: "UPTIME", closedAt: expect.any(String) }]);
  expect(await told()).toEqual(["sla.breach.opened", "sla.breach.closed"]);
});

test("a provider sees its own breaches and minutes, an operator all, a startup none", async () => {
  const endpoint = await liveEndpoint();
  await observe(endpoint, 10, 10);
  await sla.evaluate();
  const [stranger, startup] = [await world.a("PROVIDER"), await world.a("STARTUP")];
  const [from, to] = [new Date("2026-01-15T12:30:00Z"), new Date("2026-01-15T12:31:00Z")];
  expect((await sla.breaches(provider, {})).rows).toHaveLength(1);
  expect((await sla.breaches(provider, {}, { open: false })).rows).toHaveLength(0);
  expect((await sla.breaches(stranger, {}, { endpointId: endpoint.id })).rows).toHaveLength(0);
  expect((await sla.breaches(world.operator, {}, { providerId: provider.organisationId })).rows).toHaveLength(1);
  expect(await refusal(sla.breaches(stranger, {}, { providerId: provider.organisationId }))).toBe("NOT_FOUND");
  expect(await refusal(sla.breaches(startup, {}))).toBe("FORBIDDEN");
  expect(await refusal(sla.minutes(stranger, endpoint.id, from, to))).toBe("NOT_FOUND");
  expect(await refusal(sla.minutes(provider, endpoint.id, to, from))).toBe("BAD_USER_INPUT to");
  expect(await sla.minutes(provider, endpoint.id, from, to)).toHaveLength(1);
  expect(await sla.minutes(provider, endpoint.id, to, new Date(to.getTime() + 60_000))).toHaveLength(0);
});
