/** The document at `/openapi.json` against the server that gives it: no route missing, none too many, errors as it says. */
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv/dist/2020";
import { openApiDocument } from "../../src/relay/openapi/document";
import type { Answer, PathOperation, Paths } from "../../src/relay/openapi/shapes";
import { routes } from "../../src/relay/routes";
import { send } from "../support/raw-request";
import { MODEL, openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import { httpAnswer, type Script } from "../support/scripted-provider";

const SCRIPTED = "acme/scripted";
let world: RelayWorld;
let startup: WorldStartup;
let poor: WorldStartup;

beforeAll(async () => {
  world = await openRelayWorld({
    providers: [{ model: MODEL }, { scripted: true, model: SCRIPTED }],
    environment: { RELAY_BODY_LIMIT_BYTES: "20000" },
  });
  [startup, poor] = [await world.addStartup(), await world.addStartup(0n)];
  const body = { model: MODEL, messages: [{ role: "user", content: "Hello" }] };
  const charged = await send(world.relay.url, { secret: startup.secret, body }).answer;
  chargedId = charged.headers["x-request-id"] as string;
});
afterEach(async () => {
  world.forgetFailures();
  await world.expectNothingLeft();
});
afterAll(() => world.stop());

const paths: Paths = openApiDocument.paths;
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);
const ours: Readonly<Record<string, object>> = openApiDocument.components.headers;
/** Those of files and jobs need a file and a job: `test/workloads/openapi.e2e.test.ts` goes through them. */
const small = operations.filter(({ operation }) => !["Files", "Jobs"].includes(operation.tags[0]!));
const inference = operations.filter(({ operation }) => operation.tags.includes("Inference"));
const ajv = new Ajv({ strict: false, allErrors: true }).addSchema(openApiDocument, "doc");
const pointer = (...keys: readonly string[]) =>
  keys.map((key) => key.replaceAll("~", "~0").replaceAll("/", "~1")).join("/");

/** What the schema says against the value; nothing when it fits. */
function faults(value: unknown, ...place: readonly string[]): string[] {
  const check = ajv.getSchema(`doc#/${pointer(...place)}`)!;
  return check(value) ? [] : check.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`);
}
const told = ({ operation }: { operation: PathOperation }, status: number): Answer | undefined =>
  operation.responses[status];
/** A request that was charged. */
let chargedId = "";
const url = (path: string) => path.replace("{model}", MODEL).replace("{request_id}", chargedId);

interface Asked {
  readonly path: string;
  readonly method: string;
}

/** Sends it, and holds the answer against what the document says of its status: headers and body. */
async function ask(its: Asked, body: unknown, secret = startup.secret) {
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const {
    status,
    headers,
    text: answer,
  } = await send(world.relay.url, {
    path: url(its.path),
    method: its.method,
    secret,
    ...(text === undefined ? {} : { body: text }),
  }).answer;
  const described = told(operations.find(({ path, method }) => path === its.path && method === its.method)!, status);
  expect(described).toBeDefined();
  const may = Object.keys(described!.headers ?? {});
  const must = may.filter((name) => (ours[name] as { required?: true }).required);
  const sent = Object.keys(headers).filter((name) => /^(x-|retry-)/.test(name) && name !== "x-accel-buffering");
  expect(sent.filter((name) => !may.includes(name))).toEqual([]);
  expect(must.filter((name) => !sent.includes(name))).toEqual([]);
  const [type] = headers["content-type"]!.split(";");
  const place = ["paths", its.path, its.method.toLowerCase(), "responses", String(status), "content", type!, "schema"];
  expect(faults(type === "application/json" ? JSON.parse(answer) : answer, ...place)).toEqual([]);
  return { status, code: status < 400 ? null : (JSON.parse(answer).error.code as string) };
}

const example = (its: { operation: PathOperation }): Record<string, unknown> =>
  its.operation.requestBody?.content["application/json"]?.example as Record<string, unknown>;

describe("the document", () => {
  it("is a valid one of OpenAPI 3.1", async () => {
    const result = await new Validator().validate(structuredClone(openApiDocument));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
  });

  it("is what the server answers, without a key", async () => {
    const { status, text } = await send(world.relay.url, { path: "/openapi.json", method: "GET" }).answer;
    expect([status, JSON.parse(text)]).toEqual([200, openApiDocument]);
  });

  it("has every route of the server, with its methods, and no other", () => {
    const served = Object.entries(routes).flatMap(([path, methods]) =>
      Object.keys(methods).map((name) => `${name} ${path}`),
    );
    const described = operations.map(({ path, method }) => `${method} ${path}`);
    expect(described.sort()).toEqual([...served, "GET /healthz", "GET /readyz"].sort());
  });

  it("names an example for everything that takes a body, which fits its own schema", () => {
    for (const { path, method, operation } of operations) {
      if (operation.requestBody === undefined) continue;
      for (const [type, { example: given }] of Object.entries(operation.requestBody.content)) {
        const place = ["paths", path, method.toLowerCase(), "requestBody", "content", type, "schema"];
        expect([path, faults(given, ...place)]).toEqual([path, []]);
      }
    }
  });
});

describe("the server", () => {
  it.each(small)("answers $method $path as it is described", async (its) => {
    expect((await ask(its, its.operation.requestBody && { ...example(its), model: MODEL })).code).toBeNull();
  });

  it.each(inference)("streams $path as it is described, if that is described", async (its) => {
    const streams = "text/event-stream" in told(its, 200)!.content!;
    const { headers } = await send(world.relay.url, {
      path: its.path,
      secret: startup.secret,
      body: { ...example(its), model: MODEL, stream: true },
    }).answer;
    expect(headers["content-type"]!.startsWith("text/event-stream")).toBe(streams);
  });

  it.each(operations.map(({ path }) => path))("takes no other method at %s", async (path) => {
    const { status, headers, text } = await send(world.relay.url, {
      path: url(path),
      method: "PATCH",
      secret: startup.secret,
    }).answer;
    // What watches the process looks at the path alone.
    if (path === "/healthz" || path === "/readyz") return expect(status).toBe(200);
    expect([status, faults(JSON.parse(text), "components", "schemas", "Error")]).toEqual([405, []]);
    const described = Object.keys(paths[path]!).map((method) => method.toUpperCase());
    expect(headers.allow!.split(", ").sort()).toEqual(described.sort());
  });

  it.each(inference)("refuses at POST $path what is described as refused", async (its) => {
    const body = { ...example(its), model: MODEL };
    const { promptField, limitField } = fieldsOf(body);
    const no: Script = ({ socket }) => void socket.write(httpAnswer("404 Not Found", "{}"));
    world.providers[1]!.scripted.play(no);
    const long = "x".repeat(19_000);
    const seen = [
      await ask(its, body, "exg_unknown"),
      await ask(its, "{"),
      await ask(its, { ...body, [promptField]: 7 }),
      await ask(its, { ...body, model: "nobody/has" }),
      await ask(its, { ...body, model: SCRIPTED }),
      await ask(its, body, poor.secret),
      await ask(its, { ...body, x: long + long }),
      ...(limitField === null ? [] : [await ask(its, { ...body, [limitField]: 1e9 })]),
    ];
    expect(seen.map(({ status, code }) => `${status} ${code}`)).toEqual(
      [
        "401 unauthenticated",
        "400 malformed_body",
        "400 bad_user_input",
        "404 model_not_found",
        "404 operation_not_served",
        "402 insufficient_credits",
        "413 body_too_large",
        "400 context_too_long",
      ].slice(0, seen.length),
    );
  });

  it.each(inference)("turns away at POST $path as is described, when the key has sent its minute", async (its) => {
    const { secret } = await world.services.accounts.createApiKey(world.operator, {
      organisationId: startup.id,
      name: "limited",
      scopes: ["INFER"],
      limits: { requestsPerMinute: 1 },
    });
    const body = { ...example(its), model: MODEL };
    expect(await ask(its, body, secret)).toEqual({ status: 200, code: null });
    expect(await ask(its, body, secret)).toEqual({ status: 429, code: "rate_limit_exceeded" });
  });

  it.each(inference)("fails at POST $path as is described, when every provider does", async (its) => {
    const body = { ...example(its), model: MODEL };
    const { reference } = world.providers[0]!;
    reference.setBehaviour({ mode: "fail" });
    expect(await ask(its, body)).toEqual({ status: 502, code: "upstream_failed" });
    reference.setBehaviour({ mode: "fail", status: 429, retryAfterSeconds: 60 });
    expect(await ask(its, body)).toEqual({ status: 503, code: "no_route" });
    reference.setBehaviour({ mode: "normal" });
  });
});

function fieldsOf(body: Record<string, unknown>) {
  const promptField = ["messages", "prompt", "input"].find((field) => field in body)!;
  const limitField = ["max_tokens", "max_output_tokens"].find((field) => field in body) ?? null;
  return { promptField, limitField };
}
