/** What goes through the nginx of deploy/: every kind of traffic as it comes, and a backend that leaves without a failed request. */
import { print } from "graphql";
import {
  CreditBalanceChangesDocument,
  DrawdownCreateDocument,
  SlaTiersDocument,
} from "../../codegen/generated/graphql";
import { resolverClasses } from "../../resolvers";
import { type ApiServer, createApiServer } from "../../src/api/server";
import { readConfig } from "../../src/platform/config";
import { listen } from "../../src/platform/http-server";
import { createLog } from "../../src/platform/log";
import { createMetrics } from "../../src/platform/metrics";
import { subscriptionClasses } from "../../subscriptions";
import { openApi, opened, type TestApi } from "../api/an-api";
import { apiClient } from "../support/api-client";
import { following } from "../support/follow";
import { until } from "../support/leftovers";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { delta, event, streamHead } from "../support/scripted-provider";
import { type Backends, startNginx, type TestNginx } from "./an-nginx";

const SCRIPTED = "acme/scripted";
/** The end of a stream, with its usage. */
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

const portOf = (url: string) => Number(new URL(url).port);

let api: TestApi;
/** Another process's server, as far as nginx can tell: the same database, a port of its own. */
let second: { api: ApiServer; port: number };
let world: RelayWorld;
let startup: WorldStartup;
let nginx: TestNginx;
let all: Backends;

beforeAll(async () => {
  [api, world] = await Promise.all([
    openApi(),
    openRelayWorld({ relays: 2, providers: [{ scripted: true, model: SCRIPTED }] }),
  ]);
  startup = await world.addStartup();
  second = await anotherServer(api);
  all = {
    "api-1": portOf(api.url),
    "api-2": second.port,
    "relay-1": portOf(world.relays[0]!.url),
    "relay-2": portOf(world.relays[1]!.url),
  };
  nginx = await startNginx(all);
}, 60_000);
afterAll(async () => {
  await nginx?.stop();
  await second?.api.stop();
  await api?.close();
  await world?.stop();
});

async function anotherServer({ services }: TestApi): Promise<{ api: ApiServer; port: number }> {
  const server = await createApiServer({
    config: readConfig({ DRAIN_GRACE_MS: "2000" }),
    services,
    log: createLog({ level: "silent" }),
    metrics: createMetrics(),
    resolvers: [...resolverClasses, ...subscriptionClasses],
    documents: {},
  });
  return { api: server, port: await listen(server.server, 0, "127.0.0.1") };
}

const connectionsOf = ({ server }: ApiServer) =>
  new Promise<number>((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

const chat = (stream = true) => ({
  secret: startup.secret,
  body: { model: SCRIPTED, stream, messages: [{ role: "user", content: "Hello" }] },
});

describe("traffic", () => {
  it("GraphQL over HTTP is answered by each of the servers, with its request id", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => apiClient(nginx.url).ask(SlaTiersDocument)));
    for (const { status, data, headers } of answers) {
      expect([status, data?.slaTiers.length]).toEqual([200, 3]);
      expect(headers.get("x-request-id")).toMatch(/./);
    }
    const served = await until("the log has both servers", () => {
      const log = nginx.accessLog();
      return log.includes(`127.0.0.1:${all["api-1"]} 200`) && log.includes(`127.0.0.1:${all["api-2"]} 200`);
    });
    expect(served).toBe(true);
  });

  it("health and readiness are reached from outside, metrics are not", async () => {
    const status = async (path: string) => (await fetch(`${nginx.url}${path}`)).status;
    expect(await Promise.all(["/healthz", "/readyz", "/nginx-health"].map(status))).toEqual([200, 200, 200]);
    expect(await status("/metrics")).toBe(404);
    expect((await fetch(`${api.url}/metrics`)).status).toBe(200);
  });

  it("a body over the limit gets the API's own answer, not nginx's", async () => {
    const body = JSON.stringify({ query: `{ slaTiers { code } } # ${"x".repeat(1_100_000)}` });
    // Once is luck: where the API hung up on what it had not read, most of them were a 502.
    for (let time = 0; time < 20; time += 1) {
      const { status, text } = await send(nginx.url, { path: "/graphql", body }).answer;
      expect([status, JSON.parse(text).errors[0].extensions.code]).toEqual([413, "BODY_TOO_LARGE"]);
    }
  });

  it("a subscription over WebSocket is told a change as it happens", async () => {
    const [credited, partner] = await Promise.all([api.a("STARTUP"), api.a("CAPITAL_PARTNER")]);
    const facilityId = await opened(partner, "100");
    const connection = following(nginx.url, credited.secret);
    const stream = connection.follow(CreditBalanceChangesDocument, {});
    expect((await stream.next()).creditBalance.issued.amount).toBe("0");
    await partner.read(DrawdownCreateDocument, {
      input: { facilityId, startupId: credited.id, amount: "10" },
      idempotencyKey: "through-nginx",
    });
    expect((await stream.next()).creditBalance.issued.amount).toBe("13.5");
    await connection.close();
  });

  it("an event stream is told a change as it happens", async () => {
    const [credited, partner] = await Promise.all([api.a("STARTUP"), api.a("CAPITAL_PARTNER")]);
    const facilityId = await opened(partner, "100");
    const stream = send(nginx.url, {
      path: "/graphql",
      secret: credited.secret,
      headers: { accept: "text/event-stream" },
      body: { query: print(CreditBalanceChangesDocument), variables: {} },
    });
    await stream.sees('"issued":{"amount":"0"');
    await partner.read(DrawdownCreateDocument, {
      input: { facilityId, startupId: credited.id, amount: "10" },
      idempotencyKey: "through-nginx",
    });
    await stream.sees('"issued":{"amount":"13.5"');
    stream.leave();
    await stream.answer;
    await until(
      "the API has seen it leave",
      () => api.api.live().subscriptions + second.api.live().subscriptions === 0,
    );
  });

  it("a streamed answer of the relay passes chunk by chunk", async () => {
    let finish = (): void => undefined;
    world.providers[0]!.scripted.play(({ socket }) => {
      socket.write(streamHead + delta("first"));
      finish = () => socket.end(LAST);
    });
    const exchange = send(nginx.url, chat());
    // The provider says the rest only when the first word has come through nginx.
    await exchange.sees("first");
    expect(exchange.text()).not.toContain("last");
    finish();
    expect((await exchange.answer).text).toContain("last");
  });

  it("a client that leaves is seen to leave, so that nobody generates for it", async () => {
    world.providers[0]!.scripted.play(({ socket }) => void socket.write(streamHead + delta("word")));
    const exchange = send(nginx.url, chat());
    await exchange.sees("word");
    exchange.leave();
    await exchange.answer.catch(() => undefined);
    await world.expectNothingLeft();
  });
});

describe("a server that leaves", () => {
  afterEach(() => nginx.reload(all));

  /**
   * Asks without a pause until told to stop, each time on a connection of its own: an nginx before 1.27.4 closes those that are
   * idle when it reads its configuration again, and a client that is just sending on one cannot know. Every answer's status.
   */
  function steadyTraffic(): { stop(): Promise<number[]> } {
    const statuses: number[] = [];
    let going = true;
    const client = async () => {
      while (going) {
        const { status } = await send(nginx.url, { path: "/graphql", body: { query: "{ slaTiers { code } }" } }).answer;
        statuses.push(status);
      }
    };
    const clients = Promise.all(Array.from({ length: 8 }, client));
    return {
      async stop() {
        going = false;
        await clients;
        return statuses;
      },
    };
  }

  it("is left without a failed request when it is marked down first; its sockets go on at the other one", async () => {
    const credited = await api.a("STARTUP");
    const leaving = await anotherServer(api);
    await nginx.reload({ ...all, "api-1": leaving.port, "api-2": null });
    const connection = following(nginx.url, credited.secret, { retries: 10 });
    const closed = connection.closed();
    const stream = connection.follow(CreditBalanceChangesDocument, {});
    await stream.next();
    await nginx.reload({ ...all, "api-1": leaving.port });
    const traffic = steadyTraffic();
    await until("it has requests, too", async () => (await connectionsOf(leaving.api)) > 1);

    await nginx.reload({ ...all, "api-1": null });
    // What the old workers had sent is answered; then nothing but the WebSocket is left.
    await until("the requests in flight have ended", async () => (await connectionsOf(leaving.api)) === 1);
    await leaving.api.stop();
    expect((await closed).code).toBe(1012);
    // The stock client has connected again, to the server that is left, and begins with the snapshot.
    expect((await stream.next()).creditBalance.issued.amount).toBe("0");
    const statuses = await traffic.stop();
    expect(statuses.length).toBeGreaterThan(20);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    await connection.close();
  });

  it("is passed over when it does not answer the connection, though nobody told nginx", async () => {
    const leaving = await anotherServer(api);
    await nginx.reload({ ...all, "api-1": leaving.port });
    await leaving.api.stop();
    const answers = await Promise.all(Array.from({ length: 10 }, () => apiClient(nginx.url).ask(SlaTiersDocument)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });

  it("finishes the stream that it has, while new requests go to the other relay", async () => {
    const finish: (() => void)[] = [];
    world.providers[0]!.scripted.play(({ socket }) => {
      socket.write(streamHead + delta("first"));
      finish.push(() => socket.end(LAST));
    });
    await nginx.reload({ ...all, "relay-2": null });
    const running = send(nginx.url, chat());
    await running.sees("first");
    await nginx.reload(all);
    const stopped = world.relays[0]!.server.stop(10_000);
    const next = send(nginx.url, chat());
    await next.sees("first");
    for (const end of finish) end();
    for (const exchange of [running, next]) {
      const { status, text, broken } = await exchange.answer;
      expect([status, text.includes("last"), broken]).toEqual([200, true, false]);
    }
    expect(await stopped).toBe(0);
  });
});
