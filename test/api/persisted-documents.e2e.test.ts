/** Documents that are sent by name: of the manifest by documentId, registered ones by hash, and keys that may send no others. */
import { createHash } from "node:crypto";
import { print } from "graphql";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { SlaTiersDocument } from "../../codegen/generated/graphql";
import manifest from "../../codegen/generated/persisted-documents.json";
import { createPersistedDocuments } from "../../src/api/persisted-documents";
import { openApi, type Party, type TestApi } from "./an-api";

let api: TestApi;
let party: Party;
beforeAll(async () => {
  api = await openApi();
  party = await api.a("STARTUP");
});
afterAll(() => api.close());

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const idOf = (name: string): string => {
  const found = Object.entries(manifest).find(([, text]) => new RegExp(`query ${name}\\b`).test(text));
  return found![0];
};

async function post(body: object, secret: string | null = party.secret) {
  const response = await fetch(`${api.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(secret === null ? {} : { authorization: `Bearer ${secret}` }) },
    body: JSON.stringify(body),
  });
  const { data, errors } = (await response.json()) as {
    data?: Record<string, unknown>;
    errors?: { message: string; extensions: { code: string } }[];
  };
  return { status: response.status, data, code: errors?.[0]?.extensions.code, message: errors?.[0]?.message };
}

const get = (parameters: Record<string, string>) =>
  fetch(`${api.url}/graphql?${new URLSearchParams(parameters)}`, { headers: { "apollo-require-preflight": "1" } });

describe("a document of the manifest", () => {
  it("is known by its documentId, with variables, by POST and by GET", async () => {
    expect(await post({ documentId: idOf("SlaTiers") })).toMatchObject({
      status: 200,
      data: { slaTiers: expect.any(Array) },
    });
    const first = await post({ documentId: idOf("Organisations"), variables: { first: 1 } });
    expect(first.data).toHaveProperty("organisations.edges.length", 1);
    const link = await get({ documentId: idOf("SlaTiers") });
    expect([link.status, await link.json()]).toMatchObject([200, { data: { slaTiers: expect.any(Array) } }]);
  });

  it("is refused when nobody knows it, when it is no id, and beside a query", async () => {
    const codes = [];
    for (const body of [
      { documentId: `sha256:${"0".repeat(64)}` },
      { documentId: 7 },
      { documentId: "__proto__" },
      { documentId: idOf("SlaTiers"), query: "{ __typename }" },
    ]) {
      codes.push(await post(body));
    }
    expect(codes.map(({ status, code }) => [status, code])).toEqual([
      [400, "PERSISTED_DOCUMENT_NOT_FOUND"],
      [400, "PERSISTED_DOCUMENT_NOT_FOUND"],
      [400, "PERSISTED_DOCUMENT_NOT_FOUND"],
      [400, "BAD_USER_INPUT"],
    ]);
    expect((await get({ documentId: "nothing" })).status).toBe(404);
  });
});

describe("a registered document", () => {
  const persistedQuery = (text: string) => ({
    extensions: { persistedQuery: { version: 1, sha256Hash: sha256(text) } },
  });

  it("is asked for once, and then known over HTTP and WebSocket", async () => {
    const text = "query Registered { slaTiers { code } }";
    expect(await post(persistedQuery(text))).toMatchObject({
      status: 200,
      code: "PERSISTED_QUERY_NOT_FOUND",
      message: "PersistedQueryNotFound",
    });
    expect((await post({ query: text, ...persistedQuery(text) })).data).toHaveProperty("slaTiers.length", 3);
    expect((await post(persistedQuery(text))).data).toHaveProperty("slaTiers.length", 3);
    const link = await get({ extensions: JSON.stringify(persistedQuery(text).extensions) });
    expect(await link.json()).toHaveProperty("data.slaTiers.length", 3);
    // A socket refuses it for what it is, a query, and not because it knew no text.
    expect(await overWebSocket(persistedQuery(text))).not.toContain("PersistedQueryNotFound");
    expect(await overWebSocket(persistedQuery(`${text} `))).toContain("PersistedQueryNotFound");
  });

  it("is not stored when it does not validate, or has another hash", async () => {
    const text = "query Wrong { nothing }";
    expect(await post({ query: text, ...persistedQuery(text) })).toMatchObject({
      status: 400,
      code: "GRAPHQL_VALIDATION_FAILED",
    });
    expect(await post(persistedQuery(text))).toMatchObject({ code: "PERSISTED_QUERY_NOT_FOUND" });
    const stolen = { query: "{ __typename }", ...persistedQuery(text) };
    expect(await post(stolen)).toMatchObject({ status: 400, message: "provided sha does not match query" });
    expect(await post(persistedQuery(text))).toMatchObject({ code: "PERSISTED_QUERY_NOT_FOUND" });
  });

  it("makes room for others: what clients can store is bounded in bytes", () => {
    const store = createPersistedDocuments();
    const text = (index: number) => `${index} ${"x".repeat(1024 * 1024)}`;
    for (let index = 0; index < 20; index += 1) store.register(String(index), text(index));
    expect(store.registered("0")).toBeUndefined();
    expect(store.registered("19")).toBe(text(19));
  });
});

describe("a key that may send documents of the manifest only", () => {
  it("sends them by documentId or word for word, and no others, over no transport", async () => {
    const secret = await persistedOnlyKey();
    const text = (manifest as Record<string, string>)[idOf("SlaTiers")]!;
    expect((await post({ documentId: idOf("SlaTiers") }, secret)).status).toBe(200);
    expect((await post({ query: text }, secret)).status).toBe(200);
    for (const query of ["{ slaTiers { code } }", print(SlaTiersDocument)]) {
      for (let time = 0; time < 3; time += 1)
        expect(await post({ query }, secret)).toMatchObject({ status: 403, code: "PERSISTED_DOCUMENT_REQUIRED" });
    }
    expect(await overWebSocket({ query: "subscription { utilization { __typename } }" }, secret)).toContain("manifest");
  });
});

async function persistedOnlyKey(): Promise<string> {
  const { viewer } = await party
    .text("mutation ($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { secret } }", {
      input: { name: "dashboard", scopes: ["READ"], persistedOnly: true },
    })
    .then(({ data }) => ({ viewer: data as { apiKeyCreate: { secret: string } } }));
  return viewer.apiKeyCreate.secret;
}

/** The message of the refusal. */
async function overWebSocket(body: object, secret = party.secret): Promise<string> {
  const client = createClient({
    url: `${api.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${secret}` },
    retryAttempts: 0,
  });
  const message = await new Promise<string>((resolve, reject) => {
    client.subscribe(
      { query: "", ...body },
      {
        next: (result) => reject(new Error(JSON.stringify(result))),
        error: (errors) => resolve(JSON.stringify(errors)),
        complete: () => reject(new Error("completed")),
      },
    );
  });
  await client.dispose();
  return message;
}
