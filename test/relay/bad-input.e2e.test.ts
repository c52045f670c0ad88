/** What is wrong with a request or its surroundings gets a clear answer, costs nothing and leaves the relay as it was. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import OpenAI from "openai";
import { HOLD_GRACE_MS } from "../../src/relay/inference";
import { until, watchResources } from "../support/leftovers";
import { eventsOf, type RawRequest, send, sendBytes, sendEndlessly, sendRegardless } from "../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";

const messages = [{ role: "user" as const, content: "Hello" }];
const BODY_LIMIT = 65_536;
const IN_FLIGHT_MAX = 4;

let resourcesAreBack: () => Promise<void>;
beforeAll(() => {
  resourcesAreBack = watchResources();
});
afterAll(() => resourcesAreBack());

const chat = (world: RelayWorld, startup: { secret: string }, more: object = {}) =>
  world.client(startup).chat.completions.create({ model: MODEL, messages, ...more }) as Promise<OpenAI.ChatCompletion>;

describe("a relay that is well", () => {
  let world: RelayWorld;
  let startup: WorldStartup;

  beforeAll(async () => {
    world = await openRelayWorld({
      relays: 2,
      environment: { RELAY_BODY_LIMIT_BYTES: String(BODY_LIMIT), RELAY_IN_FLIGHT_MAX: String(IN_FLIGHT_MAX) },
    });
    startup = await world.addStartup();
  });
  afterEach(async () => {
    world.providers[0]!.reference.setBehaviour({ mode: "normal" });
    await world.expectNothingLeft();
    expect(world.logged).toEqual([]);
  });
  afterAll(async () => {
    expect(await world.rows("SELECT id FROM usage_record WHERE outcome <> 'COMPLETED'")).toEqual([]);
    await world.stop();
  });

  const raw = (request: RawRequest) => send(world.relay.url, request).answer;
  const keyOf = async (kind: "PROVIDER" | "STARTUP", scopes: ("READ" | "WRITE" | "INFER")[]) =>
    world.organisation(kind, "Other", scopes);

  describe("asked with a key that does not do", () => {
    it("answers 401 to a wrong one, as the official client expects it", async () => {
      const refused = chat(world, { secret: "exg_wrong" });
      await expect(refused).rejects.toThrow(OpenAI.AuthenticationError);
      await expect(refused).rejects.toMatchObject({
        status: 401,
        code: "unauthenticated",
        type: "authentication_error",
        requestID: expect.any(String),
      });
      const wellFormed = `${startup.secret.slice(0, 6)}${startup.secret[6] === "a" ? "b" : "a"}${startup.secret.slice(7)}`;
      await expect(chat(world, { secret: wellFormed })).rejects.toThrow(OpenAI.AuthenticationError);
      await expect(world.client({ secret: "exg_wrong" }).models.list()).rejects.toThrow(OpenAI.AuthenticationError);
    });

    it.each([
      ["none", {}],
      ["an empty one", { authorization: "Bearer " }],
      ["another scheme", { authorization: "Basic dTpw" }],
    ])("answers 401 to %s", async (_, headers) => {
      const { status, text } = await raw({ headers, body: { model: MODEL, messages } });
      expect([status, JSON.parse(text).error.code]).toEqual([401, "unauthenticated"]);
    });

    it("takes the scheme in any case, as HTTP says", async () => {
      const headers = { authorization: `bearer ${startup.secret}` };
      expect((await raw({ headers, body: { model: MODEL, messages } })).status).toBe(200);
    });

    it("answers 403 to a provider's key, and to a startup's that may not infer", async () => {
      for (const key of [
        await keyOf("PROVIDER", ["READ", "WRITE", "INFER"]),
        await keyOf("STARTUP", ["READ", "WRITE"]),
      ]) {
        const refused = chat(world, key);
        await expect(refused).rejects.toThrow(OpenAI.PermissionDeniedError);
        await expect(refused).rejects.toMatchObject({ code: "forbidden" });
      }
    });

    it("answers 401 to a revoked one at once where it was revoked, and within five seconds elsewhere", async () => {
      const key = await world.addStartup();
      const [here, there] = [world.client(key), world.client(key, {}, world.relays[1])];
      await here.models.list();
      await there.models.list();
      await world.relay.services.accounts.revokeApiKey(world.operator, key.keyId);
      await expect(here.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
      world.clock.shiftMs = 5_000;
      await expect(there.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
      world.clock.shiftMs = 0;
    });
  });

  describe("asked for what is not there", () => {
    it("answers 404 to an unknown model, wherever it is named", async () => {
      for (const ask of [
        () => chat(world, startup, { model: "acme/none" }),
        () => world.client(startup).models.retrieve("acme/none"),
      ]) {
        const refused = ask();
        await expect(refused).rejects.toThrow(OpenAI.NotFoundError);
        await expect(refused).rejects.toMatchObject({ code: "model_not_found", param: "model" });
      }
    });

    it.each([
      ["POST", "/v1/none", 404, "not_found"],
      ["GET", "/", 404, "not_found"],
      ["GET", "/v1/__proto__", 404, "not_found"],
      ["GET", "/v1/models/%E0%A4%A", 400, "bad_user_input"],
      ["GET", "/v1/chat/completions", 405, "method_not_allowed"],
      ["DELETE", "/v1/models", 405, "method_not_allowed"],
    ])("answers %s %s with %d", async (method, path, status, code) => {
      const answer = await raw({ method, path, secret: startup.secret });
      expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([status, code]);
      expect(answer.headers.allow).toBe(status === 405 ? (path === "/v1/models" ? "GET" : "POST") : undefined);
    });
  });

  describe("sent a body that does not do", () => {
    it.each<[string, object | string, string | null]>([
      ["JSON that does not parse", '{"model":', null],
      ["JSON that is no object", "[]", null],
      ["no JSON", "\u0000\u0001", null],
      ["nothing", "", null],
      ["no messages", { model: MODEL }, "messages"],
      ["empty messages", { model: MODEL, messages: [] }, "messages"],
      ["no model", { messages }, "model"],
      ["a model that is no text", { model: 1, messages }, "model"],
      ["n = 0", { model: MODEL, messages, n: 0 }, "n"],
      ["n = 1000", { model: MODEL, messages, n: 1000 }, "n"],
      ["max_tokens = 0", { model: MODEL, messages, max_tokens: 0 }, "max_tokens"],
      ["max_tokens beyond the model", { model: MODEL, messages, max_tokens: 1e6 }, "max_tokens"],
      [
        "a prompt beyond the context",
        { model: MODEL, messages: [{ role: "user", content: "x".repeat(40_000) }] },
        "messages",
      ],
      ["stream = 1", { model: MODEL, messages, stream: 1 }, "stream"],
    ])("answers 400 to %s", async (_, body, param) => {
      const { status, text, headers } = await raw({ secret: startup.secret, body });
      const { error } = JSON.parse(text);
      expect({ status, type: error.type, param: error.param }).toEqual({
        status: 400,
        type: "invalid_request_error",
        param,
      });
      expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers["x-should-retry"]).toBe("false");
    });

    it("throws BadRequestError in the official client", async () => {
      await expect(chat(world, startup, { n: 0 })).rejects.toThrow(OpenAI.BadRequestError);
      await expect(chat(world, startup, { messages: undefined })).rejects.toMatchObject({ param: "messages" });
    });

    it("answers 413 to one over the limit, whose length it says or does not say, and the official client reads the answer", async () => {
      const large = JSON.stringify({ model: MODEL, messages: [{ role: "user", content: "x".repeat(8 * 1_048_576) }] });
      const refused = chat(world, startup, JSON.parse(large));
      await expect(refused).rejects.toMatchObject({ status: 413, code: "body_too_large" });
      for (let i = 0; i < 5; i++) {
        const { status, headers } = await raw({ secret: startup.secret, body: large });
        expect([status, headers.connection]).toEqual([413, "close"]);
      }
      const chunked = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${startup.secret}\r\ntransfer-encoding: chunked\r\n\r\n`;
      const chunk = `${(100_000).toString(16)}\r\n${"x".repeat(100_000)}\r\n`;
      expect(await sendBytes(world.relay.url, `${chunked}${chunk}0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
      expect((await chat(world, startup)).choices).toHaveLength(1);
    });

    it("lets its sender read the answer though it sends on, whatever was refused, and reads no endless one", async () => {
      const body = Buffer.alloc(4 * 1_048_576, "x");
      const post = (secret: string, length = `content-length: ${body.length}`) =>
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ${secret}\r\n${length}\r\n\r\n`;
      expect(await sendRegardless(world.relay.url, post(startup.secret), body)).toMatch(
        /^HTTP\/1\.1 413 .*"code":"body_too_large"\}\}$/s,
      );
      expect(await sendRegardless(world.relay.url, post("exg_wrong"), body)).toMatch(
        /^HTTP\/1\.1 401 .*"code":"unauthenticated"\}\}$/s,
      );
      const endless = await sendEndlessly(world.relay.url, post(startup.secret, "transfer-encoding: chunked"));
      expect(endless.text).toMatch(/^HTTP\/1\.1 413 .*"code":"body_too_large"\}\}$/s);
      // What is read after an answer, and what the two sockets hold.
      expect(endless.sentBytes).toBeLessThan(32 * 1_048_576);
    });

    it("answers bytes that are no HTTP with a closed connection, and goes on", async () => {
      expect(await sendBytes(world.relay.url, "\u0016\u0003\u0001 hello\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
      expect(await sendBytes(world.relay.url, `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 431 /,
      );
      expect((await chat(world, startup)).choices).toHaveLength(1);
    });
  });

  describe("left by its client", () => {
    it("forgets a request whose body never came to its end", async () => {
      const socket = connect(Number(new URL(world.relay.url).port), "127.0.0.1");
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${startup.secret}\r\ncontent-length: 100\r\n\r\n{`,
      );
      await until("the request", () => world.relay.server.inFlight() === 1);
      socket.destroy();
      await until("the request to be forgotten", () => world.relay.server.inFlight() === 0);
    });

    it("forgets a request whose client left while its key was looked up", async () => {
      const other = await world.addStartup();
      const runner = world.db.source.createQueryRunner();
      await runner.startTransaction();
      await runner.query("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE");
      const connected = once(world.relay.server.server, "connection") as Promise<[Socket]>;
      const exchange = send(world.relay.url, { secret: other.secret, body: { model: MODEL, messages } });
      const [socket] = await connected;
      await until("the request", () => world.relay.server.inFlight() === 1);
      const { requests } = world.providers[0]!.reference.numbers();
      exchange.leave();
      await expect(exchange.answer).rejects.toThrow();
      await until("the relay to notice", () => socket.destroyed);
      await runner.commitTransaction();
      await runner.release();
      await until("the request to be forgotten", () => world.relay.server.inFlight() === 0);
      expect(world.providers[0]!.reference.numbers().requests).toBe(requests);
    });
  });

  it("answers 503 to more requests at once than it is made for, and serves again when they are over", async () => {
    world.providers[0]!.reference.setBehaviour({ mode: "hang" });
    const running = Array.from({ length: IN_FLIGHT_MAX }, () =>
      send(world.relay.url, { secret: startup.secret, body: { model: MODEL, messages } }),
    );
    await until(
      "all of them at the provider",
      () => world.providers[0]!.reference.numbers().inFlight === IN_FLIGHT_MAX,
    );
    await expect(chat(world, startup)).rejects.toMatchObject({ status: 503, code: "overloaded" });
    for (const exchange of running) exchange.leave();
    await until("the relay to be free", () => world.relay.server.inFlight() === 0);
    world.providers[0]!.reference.setBehaviour({ mode: "normal" });
    expect((await chat(world, startup)).choices).toHaveLength(1);
  });

  it("is alive and ready without a key", async () => {
    expect(await raw({ method: "GET", path: "/healthz" })).toMatchObject({ status: 200, text: "ok" });
    expect(await raw({ method: "GET", path: "/readyz" })).toMatchObject({ status: 200, text: "ready" });
  });
});

/** Stands between a relay and its database; cut, nobody is there. */
class Line {
  private readonly sockets = new Set<Socket>();
  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {
    server.on("connection", (near) => {
      const far = connect(Number(this.target.port), this.target.hostname);
      for (const socket of [near, far]) {
        this.sockets.add(socket.on("error", () => undefined).on("close", () => this.sockets.delete(socket)));
      }
      near.pipe(far).pipe(near);
      near.on("close", () => far.destroy());
      far.on("close", () => near.destroy());
    });
  }

  static to(url: string): Line {
    return new Line(createServer(), new URL(url));
  }

  async open(port = 0): Promise<string> {
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    return Object.assign(new URL(this.target), { host: `127.0.0.1:${(this.server.address() as AddressInfo).port}` })
      .href;
  }

  async cut(): Promise<number> {
    const { port } = this.server.address() as AddressInfo;
    const closed = once(this.server, "close");
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
    return port;
  }
}

describe("a relay whose database goes away", () => {
  let world: RelayWorld;
  let line: Line;

  beforeAll(async () => {
    world = await openRelayWorld({
      providers: [{ tokensPerSecond: 400 }],
      relayDatabaseUrl: async (url) => {
        line = Line.to(url);
        return line.open();
      },
    });
  });
  afterAll(async () => {
    await world.stop();
    await line.cut();
  });

  it("refuses at once what is new, ends without `[DONE]` what runs, lives, and serves again when it is back", async () => {
    const startup = await world.addStartup();
    const stranger = await world.addStartup();
    await chat(world, startup, { max_tokens: 3 });
    const exchange = send(world.relay.url, { secret: startup.secret, body: { model: MODEL, messages, stream: true } });
    await exchange.sees('"content":"');
    const port = await line.cut();

    const timed = async (secret: string, body: object = { model: MODEL, messages }) => {
      const sinceMs = performance.now();
      const { status, text } = await send(world.relay.url, { secret, body }).answer;
      expect([status, JSON.parse(text).error.code]).toEqual([503, "database_unavailable"]);
      return performance.now() - sinceMs;
    };
    expect(await timed(stranger.secret)).toBeLessThan(500);
    expect(await timed(startup.secret)).toBeLessThan(3_000);
    expect(await timed(startup.secret)).toBeLessThan(500);
    const { text, headers } = await exchange.answer;
    expect(text).not.toContain("[DONE]");
    expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: "database_unavailable" } });
    expect(world.relay.server.inFlight()).toBe(0);

    await line.open(port);
    const again = await until("an answer", () => chat(world, startup, { max_tokens: 3 }).catch(() => null), 5_000);
    expect(again.choices).toHaveLength(1);
    expect((await chat(world, stranger, { max_tokens: 3 })).choices).toHaveLength(1);
    await expectSwept(world, headers["x-request-id"] as string, startup);
  });
});

/** What was delivered and could not be booked stays held until its time is over; then it is the startup's again. */
async function expectSwept(world: RelayWorld, requestId: string, startup: WorldStartup): Promise<void> {
  const state = async () =>
    (await world.rows<{ state: string }>("SELECT state FROM hold WHERE id = $1", [requestId]))[0]!.state;
  expect(await state()).toBe("HELD");
  const { metering } = world.relay.services;
  await metering.sweepExpiredHolds();
  expect(await state()).toBe("HELD");
  world.clock.shiftMs = world.relay.config.upstream.totalTimeoutMs + HOLD_GRACE_MS;
  await metering.sweepExpiredHolds();
  expect(await state()).toBe("EXPIRED");
  world.clock.shiftMs = 0;
  expect(await world.rows("SELECT id FROM usage_record WHERE id = $1", [requestId])).toEqual([]);
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  await world.returnLeases();
  expect((await world.services.ledger.balance(startup.id)).heldNanoCredit).toBe(0n);
  for (const line of world.logged)
    expect(line).toMatch(
      /ECONNREFUSED|ECONNRESET|Connection terminated|not settled|not written|unavailable|cannot be reached/,
    );
}
