/** The API's HTTP edge on a real server: who is let in, what is refused, what an error tells and what it hides. */
import { getIntrospectionQuery, print } from "graphql";
import {
  AcceleratorsDocument,
  CreditBalanceDocument,
  EndpointsDocument,
  OrganisationsDocument,
  PricingTiersDocument,
  SlaTiersDocument,
  ViewerDocument,
} from "../../codegen/generated/graphql";
import { apiClient } from "../support/api-client";
import { sendEndlessly, sendRegardless } from "../support/raw-request";
import { openApi, type TestApi } from "./an-api";

let api: TestApi;
beforeAll(async () => {
  api = await openApi({ API_BODY_LIMIT_BYTES: "4096" });
});
afterAll(() => api.close());

const post = (body: string | Buffer, headers: Record<string, string> = { "content-type": "application/json" }) =>
  fetch(`${api.url}/graphql`, { method: "POST", headers, body });

const errorsOf = async (response: Response) =>
  ((await response.json()) as { errors: { message: string; extensions: Record<string, unknown> }[] }).errors;

describe("who is let in", () => {
  it("answers public queries without a key", async () => {
    const anyone = apiClient(api.url);
    expect((await anyone.read(AcceleratorsDocument)).accelerators.map(({ code }) => code)).toContain("H100");
    expect((await anyone.read(SlaTiersDocument)).slaTiers.map(({ responseTimeMs }) => responseTimeMs)).toEqual([
      500, 200, 100,
    ]);
    expect((await anyone.read(PricingTiersDocument)).pricingTiers.map(({ share }) => share)).toEqual([
      "0.85",
      "0.867",
      "0.884",
      "0.884",
    ]);
    expect((await anyone.read(ViewerDocument)).viewer).toBeNull();
  });

  it("refuses what needs a key with UNAUTHENTICATED and the request's id", async () => {
    const { status, headers, errors } = await apiClient(api.url).ask(EndpointsDocument, {});
    expect(status).toBe(200);
    expect(errors).toEqual([
      expect.objectContaining({
        path: ["endpoints"],
        extensions: { code: "UNAUTHENTICATED", requestId: headers.get("x-request-id") },
      }),
    ]);
  });

  it("refuses an unknown key and a malformed header with 401, even for public queries", async () => {
    for (const authorization of ["Bearer exg_unknown", "Basic abc", "Bearer"]) {
      const response = await post(JSON.stringify({ query: print(AcceleratorsDocument) }), {
        "content-type": "application/json",
        authorization,
      });
      expect([response.status, (await errorsOf(response))[0]!.extensions.code]).toEqual([401, "UNAUTHENTICATED"]);
    }
  });

  it("knows who a key belongs to", async () => {
    const startup = await api.a("STARTUP", "Firefly");
    const { viewer } = await startup.read(ViewerDocument);
    expect(viewer).toEqual({
      scopes: ["READ", "WRITE", "ADMIN"],
      organisation: { id: startup.id, kind: "STARTUP", name: "Firefly" },
      apiKey: { id: expect.any(String), name: "test", prefix: startup.secret.slice(0, 12) },
    });
  });

  it("refuses by scope and by kind with FORBIDDEN", async () => {
    const worker = await api.a("STARTUP", "Worker", ["INFER"]);
    expect(await worker.codes(CreditBalanceDocument)).toEqual(["FORBIDDEN"]);
    expect((await worker.read(ViewerDocument)).viewer?.apiKey).toBeNull();
    const partner = await api.a("CAPITAL_PARTNER");
    expect(await partner.codes(EndpointsDocument)).toEqual(["FORBIDDEN"]);
    expect(await partner.codes(CreditBalanceDocument)).toEqual(["FORBIDDEN"]);
    expect(await api.operator.codes(CreditBalanceDocument)).toEqual(["BAD_USER_INPUT"]);
  });
});

describe("what is refused", () => {
  it("what a browser could send across sites, and batches, with 400", async () => {
    const query = print(AcceleratorsDocument);
    const plain = await post(JSON.stringify({ query }), { "content-type": "text/plain" });
    const form = await post(`query=${encodeURIComponent(query)}`, {
      "content-type": "application/x-www-form-urlencoded",
    });
    const link = await fetch(`${api.url}/graphql?query=${encodeURIComponent(query)}`);
    const batch = await post(JSON.stringify([{ query }, { query }]));
    for (const response of [plain, form, link, batch]) {
      expect(response.status).toBe(400);
      const [error] = await errorsOf(response);
      expect(error!.extensions).toEqual({ code: "BAD_USER_INPUT", requestId: response.headers.get("x-request-id") });
    }
    expect(
      (await fetch(`${api.url}/graphql?query={slaTiers{code}}`, { headers: { "apollo-require-preflight": "1" } }))
        .status,
    ).toBe(200);
  });

  it("mutations by GET, other methods, and subscriptions without a WebSocket", async () => {
    const get = await fetch(`${api.url}/graphql?query=mutation{__typename}`, {
      headers: { "apollo-require-preflight": "1" },
    });
    expect(get.status).toBe(405);
    expect(
      (await fetch(`${api.url}/graphql`, { method: "DELETE", headers: { "content-type": "application/json" } })).status,
    ).toBe(405);
    const { errors } = await api.operator.text("subscription { creditBalance { asOf } }");
    expect(errors![0]!.message).toContain("WebSocket");
    expect(errors![0]!.extensions.code).toBe("BAD_USER_INPUT");
  });

  it.each([
    ["as JSON", "application/json"],
    ["as events", "text/event-stream"],
  ])(
    "a body over the limit asked %s so that its sender can read it though it sends on, and no endless one",
    async (_, accept) => {
      const body = Buffer.alloc(4 * 1_048_576, "x");
      const head = (length: string) =>
        `POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: ${accept}\r\ncontent-type: application/json\r\n${length}\r\n\r\n`;
      const refused = /^HTTP\/1\.1 413 .*"code":"BODY_TOO_LARGE".*\]\}$/s;
      expect(await sendRegardless(api.url, head(`content-length: ${body.length}`), body)).toMatch(refused);
      const endless = await sendEndlessly(api.url, head("transfer-encoding: chunked"));
      expect(endless.text).toMatch(refused);
      expect(endless.sentBytes).toBeLessThan(32 * 1_048_576);
    },
  );

  it("a body over the limit with 413, declared or not, and one that is no JSON with 400", async () => {
    const large = JSON.stringify({ query: `{ slaTiers { code } } # ${"x".repeat(5_000)}` });
    const declared = await post(large);
    expect([declared.status, (await errorsOf(declared))[0]!.extensions.code]).toEqual([413, "BODY_TOO_LARGE"]);
    const streamed = await fetch(`${api.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new Blob([large]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(streamed.status).toBe(413);
    const broken = await post("{");
    expect([broken.status, (await errorsOf(broken))[0]!.extensions.code]).toEqual([400, "MALFORMED_BODY"]);
  });

  it("documents that do not parse or fit the schema with 400, naming what is wrong", async () => {
    const unparsable = await api.operator.text("{ slaTiers { ");
    expect([unparsable.status, unparsable.errors![0]!.extensions.code]).toEqual([400, "GRAPHQL_PARSE_FAILED"]);
    const unknown = await api.operator.text("{ slaTiers { colour } }");
    expect([unknown.status, unknown.errors![0]!.extensions.code]).toEqual([400, "GRAPHQL_VALIDATION_FAILED"]);
    const coerced = await api.operator.text("query ($first: Int) { endpoints(first: $first) { nodes { id } } }", {
      first: "many",
    });
    expect([coerced.status, coerced.errors![0]!.extensions.code]).toEqual([400, "BAD_USER_INPUT"]);
  });

  it("documents that are too deep, too wide or too long", async () => {
    const nest = (depth: number): string => (depth === 0 ? "id" : `provider { endpoints { ${nest(depth - 1)} } }`);
    const deep = await api.operator.text(`{ endpoints { nodes { ${nest(6)} } } }`);
    expect(deep.errors![0]!.message).toMatch(/levels deep/);
    const hidden = await api.operator.text(
      `{ endpoints { nodes { ...a } } } fragment a on Endpoint { provider { endpoints { ...b } } } fragment b on Endpoint { ${nest(5)} }`,
    );
    expect(hidden.errors![0]!.message).toMatch(/levels deep/);
    const doubled = Array.from({ length: 11 }, (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`).join(
      " ",
    );
    const wide = await api.operator.text(`{ ...f0 } ${doubled} fragment f11 on Query { slaTiers { code } }`);
    expect(wide.errors!.map(({ message }) => message).join()).toMatch(/selects 4096 fields/);
  });

  it("introspection, and hints at the schema, where the configuration says so", async () => {
    const shown = await api.operator.text(getIntrospectionQuery());
    expect(shown.errors).toBeUndefined();
    const closed = await openApi({ GRAPHQL_INTROSPECTION: "false" });
    const hidden = await closed.operator.text("{ __schema { types { name } } }");
    const typo = await closed.operator.text("{ slaTier { code } }");
    await closed.close();
    expect([hidden.status, typo.status]).toEqual([400, 400]);
    expect(typo.errors![0]!.message).not.toContain("slaTiers");
  });

  it("pages that are too large or asked for from both ends", async () => {
    expect(await api.operator.codes(OrganisationsDocument, { first: 101 })).toEqual(["BAD_USER_INPUT"]);
    expect(await api.operator.codes(OrganisationsDocument, { first: 0 })).toEqual(["BAD_USER_INPUT"]);
    expect(await api.operator.codes(OrganisationsDocument, { last: 101 })).toEqual(["BAD_USER_INPUT"]);
    const { errors } = await api.operator.ask(OrganisationsDocument, { first: 1, last: 1 });
    expect(errors![0]!.extensions).toMatchObject({ code: "BAD_USER_INPUT", field: ["last"] });
    expect(await api.operator.codes(OrganisationsDocument, { first: 1, after: "nonsense" })).toEqual([
      "BAD_USER_INPUT",
    ]);
  });

  it("@idempotent where no key is kept", async () => {
    const { status, errors } = await api.operator.text(
      'mutation { organisationCreate(input: { kind: STARTUP, name: "Twice" }) @idempotent(key: "k") { organisation { id } } }',
    );
    expect(status).toBe(400);
    expect(errors![0]!.message).toContain("keeps no idempotency keys");
  });
});

describe("a fault of ours", () => {
  it("is masked for the client, and in the log with the request's id", async () => {
    const tiers = jest
      .spyOn(api.services.sla, "tiers")
      .mockRejectedValueOnce(new Error("host gpu-1.secret.example refused"));
    const { status, headers, errors } = await api.operator.ask(SlaTiersDocument);
    tiers.mockRestore();
    const requestId = headers.get("x-request-id");
    expect(status).toBe(200);
    expect(JSON.stringify(errors)).not.toContain("secret.example");
    expect(errors).toEqual([
      expect.objectContaining({ path: ["slaTiers"], extensions: { code: "INTERNAL", requestId } }),
    ]);
    expect(api.logged.some((line) => line.includes("secret.example") && line.includes(requestId!))).toBe(true);
  });

  it("of the database is DATABASE_UNAVAILABLE and worth a retry", async () => {
    const gone = Object.assign(new Error("terminating connection"), { code: "57P01" });
    const tiers = jest.spyOn(api.services.sla, "tiers").mockRejectedValueOnce(gone);
    const { errors } = await api.operator.ask(SlaTiersDocument);
    tiers.mockRestore();
    expect(errors![0]!.extensions).toMatchObject({ code: "DATABASE_UNAVAILABLE", retryable: true });
    const authenticate = jest.spyOn(api.services.accounts, "authenticate").mockRejectedValueOnce(gone);
    const { status } = await api.operator.ask(SlaTiersDocument);
    authenticate.mockRestore();
    expect(status).toBe(503);
  });
});

describe("beside GraphQL", () => {
  it("serves health, metrics and the published documents, and says where GraphQL is", async () => {
    expect(await (await fetch(`${api.url}/healthz`)).text()).toBe("ok");
    expect(await (await fetch(`${api.url}/readyz`)).text()).toBe("ready");
    expect(await (await fetch(`${api.url}/metrics`)).text()).toContain("exergy_api_requests_total");
    expect(await (await fetch(`${api.url}/.well-known/jwks.json`)).json()).toEqual({
      keys: [expect.objectContaining({ kty: "OKP" })],
    });
    const lost = await fetch(`${api.url}/`);
    expect([lost.status, (await errorsOf(lost))[0]!.message]).toEqual([404, expect.stringContaining("/graphql")]);
    expect((await fetch(`${api.url}/healthz`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${api.url}/constructor`)).status).toBe(404);
  });

  it("is not ready without its database", async () => {
    const head = jest.spyOn(api.services.outbox, "head").mockRejectedValueOnce(new Error("gone"));
    expect((await fetch(`${api.url}/readyz`)).status).toBe(503);
    head.mockRestore();
  });

  it("is not ready while draining, and still answers", async () => {
    const other = await openApi();
    other.api.startDraining();
    expect((await fetch(`${other.url}/readyz`)).status).toBe(503);
    expect((await other.operator.read(SlaTiersDocument)).slaTiers).toHaveLength(3);
    await other.close();
  });
});
