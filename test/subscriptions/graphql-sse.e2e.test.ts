/** The same operations as server-sent events: the stock client, curl-like requests, and streams that end. */
import { get, request as httpRequest } from "node:http";
import { print } from "graphql";
import { createClient } from "graphql-sse";
import { CapacityChangesDocument, UtilizationDocument } from "../../codegen/generated/graphql";
import { viewerOf } from "../accounts/a-world";
import { openApi, type Party, type TestApi, uuidOf } from "../api/an-api";
import { until } from "../support/leftovers";

let api: TestApi;
let north: Party;
beforeAll(async () => {
  api = await openApi();
  north = await api.a("PROVIDER", "North");
});
afterAll(() => api.close());

const aWindow = (on = api, provider = north) =>
  on.services.capacity.openWindow(viewerOf("PROVIDER", provider.uuid), {
    accelerator: "H100",
    region: "eu-north",
    zone: "eu-north-a",
    kind: "BURST",
    gpuCount: 8,
    startsAt: new Date(),
  });

const stockClient = (on: TestApi, secret: string) =>
  createClient({
    url: `${on.url}/graphql`,
    headers: { authorization: `Bearer ${secret}` },
    retryAttempts: 20,
    retry: () => new Promise((resolve) => setTimeout(resolve, 20)),
  });

/** The events of one request as they came over the wire, and the head of the answer. */
async function events(method: "GET" | "POST", operation: Record<string, unknown>, secret?: string) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(operation)) {
    search.set(name, typeof value === "string" ? value : JSON.stringify(value));
  }
  const response = await fetch(method === "GET" ? `${api.url}/graphql?${search}` : `${api.url}/graphql`, {
    method,
    headers: {
      accept: "text/event-stream",
      "content-type": "application/json",
      ...(secret ? { authorization: `Bearer ${secret}` } : {}),
    },
    ...(method === "POST" ? { body: JSON.stringify(operation) } : {}),
  });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

it("answers queries by POST and GET with one result and the end", async () => {
  for (const method of ["POST", "GET"] as const) {
    const { status, type, text } = await events(method, { query: "{ rateCard { version } }" });
    expect([status, type]).toEqual([200, "text/event-stream; charset=utf-8"]);
    expect(text).toBe('event: next\ndata: {"data":{"rateCard":{"version":1}}}\n\nevent: complete\ndata: \n\n');
  }
  const { text } = await events(
    "GET",
    {
      query: "query ($first: Int) { endpoints(first: $first) { nodes { id } } }",
      variables: { first: 1_000 },
    },
    north.secret,
  );
  expect(text).toContain("BAD_USER_INPUT");
});

it("refuses in the stream what is refused over HTTP", async () => {
  for (const [operation, code] of [
    [{ query: "{" }, "GRAPHQL_PARSE_FAILED"],
    [{ query: "{ nothing }" }, "GRAPHQL_VALIDATION_FAILED"],
    [{ query: "subscription { creditBalance { asOf } }" }, "UNAUTHENTICATED"],
    [{ query: print(CapacityChangesDocument), variables: { after: "nonsense" } }, "UNAUTHENTICATED"],
    [{}, "BAD_USER_INPUT"],
  ] as const) {
    const { status, text } = await events("POST", operation);
    expect(status).toBe(200);
    expect(text).toContain(`"code":"${code}"`);
    expect(text).toMatch(/^event: next\n.*\n\nevent: complete\ndata: \n\n$/);
  }
  const { text } = await events("GET", { query: "mutation { __typename }" }, north.secret);
  expect(text).toContain("Mutations are sent by POST");
  expect((await events("POST", { query: "{ rateCard { version } }" }, "exg_wrong")).status).toBe(401);
});

it("follows a durable stream with the stock client", async () => {
  const standing = await aWindow();
  const stream = stockClient(api, north.secret).iterate<{
    capacityChanges: { change?: string; node?: { id: string } };
  }>({
    query: print(CapacityChangesDocument),
  });
  const next = async () => {
    const { capacityChanges } = (await stream.next()).value.data;
    return capacityChanges.node ? `${capacityChanges.change} ${uuidOf(capacityChanges.node.id)}` : "checkpoint";
  };
  expect([await next(), await next()]).toEqual([`STANDING ${standing.id}`, "checkpoint"]);
  const announced = await aWindow();
  await api.services.outbox.publish();
  expect(await next()).toBe(`ANNOUNCED ${announced.id}`);
  expect(api.api.live().subscriptions).toBe(1);
  await stream.return!();
  await until("no reader is left", () => api.api.live().subscriptions === 0);
});

it("shares its channel with sockets' readers and other connections", async () => {
  const read = jest.spyOn(api.services.capacity, "windowsByIds");
  const streams = Array.from({ length: 20 }, () =>
    stockClient(api, north.secret).iterate<Record<string, unknown>>({
      query: "subscription { capacityChanges { __typename ... on CapacityWindowEvent { change } } }",
    }),
  );
  const upToCheckpoint = async (stream: (typeof streams)[number]) => {
    for (;;) {
      const { data } = (await stream.next()).value;
      if (JSON.stringify(data).includes("StreamCheckpoint")) return;
    }
  };
  await Promise.all(streams.map(upToCheckpoint));
  await aWindow();
  await api.services.outbox.publish();
  for (const stream of streams) {
    const { data } = (await stream.next()).value;
    expect(data).toEqual({ capacityChanges: { __typename: "CapacityWindowEvent", change: "ANNOUNCED" } });
  }
  expect(read).toHaveBeenCalledTimes(1);
  read.mockRestore();
  for (const stream of streams) await stream.return!();
  await until("no reader is left", () => api.api.live().subscriptions === 0);
});

it("tells at once that it is open, and leaves nothing when the client vanishes", async () => {
  const query = encodeURIComponent(print(UtilizationDocument));
  const head = await new Promise<{ text: string; leave: () => void }>((resolve) => {
    const request = get(
      `${api.url}/graphql?query=${query}`,
      { headers: { accept: "text/event-stream", authorization: `Bearer ${north.secret}` } },
      (response) => response.once("data", (chunk) => resolve({ text: String(chunk), leave: () => request.destroy() })),
    );
    request.on("error", () => undefined);
  });
  expect(head.text).toBe(":\n\n");
  expect(api.api.live().subscriptions).toBe(1);
  head.leave();
  await until("no reader is left", () => api.api.live().subscriptions === 0);
});

it("takes a body only as JSON, which no form of another site can send", async () => {
  const status = await new Promise((resolve) => {
    const request = httpRequest(
      `${api.url}/graphql`,
      { method: "POST", headers: { accept: "text/event-stream", "content-type": "text/plain" } },
      (response) => resolve(response.resume().statusCode),
    );
    request.end('{"query":"{ rateCard { version } }"}');
  });
  expect(status).toBe(400);
});

it("ends with its credential, and the client that comes again is told why", async () => {
  const provider = await api.a("PROVIDER");
  const stream = stockClient(api, provider.secret).iterate({ query: print(UtilizationDocument) });
  const next = stream.next();
  await until("it is open", () => api.api.live().subscriptions === 1);
  await api.db.source.query("UPDATE api_key SET revoked_at = now() WHERE organisation_id = $1", [provider.uuid]);
  await expect(next).rejects.toThrow("401");
});

it("a draining server ends streams so that the stock client comes back with its cursor", async () => {
  const other = await openApi();
  const provider = await other.a("PROVIDER");
  const response = await fetch(`${other.url}/graphql`, {
    method: "POST",
    headers: {
      accept: "text/event-stream",
      "content-type": "application/json",
      authorization: `Bearer ${provider.secret}`,
    },
    body: JSON.stringify({ query: print(CapacityChangesDocument) }),
  });
  await until("it is open", () => other.api.live().subscriptions === 1);
  await other.close();
  const text = await response.text();
  expect(text).toMatch(/\n\nretry: \d+\n\n$/);
  expect(text).not.toContain("event: complete");
});
