/** Live data over a real socket with the stock client: snapshots, changes, resuming, and how streams end. */
import { print } from "graphql";
import {
  ApiKeyCreateDocument,
  ApiKeyRevokeDocument,
  CreditBalanceChangesDocument,
  DrawdownCreateDocument,
  SlaBreachChangesDocument,
  type SlaBreachChangesSubscription,
  UtilizationDocument,
} from "../../codegen/generated/graphql";
import { SlaBreach } from "../../entities/sla-breach";
import type { UtilizationSample } from "../../src/events/topics";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { openApi, opened, type Party, registered, type TestApi, uuidOf } from "../api/an-api";
import { type Following, following } from "../support/follow";

let api: TestApi;
let north: Party;
let south: Party;
let startup: Party;
let endpoint: string;
let southEndpoint: string;
const open: Following[] = [];

beforeAll(async () => {
  api = await openApi();
  [north, south, startup] = await Promise.all([
    api.a("PROVIDER", "North"),
    api.a("PROVIDER", "South"),
    api.a("STARTUP", "Firefly", ["READ", "WRITE", "ADMIN"]),
  ]);
  endpoint = await registered(north, "North one");
  southEndpoint = await registered(south, "South one");
});
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
});
afterAll(() => api.close());

function connect(secret: string | undefined, options = {}): Following {
  const connection = following(api.url, secret, options);
  open.push(connection);
  return connection;
}

/** The listeners that the process has on the bus: none may outlive its stream. */
const listeners = (topic: string) =>
  (api.bus as unknown as { emitter: NodeJS.EventEmitter }).emitter.listenerCount(topic);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function openBreach(endpointId: string, provider: Party): Promise<string> {
  const id = newId();
  const minute = "2026-01-15T12:00:00.000Z";
  const counts = {
    requests: 20,
    failed: 20,
    ttftSamples: 0,
    within100Ms: 0,
    within200Ms: 0,
    within500Ms: 0,
    probes: 0,
    probesFailed: 0,
  };
  await transaction(api.db, async (tx) => {
    await tx.insert(SlaBreach, {
      id,
      endpointId: uuidOf(endpointId),
      kind: "UPTIME",
      slaTier: "STANDARD",
      openedAt: new Date(minute),
      closedAt: null,
      evidence: { minute, ...counts },
    });
    await api.services.outbox.append(tx, "sla.breach.opened", provider.uuid, { breachId: id });
  });
  return id;
}

async function closeBreach(id: string, provider: Party): Promise<void> {
  await transaction(api.db, async (tx) => {
    await tx.update(SlaBreach, { id }, { closedAt: new Date() });
    await api.services.outbox.append(tx, "sla.breach.closed", provider.uuid, { breachId: id });
  });
}

type Message = SlaBreachChangesSubscription["slaBreaches"];
const told = ({ slaBreaches: message }: { slaBreaches: Message }) => {
  if (message.__typename === "StreamCheckpoint") return "checkpoint";
  return message.__typename === "StreamGap" ? `gap ${message.reason}` : `${message.change} ${uuidOf(message.node.id)}`;
};

describe("credit", () => {
  it("is told as it is, then after a change, and not again for nothing", async () => {
    const partner = await api.a("CAPITAL_PARTNER");
    const facilityId = await opened(partner, "100");
    const stream = connect(startup.secret).follow(CreditBalanceChangesDocument, {});
    expect((await stream.next()).creditBalance.available.amount).toBe("0");
    for (let n = 0; n < 20; n++) api.bus.publish("balance.changed", { startupId: startup.uuid });
    await partner.read(DrawdownCreateDocument, {
      input: { facilityId, startupId: startup.id, amount: "10" },
      idempotencyKey: "live",
    });
    expect((await stream.next()).creditBalance).toMatchObject({
      issued: { amount: "13.5", currency: "CRD" },
      available: { amount: "13.5" },
    });
    expect(stream.waiting).toEqual([]);
  });

  it("is told at most four times a second, and the last word is the last state", async () => {
    const read = jest.spyOn(api.services.ledger, "balance");
    let spent = 0n;
    read.mockImplementation(async () => ({
      issuedNanoCredit: 1_000n,
      availableNanoCredit: 1_000n - spent,
      heldNanoCredit: 0n,
      blockedNanoCredit: 0n,
      spentNanoCredit: spent,
      expiredNanoCredit: 0n,
      assignedNanoCredit: 0n,
      asOf: new Date(),
    }));
    const stream = connect(startup.secret).follow(CreditBalanceChangesDocument, {});
    await stream.next();
    const startedMs = performance.now();
    while (spent < 100n) {
      spent += 1n;
      api.bus.publish("balance.changed", { startupId: startup.uuid });
      await new Promise((resolve) => setImmediate(resolve));
    }
    const spentTold: string[] = [];
    while (spentTold.at(-1) !== "0.0000001") spentTold.push((await stream.next()).creditBalance.spent.amount);
    read.mockRestore();
    expect(spentTold.length).toBeLessThanOrEqual(Math.ceil((performance.now() - startedMs) / 250) + 1);
  });

  it("is nobody else's to follow", async () => {
    const foreign = connect(startup.secret).follow(CreditBalanceChangesDocument, { startupId: north.id });
    await expect(foreign.next()).rejects.toThrow("BAD_USER_INPUT");
    await expect(connect(north.secret).follow(CreditBalanceChangesDocument, {}).next()).rejects.toThrow("FORBIDDEN");
  });
});

describe("utilization", () => {
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
  const publish = (inFlight: number) => {
    api.bus.publish("utilization.sampled", sample(southEndpoint, south, inFlight));
    api.bus.publish("utilization.sampled", sample(endpoint, north, inFlight));
  };

  it("shows a provider its own endpoints only", async () => {
    const stream = connect(north.secret).follow(UtilizationDocument, {});
    await until(() => listeners("utilization.sampled") === 1);
    publish(3);
    expect((await stream.next()).utilization).toEqual({
      at: "2026-01-15T12:00:00.000Z",
      listedGpus: 8,
      slots: 32,
      inFlight: 3,
      soldGpuSeconds: "1.5",
      activeGpuSeconds: "0.75",
      fill: "0.8",
      utilization: "0.5",
      endpoint: { id: endpoint, name: "North one" },
    });
    expect(stream.waiting).toEqual([]);
  });

  it("shows an operator all, or the endpoint that it names", async () => {
    const operator = connect(api.operator.secret);
    const one = operator.follow(UtilizationDocument, { endpointId: southEndpoint });
    const all = operator.follow(UtilizationDocument, {});
    await until(() => listeners("utilization.sampled") === 2);
    publish(1);
    expect((await one.next()).utilization.endpoint.id).toBe(southEndpoint);
    expect([(await all.next()).utilization.endpoint.name, (await all.next()).utilization.endpoint.name]).toEqual([
      "South one",
      "North one",
    ]);
    expect(one.waiting).toEqual([]);
  });

  it("is refused to startups, and for endpoints of others", async () => {
    await expect(connect(startup.secret).follow(UtilizationDocument, {}).next()).rejects.toThrow("FORBIDDEN");
    await expect(
      connect(north.secret).follow(UtilizationDocument, { endpointId: southEndpoint }).next(),
    ).rejects.toThrow("NOT_FOUND");
    await expect(connect(north.secret).follow(UtilizationDocument, { providerId: south.id }).next()).rejects.toThrow(
      "NOT_FOUND",
    );
  });
});

describe("breaches", () => {
  it("begin with those that are open, then a checkpoint, then each change", async () => {
    const standing = await openBreach(endpoint, north);
    const foreign = await openBreach(southEndpoint, south);
    const stream = connect(north.secret).follow(SlaBreachChangesDocument, {});
    expect([told(await stream.next()), told(await stream.next())]).toEqual([`STANDING ${standing}`, "checkpoint"]);
    // The event of what the snapshot told is published only now, and is not told again.
    await closeBreach(standing, north);
    await closeBreach(foreign, south);
    await api.services.outbox.publish();
    const closed = await stream.next();
    expect(told(closed)).toBe(`CLOSED ${standing}`);
    expect(closed.slaBreaches).toMatchObject({
      node: { open: false, endpoint: { name: "North one" }, evidence: { failed: 20 } },
    });
    expect(stream.waiting).toEqual([]);
  });

  it("go on behind a cursor without loss or repeat", async () => {
    const first = connect(north.secret).follow(SlaBreachChangesDocument, {});
    const checkpoint = await first.next();
    expect(told(checkpoint)).toBe("checkpoint");
    first.stop();
    const ids = [await openBreach(endpoint, north)];
    await closeBreach(ids[0]!, north);
    ids.push(await openBreach(endpoint, north));
    await api.services.outbox.publish();
    const second = connect(north.secret).follow(SlaBreachChangesDocument, { after: checkpoint.slaBreaches.cursor });
    const opening = await second.next();
    expect(told(opening)).toBe(`OPENED ${ids[0]}`);
    const third = connect(north.secret).follow(SlaBreachChangesDocument, { after: opening.slaBreaches.cursor });
    expect([told(await third.next()), told(await third.next())]).toEqual([`CLOSED ${ids[0]}`, `OPENED ${ids[1]}`]);
    await closeBreach(ids[1]!, north);
    await api.services.outbox.publish();
    expect(told(await third.next())).toBe(`CLOSED ${ids[1]}`);
  });

  it("survive lost connections with the stock client, which moves its cursor as it reads", async () => {
    const connection = connect(north.secret, { retries: 20 });
    const stream = connection.follow(
      SlaBreachChangesDocument,
      { after: null as string | null },
      ({ slaBreaches }, variables) => {
        variables.after = slaBreaches.cursor;
      },
    );
    expect(told(await stream.next())).toBe("checkpoint");
    const expected: string[] = [];
    const got: string[] = [];
    for (let round = 0; round < 4; round++) {
      const id = await openBreach(endpoint, north);
      await closeBreach(id, north);
      expected.push(`OPENED ${id}`, `CLOSED ${id}`);
      if (round % 2 === 0) connection.cut();
      await api.services.outbox.publish();
      while (got.length < expected.length) got.push(told(await stream.next()));
    }
    expect(got).toEqual(expected);
  });

  it("refuse a cursor that is not theirs, and whoever has no endpoints", async () => {
    await expect(connect(north.secret).follow(SlaBreachChangesDocument, { after: "nonsense" }).next()).rejects.toThrow(
      "BAD_USER_INPUT",
    );
    await expect(connect(startup.secret).follow(SlaBreachChangesDocument, {}).next()).rejects.toThrow("FORBIDDEN");
  });
});

describe("a socket", () => {
  it("is closed with 4403 without a good key", async () => {
    for (const secret of [undefined, "exg_wrong"]) {
      const connection = connect(secret);
      const closed = connection.closed();
      await expect(connection.follow(CreditBalanceChangesDocument, {}).next()).rejects.toBeDefined();
      expect((await closed).code).toBe(4403);
    }
  });

  it("is closed as soon as its key is revoked, others stay", async () => {
    const made = await startup.read(ApiKeyCreateDocument, { input: { name: "short-lived", scopes: ["READ"] } });
    const { apiKey, secret } = made.apiKeyCreate;
    const connection = connect(secret!);
    const stream = connection.follow(CreditBalanceChangesDocument, {});
    const other = connect(startup.secret).follow(CreditBalanceChangesDocument, {});
    await Promise.all([stream.next(), other.next()]);
    const closed = connection.closed();
    await startup.read(ApiKeyRevokeDocument, { input: { id: apiKey!.id } });
    expect(await closed).toEqual({ code: 4403, reason: "API key revoked" });
    await until(() => listeners("balance.changed") === 1);
  });

  it("is closed within five seconds when another process revoked its key", async () => {
    const made = await startup.read(ApiKeyCreateDocument, { input: { name: "elsewhere", scopes: ["READ"] } });
    const { apiKey, secret } = made.apiKeyCreate;
    const connection = connect(secret!);
    await connection.follow(CreditBalanceChangesDocument, {}).next();
    const closed = connection.closed();
    const startedMs = performance.now();
    // Past this process's door and bus, as the other process would.
    await api.db.source.query("UPDATE api_key SET revoked_at = now() WHERE id = $1", [uuidOf(apiKey!.id)]);
    expect((await closed).code).toBe(4403);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it("carries subscriptions only, within the limits of HTTP", async () => {
    const { client } = connect(startup.secret);
    const refusedWith = (query: string) =>
      new Promise<string>((resolve) => {
        client.subscribe(
          { query },
          {
            next: (message) => resolve(`answered ${JSON.stringify(message)}`),
            error: (error) => resolve(JSON.stringify(error)),
            complete: () => {},
          },
        );
      });
    expect(await refusedWith("{ viewer { scopes } }")).toMatch(/POST.*BAD_USER_INPUT.*requestId/);
    expect(await refusedWith("subscription { balance }")).toContain("GRAPHQL_VALIDATION_FAILED");
    expect(await refusedWith("subscription {")).toContain("GRAPHQL_PARSE_FAILED");
    expect(await refusedWith(`subscription { creditBalance { ${"asOf ".repeat(5_001)} } }`)).toContain(
      "GRAPHQL_PARSE_FAILED",
    );
    expect(
      await refusedWith("subscription a { creditBalance { asOf } } subscription b { creditBalance { asOf } }"),
    ).toContain("OPERATION_RESOLUTION_FAILURE");
  });

  it("is cut when it sends a frame over the limit", async () => {
    const connection = connect(startup.secret);
    const closed = connection.closed();
    connection.client.subscribe(
      { query: `${print(CreditBalanceChangesDocument)} # ${"x".repeat(70_000)}` },
      { next: () => {}, error: () => {}, complete: () => {} },
    );
    expect((await closed).code).toBe(1009);
  });

  it("leaves no listener when a client unsubscribes, leaves or vanishes", async () => {
    await until(() => listeners("balance.changed") === 0);
    const [polite, leaving, vanishing] = [connect(startup.secret), connect(startup.secret), connect(startup.secret)];
    const streams = [polite, leaving, vanishing].map((connection) =>
      connection.follow(CreditBalanceChangesDocument, {}),
    );
    await Promise.all(streams.map((stream) => stream.next()));
    // One for all three: they share a channel.
    expect(listeners("balance.changed")).toBe(1);
    streams[0]!.stop();
    await leaving.close();
    expect(listeners("balance.changed")).toBe(1);
    vanishing.cut();
    await until(() => listeners("balance.changed") === 0);
  });

  it("hides a fault of ours", async () => {
    const read = jest.spyOn(api.services.ledger, "balance").mockRejectedValueOnce(new Error("secret.example is down"));
    const failure = await connect(startup.secret)
      .follow(CreditBalanceChangesDocument, {})
      .next()
      .catch((error: Error) => error.message);
    read.mockRestore();
    expect(failure).toContain("INTERNAL");
    expect(failure).not.toContain("secret.example");
    expect(api.logged.some((line) => line.includes("secret.example"))).toBe(true);
  });
});

it("a draining server tells its clients to connect elsewhere", async () => {
  const other = await openApi();
  const partner = await other.a("STARTUP");
  const connection = following(other.url, partner.secret);
  await connection.follow(CreditBalanceChangesDocument, {}).next();
  const closed = connection.closed();
  await other.close();
  expect(await closed).toEqual({ code: 1012, reason: "Service restart" });
  await connection.close();
});
