/** Many readers of one stream over real sockets: one execution for all, resuming at any cut, slow readers, credentials that end. */
import { print } from "graphql";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import {
  ApiKeyCreateDocument,
  CapacityChangesDocument,
  type CapacityChangesSubscription,
  QuotesDocument,
  SpotPricesRecordDocument,
  UtilizationDocument,
} from "../../codegen/generated/graphql";
import type { UtilizationSample } from "../../src/events/topics";
import { newId } from "../../src/platform/ids";
import { viewerOf } from "../accounts/a-world";
import { openApi, type Party, registered, type TestApi, uuidOf } from "../api/an-api";
import { type Following, following } from "../support/follow";
import { until } from "../support/leftovers";

let api: TestApi;
let north: Party;
let south: Party;
let endpoint: string;
let southEndpoint: string;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  api = await openApi({ GRAPHQL_POINTS_PER_MINUTE: "1000000" });
  [north, south] = await Promise.all([api.a("PROVIDER", "North"), api.a("PROVIDER", "South")]);
  endpoint = await registered(north, "North one");
  southEndpoint = await registered(south, "South one");
});
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
  await until("no reader is left", () => api.api.live().subscriptions === 0);
});
afterAll(() => api.close());

function connect(secret: string, options = {}): Following {
  const connection = following(api.url, secret, options);
  open.push(connection);
  return connection;
}

const readers = (count: number) => until(`${count} readers`, () => api.api.live().subscriptions === count);
const listeners = (topic: string) =>
  (api.bus as unknown as { emitter: NodeJS.EventEmitter }).emitter.listenerCount(topic);

async function figure(name: string): Promise<number> {
  const text = await (await fetch(`${api.url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1] ?? 0);
}

const sample = (endpointId: string, provider: Party, inFlight: number): UtilizationSample => ({
  endpointId: uuidOf(endpointId),
  providerId: provider.uuid,
  at: "2026-01-15T12:00:00.000Z",
  listedGpus: 8,
  slots: 32,
  inFlight,
  soldGpuNanos: "1500000000",
  activeGpuNanos: "750000000",
  fillPpm: 800_000,
  utilizationPpm: 500_000,
});

describe("a shared stream", () => {
  it("is executed once for all sockets of one view, and its edges are read once", async () => {
    const streams = Array.from({ length: 60 }, () => connect(north.secret).follow(UtilizationDocument, {}));
    await readers(60);
    const read = jest.spyOn(api.services.catalog, "endpointsByIds");
    const before = await figure("exergy_api_stream_executions_total");
    api.bus.publish("utilization.sampled", sample(endpoint, north, 1));
    for (const stream of streams) expect((await stream.next()).utilization.endpoint.name).toBe("North one");
    expect(read).toHaveBeenCalledTimes(1);
    read.mockRestore();
    expect(await figure("exergy_api_stream_executions_total")).toBe(before + 1);
    expect(await figure("exergy_api_stream_channels")).toBe(1);
  });

  it("reads afresh for each event", async () => {
    const stream = connect(north.secret).follow(UtilizationDocument, {});
    await readers(1);
    api.bus.publish("utilization.sampled", sample(endpoint, north, 1));
    expect((await stream.next()).utilization.endpoint.name).toBe("North one");
    await api.db.source.query("UPDATE endpoint SET name = 'North renamed' WHERE id = $1", [uuidOf(endpoint)]);
    api.bus.publish("utilization.sampled", sample(endpoint, north, 2));
    expect((await stream.next()).utilization.endpoint.name).toBe("North renamed");
    await api.db.source.query("UPDATE endpoint SET name = 'North one' WHERE id = $1", [uuidOf(endpoint)]);
  });

  it("is never shared by organisations", async () => {
    const ours = connect(north.secret).follow(UtilizationDocument, {});
    const theirs = connect(south.secret).follow(UtilizationDocument, {});
    await readers(2);
    expect(listeners("utilization.sampled")).toBe(2);
    for (let n = 1; n <= 5; n++) {
      api.bus.publish("utilization.sampled", sample(endpoint, north, n));
      api.bus.publish("utilization.sampled", sample(southEndpoint, south, n));
      expect((await ours.next()).utilization.endpoint.name).toBe("North one");
      expect((await theirs.next()).utilization.endpoint.name).toBe("South one");
    }
    expect([ours.waiting, theirs.waiting]).toEqual([[], []]);
  });

  it("of quotes tells what stands, then each new fixing, and can be narrowed", async () => {
    const observed = (region: string, price: string) => ({
      input: {
        observations: [
          {
            accelerator: "H100",
            region,
            source: "a test",
            price,
            confidence: "1",
            observedAt: new Date().toISOString(),
          },
        ],
      },
    });
    await api.operator.read(SpotPricesRecordDocument, observed("eu-north", "2.5"));
    const startup = await api.a("STARTUP");
    const all = connect(startup.secret).follow(QuotesDocument, {});
    const south = connect(startup.secret).follow(QuotesDocument, { region: "eu-south" });
    expect((await all.next()).quotes).toMatchObject({ region: "eu-north", price: { amount: "2.5" } });
    await api.operator.read(SpotPricesRecordDocument, observed("eu-south", "3"));
    expect((await all.next()).quotes).toMatchObject({ region: "eu-south", accelerator: { code: "H100" } });
    expect((await south.next()).quotes.price.amount).toBe("3");
    expect([all.waiting, south.waiting]).toEqual([[], []]);
  });

  it("may be told at intervals", async () => {
    const stream = connect(north.secret).follow(UtilizationDocument, { minInterval: "PT0.3S" });
    await readers(1);
    const startedMs = performance.now();
    for (let n = 1; n <= 50; n++) {
      api.bus.publish("utilization.sampled", sample(endpoint, north, n));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const told = [(await stream.next()).utilization.inFlight];
    while (told.at(-1) !== 50) told.push((await stream.next()).utilization.inFlight);
    expect(told.length).toBeLessThanOrEqual(Math.ceil((performance.now() - startedMs) / 300) + 1);
    const late = connect(north.secret).follow(UtilizationDocument, { minInterval: "P1D" });
    await expect(late.next()).rejects.toThrow("minInterval");
  });
});

type Change = CapacityChangesSubscription["capacityChanges"];

describe("durable changes", () => {
  const aWindow = async (provider: Party) => {
    const { id } = await api.services.capacity.openWindow(viewerOf("PROVIDER", provider.uuid), {
      accelerator: "H100",
      region: "eu-north",
      zone: "eu-north-a",
      kind: "BURST",
      gpuCount: 8,
      startsAt: new Date(Date.now() + 3_600_000),
    });
    return id;
  };
  const cancel = (provider: Party, id: string) =>
    api.services.capacity.cancelWindow(viewerOf("PROVIDER", provider.uuid), id);
  const told = (message: Change) => {
    if (message.__typename === "StreamCheckpoint") return "checkpoint";
    if (message.__typename === "StreamGap") return `gap ${message.reason}`;
    return `${message.change} ${uuidOf(message.node.id)}`;
  };

  it("of capacity begin with what stands, and do not tell of it again", async () => {
    const provider = await api.a("PROVIDER");
    const id = await aWindow(provider);
    await aWindow(south);
    const stream = connect(provider.secret).follow(CapacityChangesDocument, {});
    const next = async () => told((await stream.next()).capacityChanges);
    expect([await next(), await next()]).toEqual([`STANDING ${id}`, "checkpoint"]);
    const other = await aWindow(provider);
    await cancel(provider, id);
    await api.services.outbox.publish();
    expect([await next(), await next()]).toEqual([`ANNOUNCED ${other}`, `CANCELLED ${id}`]);
    expect(stream.waiting).toEqual([]);
  });

  it.each([1, 2, 3])("survive cuts at any moment, nothing lost and nothing twice (seed %i)", async (seed) => {
    const provider = await api.a("PROVIDER");
    let state = seed;
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % below;
    };
    const followers = Array.from({ length: 4 }, () => {
      const connection = connect(provider.secret, { retries: 100 });
      const stream = connection.follow(
        CapacityChangesDocument,
        { after: null as string | null },
        ({ capacityChanges }, variables) => {
          variables.after = capacityChanges.cursor;
        },
      );
      return { connection, stream, got: [] as string[] };
    });
    for (const { stream } of followers) expect(told((await stream.next()).capacityChanges)).toBe("checkpoint");
    const expected: string[] = [];
    for (let step = 0; step < 40; step++) {
      expected.push(`ANNOUNCED ${await aWindow(provider)}`);
      if (random(2) === 0) await api.services.outbox.publish();
      if (random(3) === 0) followers[random(followers.length)]!.connection.cut();
    }
    await api.services.outbox.publish();
    for (const { stream, got } of followers) {
      while (got.length < expected.length) {
        const message = told((await stream.next()).capacityChanges);
        if (message !== "checkpoint") got.push(message);
      }
      expect(got).toEqual(expected);
      expect(stream.waiting).toEqual([]);
    }
  });

  it("tell of a gap when the cursor's history is gone or trimmed", async () => {
    const provider = await api.a("PROVIDER");
    const connection = connect(provider.secret);
    const first = connection.follow(CapacityChangesDocument, {});
    const { cursor } = (await first.next()).capacityChanges;
    await aWindow(provider);
    await api.services.outbox.publish();
    const [, epoch, position] = Buffer.from(cursor, "base64url").toString().split(":");
    const after = (text: string) => Buffer.from(text).toString("base64url");
    const start = async (cursorText: string) => {
      const stream = connection.follow(CapacityChangesDocument, { after: after(cursorText) });
      const messages = [(await stream.next()).capacityChanges, (await stream.next()).capacityChanges];
      stream.stop();
      return messages.map((message) =>
        told(message)
          .split(" ", 2)
          .slice(0, 2)
          .join(" ")
          .replace(/ [0-9a-f-]{36}$/, ""),
      );
    };
    expect(await start(`outbox:${newId()}:${position}`)).toEqual(["gap EPOCH_CHANGED", "STANDING"]);
    expect(await start(`outbox:${epoch}:999999999`)).toEqual(["gap EPOCH_CHANGED", "STANDING"]);
    await api.services.outbox.trim(new Date(Date.now() + 1_000));
    expect(await start(`outbox:${epoch}:${position}`)).toEqual(["gap TRIMMED", "STANDING"]);
    expect(await figure("exergy_api_stream_gaps_total")).toBeGreaterThan(0);
  });
});

/** A client that can stop to read, as a phone in a tunnel does. */
async function rawClient(secret: string, query: string, variables: object = {}) {
  const socket = new WebSocket(`${api.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  const got: { type: string; payload?: { data: Record<string, Record<string, unknown>> } }[] = [];
  const closed = new Promise<number>((resolve) => socket.once("close", (code) => resolve(code)));
  socket.on("message", (text) => got.push(JSON.parse(String(text))));
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(JSON.stringify({ type: "connection_init", payload: { authorization: `Bearer ${secret}` } }));
  await until("acknowledged", () => got.length === 1);
  socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query, variables } }));
  open.push({ close: () => socket.terminate() });
  return { socket, got, closed };
}

/** Under long names: messages of some twenty kilobytes, so that the kernel's buffers are full soon. */
const bulky = (...fields: string[]) =>
  fields
    .flatMap((field) => Array.from({ length: 15 }, (_, n) => `${"x".repeat(200)}${n}_${field}: ${field}`))
    .join(" ");

describe("a reader that stalls", () => {
  it("holds up to its bound, gets the newest of a latest-value stream afterwards, and delays nobody", async () => {
    const fields = bulky("at", "listedGpus", "slots", "soldGpuSeconds", "fill", "utilization");
    const query = `subscription { utilization { inFlight ${fields} } }`;
    const [stalled, quick] = [await rawClient(north.secret, query), await rawClient(north.secret, query)];
    await readers(2);
    stalled.socket.pause();
    const count = 1_500;
    for (let n = 1; n <= count; n++) {
      api.bus.publish("utilization.sampled", sample(endpoint, north, n));
      await until(`sample ${n}`, () => quick.got.length === n + 1, 10_000);
    }
    expect(await figure("exergy_api_stream_conflated_total")).toBeGreaterThan(0);
    stalled.socket.resume();
    const newest = () => stalled.got.at(-1)?.payload?.data.utilization?.inFlight;
    await until("the newest", () => newest() === count);
    expect(stalled.got.length).toBeLessThan(count);
    const order = stalled.got.slice(1).map(({ payload }) => payload!.data.utilization!.inFlight as number);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it("of a durable stream is told where to go on, and closed with 1013", async () => {
    const provider = await api.a("PROVIDER");
    const { id } = await api.services.capacity.openWindow(viewerOf("PROVIDER", provider.uuid), {
      accelerator: "H100",
      region: "eu-north",
      zone: "eu-north-a",
      kind: "BURST",
      gpuCount: 8,
      startsAt: new Date(),
    });
    await api.services.outbox.publish();
    const fields = bulky("id", "region", "zone", "kind", "gpuCount", "createdAt");
    const query = `subscription ($after: String) { capacityChanges(after: $after) {
      ... on CapacityWindowEvent { cursor node { ${fields} } } ... on StreamGap { cursor reason } ... on StreamCheckpoint { cursor } } }`;
    const stalled = await rawClient(provider.secret, query);
    await until("the snapshot", () => stalled.got.length === 3);
    stalled.socket.pause();
    const count = 1_200;
    await api.db.source.query(
      `INSERT INTO outbox_event (id, topic, organisation_id, payload, created_at)
       SELECT gen_random_uuid(), 'capacity.window.cancelled', $1, jsonb_build_object('windowId', $2::text), now()
         FROM generate_series(1, $3)`,
      [provider.uuid, id, count],
    );
    while ((await api.services.outbox.publish()) > 0) await new Promise((resolve) => setImmediate(resolve));
    const slow = 'exergy_api_stream_gaps_total\\{reason="SLOW_CONSUMER"\\}';
    await until("it is let go", async () => (await figure(slow)) === 1, 10_000);
    stalled.socket.resume();
    expect(await stalled.closed).toBe(1013);
    const messages = stalled.got.slice(3).map(({ payload }) => payload!.data.capacityChanges!);
    const gap = messages.pop()!;
    expect(gap.reason).toBe("SLOW_CONSUMER");
    expect(messages.length).toBeLessThan(count);
    const again = await rawClient(provider.secret, query, { after: gap.cursor });
    await until("the rest", () => again.got.length === 1 + count - messages.length, 10_000);
    const cursors = [...messages, ...again.got.slice(1).map(({ payload }) => payload!.data.capacityChanges!)];
    const positions = cursors.map(({ cursor }) =>
      Number(Buffer.from(String(cursor), "base64url").toString().split(":")[2]),
    );
    expect(positions).toEqual(Array.from({ length: count }, (_, n) => positions[0]! + n));
  });
});

describe("a credential", () => {
  it("that expires closes its socket with 4403 at that time", async () => {
    const expiresAt = new Date(Date.now() + 1_500);
    const made = await api.operator.read(ApiKeyCreateDocument, {
      input: { organisationId: north.id, name: "brief", scopes: ["READ"], expiresAt: expiresAt.toISOString() },
    });
    const connection = connect(made.apiKeyCreate.secret!);
    connection.follow(UtilizationDocument, {});
    await readers(1);
    const { code, reason } = await connection.closed();
    expect([code, reason]).toEqual([4403, "Credential expired"]);
    expect(Math.abs(Date.now() - expiresAt.getTime())).toBeLessThan(500);
  });

  it("has up to 200 connections", async () => {
    const provider = await api.a("PROVIDER");
    const sockets = Array.from({ length: 200 }, () => connect(provider.secret));
    for (const socket of sockets) socket.follow(UtilizationDocument, {});
    await readers(200);
    const closings: number[] = [];
    const one = createClient({
      url: `${api.url.replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${provider.secret}` },
      retryAttempts: 0,
      on: { closed: (event) => void closings.push((event as { code: number }).code) },
    });
    one.subscribe({ query: print(UtilizationDocument) }, { next: () => {}, error: () => {}, complete: () => {} });
    await until("refused", () => closings.length > 0);
    expect(closings).toEqual([1013]);
  });
});

it("a draining server sends its clients away in turns", async () => {
  const other = await openApi({ DRAIN_GRACE_MS: "2000" });
  const provider = await other.a("PROVIDER");
  const connections = Array.from({ length: 150 }, () => following(other.url, provider.secret));
  const closings: { code: number; atMs: number }[] = [];
  for (const connection of connections) {
    connection.follow(UtilizationDocument, {});
    void connection.closed().then(({ code }) => closings.push({ code, atMs: performance.now() }));
  }
  await until("150 readers", () => other.api.live().subscriptions === 150);
  await other.close();
  await until("all closed", () => closings.length === 150);
  expect(new Set(closings.map(({ code }) => code))).toEqual(new Set([1012]));
  const times = closings.map(({ atMs }) => atMs);
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(200);
  for (const connection of connections) await connection.close();
});
