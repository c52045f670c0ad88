/** What a startup learns: which models can be had at which price, and never by whom; and what jobs do so that it stays true. */
import { formatNano } from "../../src/money/nano";
import { pricePerMillionTokens } from "../../src/pricing/token-price";
import { until, watchResources } from "../support/leftovers";
import { type RawAnswer, type RawRequest, send } from "../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, delta, event, httpAnswer, streamHead } from "../support/scripted-provider";

const SCRIPTED = "acme/scripted";
const messages = [{ role: "user" as const, content: "Who are you?" }];

let world: RelayWorld;
let startup: WorldStartup;
let scripted: WorldProvider;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    jobs: true,
    environment: {
      UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "300",
      SLA_PROBE_INTERVAL_MS: "100",
      SLA_EVALUATION_INTERVAL_MS: "100",
    },
    providers: [
      {},
      { accelerator: "A100" },
      { model: SCRIPTED, scripted: true },
      { model: "acme/without-capacity", listedGpus: 0 },
      { model: "acme/without-price", region: "nowhere" },
      { model: "acme/other", accelerator: "H200" },
    ],
  });
  scripted = world.providers[2]!;
  startup = await world.addStartup();
});
beforeEach(() => world.forgetFailures());
afterEach(async () => {
  for (const { reference } of world.providers) reference?.setBehaviour({ mode: "normal" });
  await world.expectNothingLeft();
  await world.expectBooksBalance();
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const listed = async () => (await world.client(startup).models.list()).data.map(({ id }) => id).sort();

describe("the list of models", () => {
  it("holds what can be routed, each model once, at the price that it costs at most", async () => {
    const { data } = await world.client(startup).models.list();
    expect(data.map(({ id }) => id)).toEqual([MODEL, "acme/other", SCRIPTED]);
    const dearest = world.relay.services.routing.routesOf(MODEL)!.find(({ accelerator }) => accelerator === "A100")!
      .quote!;
    const price = pricePerMillionTokens(dearest.throughput, dearest.fixingNanoUsdPerGpuHour, dearest.card);
    expect(data[0]).toMatchObject({
      object: "model",
      owned_by: "exergy",
      accelerators: ["A100", "H100"],
      context_length: 8_192,
      pricing: {
        unit: "per_million_tokens",
        currency: "CRD",
        prompt: formatNano(price.promptNanoCredit),
        completion: formatNano(price.completionNanoCredit),
      },
    });
    expect(await world.client(startup).models.retrieve(MODEL)).toEqual(data[0]);
  });

  it.each(["acme/without-capacity", "acme/without-price"])(
    "leaves out %s, which is a 503 to whoever asks for it all the same",
    async (model) => {
      await expect(world.client(startup).models.retrieve(model)).rejects.toMatchObject({
        status: 404,
        code: "model_not_found",
      });
      const asked = world.client(startup).chat.completions.create({ model, messages });
      await expect(asked).rejects.toMatchObject({ status: 503, code: "no_route" });
    },
  );

  it("keeps a model whose endpoint is only resting", async () => {
    const [route] = world.relay.services.routing.routesOf("acme/other")!;
    route!.live.cooldownUntilMs = world.clock.nowMs() + 60_000;
    expect(await listed()).toContain("acme/other");
  });

  it("follows the supply by itself: withdrawn, the model goes; live again, it is back", async () => {
    const { catalog } = world.relay.services;
    const other = world.providers[5]!;
    await catalog.moveOffering(other.viewer, other.offeringId, "WITHDRAWN");
    await until("the model to go", async () => !(await listed()).includes("acme/other"));
    await catalog.moveOffering(other.viewer, other.offeringId, "STAGED");
    await catalog.moveOffering(world.operator, other.offeringId, "LIVE");
    await until("the model to be back", async () => (await listed()).includes("acme/other"));
  });
});

describe("the jobs beside the relay", () => {
  it("tell each second what an endpoint has in flight", async () => {
    const other = world.providers[5]!;
    other.reference.setBehaviour({ mode: "hang" });
    const seen: number[] = [];
    const off = world.relay.services.bus.on("utilization.sampled", ({ endpointId, inFlight }) => {
      if (endpointId === other.endpointId) seen.push(inFlight);
    });
    const ask = () => send(world.relay.url, { secret: startup.secret, body: { model: "acme/other", messages } }).answer;
    await until(
      "a sample that counts the request",
      async () => {
        world.forgetFailures();
        await ask();
        return seen.includes(1);
      },
      10_000,
    );
    off();
  });

  it("probe the endpoints, which counts in their minute", async () => {
    const probes = () =>
      world.rows<{ endpoint_id: string; probes: number; probes_failed: number }>(
        "SELECT endpoint_id, sum(probes)::int AS probes, sum(probes_failed)::int AS probes_failed FROM sla_minute GROUP BY 1",
      );
    const of = async ({ endpointId }: WorldProvider) => (await probes()).find((row) => row.endpoint_id === endpointId);
    expect(
      await until("a probe that went well", async () => ((await of(world.providers[0]!))?.probes ?? 0) > 0, 5_000),
    ).toBe(true);
    expect((await of(world.providers[0]!))!.probes_failed).toBe(0);
    // The scripted one has closed the door on every probe.
    const closed = await of(scripted);
    expect(closed!.probes_failed).toBe(closed!.probes);
  });
});

describe("who serves", () => {
  /** Everything that one request brings back, as text. */
  const crawl = async (request: RawRequest): Promise<string> => {
    const { status, headers, text } = (await send(world.relay.url, { secret: startup.secret, ...request })
      .answer) as RawAnswer;
    return JSON.stringify({ status, headers, text });
  };

  it("is in no header and no body that a startup gets, whatever happens", async () => {
    const [{ canaries, port }] = [scripted];
    const tell = {
      server: canaries[0]!,
      via: `1.1 ${canaries[3]}`,
      "set-cookie": `at=${canaries[4]}`,
      "x-served-by": canaries[2]!,
      "openai-organization": canaries[0]!,
    };
    const names = { model: canaries[1]! };
    const told = JSON.stringify({ error: { message: canaries.join(" "), type: "x", code: "x" } });
    const chat = (stream: boolean): RawRequest => ({ body: { model: SCRIPTED, messages, stream } });
    const whole = [
      httpAnswer("200 OK", completion("Hi", names), tell),
      httpAnswer("200 OK", completion("Hi", names).replace('"model":"', '"model" :\n "'), tell),
      ...["400 Bad", "401 No", "404 No", "429 Busy", "500 No"].map((status) => httpAnswer(status, told, tell)),
      httpAnswer("307 Moved", told, { ...tell, location: `https://127.0.0.1:${port}/` }),
      httpAnswer("200 OK", told, tell),
    ];
    const streamed = [
      `${streamHead}${delta("Hi", names)}${event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 }, ...names })}data: [DONE]\n\n`,
      `${streamHead}${delta("Hi", names)}${event(JSON.parse(told))}`,
      `${streamHead}${event(JSON.parse(told))}`,
      httpAnswer("500 No", told, tell),
    ];
    const seen: string[] = [];
    for (const [bytes, stream] of [
      ...whole.map((text) => [text, false] as const),
      ...streamed.map((text) => [text, true] as const),
    ]) {
      world.forgetFailures();
      scripted.scripted.play(({ socket, head }) =>
        head.startsWith("POST") ? (stream ? socket.end(bytes) : socket.write(bytes)) : socket.destroy(),
      );
      seen.push(await crawl(chat(stream)));
    }
    for (const behaviour of [
      { mode: "fail" },
      { mode: "hang" },
      { mode: "cut", afterChunks: 2 },
      { mode: "normal" },
    ] as const) {
      for (const { reference } of world.providers) reference?.setBehaviour(behaviour);
      for (const stream of [false, true]) {
        world.forgetFailures();
        seen.push(await crawl({ body: { model: MODEL, messages, stream, stream_options: { include_usage: true } } }));
      }
    }
    for (const path of ["/v1/models", `/v1/models/${encodeURIComponent(SCRIPTED)}`, "/v1/none", "/healthz", "/readyz"])
      seen.push(await crawl({ method: "GET", path }));
    seen.push(
      await crawl({ body: { model: "acme/without-price", messages } }),
      await crawl({ body: { model: SCRIPTED, messages, max_tokens: 1e6 } }),
    );
    expect(seen.filter((text) => text.includes('"status":200')).length).toBeGreaterThanOrEqual(10);
    expect(seen.filter((text) => text.includes('"status":5')).length).toBeGreaterThanOrEqual(8);
    for (const text of seen) {
      const found = world.providers
        .flatMap((provider) => provider.canaries)
        .filter((canary) => text.toLowerCase().includes(canary.toLowerCase()));
      expect({ found, text: found.length === 0 ? "" : text }).toEqual({ found: [], text: "" });
    }
  });

  it("cannot slip one startup's answer to another: what it sends unasked reaches nobody but, at worst, its own startup", async () => {
    const others = await Promise.all([world.addStartup(), world.addStartup()]);
    const echo = (body: string) => completion(`for ${JSON.parse(body).messages[0].content}`);
    scripted.scripted.play(({ socket, head, body }) => {
      if (!head.startsWith("POST")) return void socket.destroy();
      // The answer, and right behind it or a moment later another one that nobody asked for.
      const answer = httpAnswer("200 OK", echo(body));
      const stray = httpAnswer("200 OK", echo(body).replace("for ", "stray for "));
      if (Math.floor(scripted.scripted.requests.length / 2) % 2 === 0) socket.write(answer + stray);
      else socket.write(answer, () => void socket.write(stray));
    });
    const asked = scripted.scripted.requests.length;
    const ask = async (who: WorldStartup, name: string): Promise<string> => {
      world.forgetFailures();
      const body = { model: SCRIPTED, messages: [{ role: "user", content: name }] };
      const { status, text } = await send(world.relay.url, { secret: who.secret, body }).answer;
      return status === 200 ? (JSON.parse(text).choices[0].message.content as string) : String(status);
    };
    for (let round = 0; round < 15; round++) {
      const answers = await Promise.all(others.map((who, i) => ask(who, `startup ${i}`)));
      answers.forEach((answer, i) => {
        expect(answer).toMatch(new RegExp(`^((stray )?for startup ${i}|502)$`));
      });
    }
    const socketsOf = (name: string) =>
      scripted.scripted.requests
        .slice(asked)
        .filter(({ body }) => body.includes(name))
        .map(({ socket }) => socket);
    expect(socketsOf("startup 0").some((socket) => socketsOf("startup 1").includes(socket))).toBe(false);
  });
});
