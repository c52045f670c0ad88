/** What an operation costs, how that is told, and what happens to whoever has no points left. */
import { createClient, fetchExchange } from "@urql/core";
import { print } from "graphql";
import {
  AcceleratorsDocument,
  EndpointsDocument,
  RateLimitDocument,
  SlaTiersDocument,
} from "../../codegen/generated/graphql";
import { openApi, registered, type TestApi } from "./an-api";

interface Cost {
  requestedQueryCost: number;
  actualQueryCost: number;
  throttleStatus: { maximumAvailable: number; currentlyAvailable: number; restoreRate: number };
}

const POINTS = 1_000;

let api: TestApi;
beforeAll(async () => {
  api = await openApi({ GRAPHQL_POINTS_PER_MINUTE: String(POINTS), GRAPHQL_ANONYMOUS_POINTS_PER_MINUTE: "60" });
});
afterAll(() => api.close());

async function ask(
  query: string,
  { secret, variables, address }: { secret?: string; variables?: object; address?: string } = {},
) {
  const response = await fetch(`${api.url}/graphql`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(secret ? { authorization: `Bearer ${secret}` } : {}),
      ...(address ? { "x-forwarded-for": address } : {}),
    },
    body: JSON.stringify({ query, variables }),
  });
  const { errors, extensions } = (await response.json()) as {
    errors?: { message: string; extensions: Record<string, unknown> }[];
    extensions: { cost: Cost };
  };
  return { status: response.status, headers: response.headers, errors, cost: extensions.cost };
}

describe("an answer says what it cost", () => {
  it("by the page that was asked for, and by the rows that came; the difference is given back", async () => {
    const provider = await api.a("PROVIDER");
    await registered(provider, "one");
    await registered(provider, "two");
    const query =
      "query ($first: Int) { endpoints(first: $first) { nodes { id provider { id } } pageInfo { hasNextPage } } }";
    await ask(query, { secret: provider.secret, variables: { first: 1 } });
    const before = (await ask("{ __typename }", { secret: provider.secret })).cost.throttleStatus.currentlyAvailable;
    for (const [first, requested] of [
      [40, 83],
      [3, 9],
    ]) {
      const { cost } = await ask(query, { secret: provider.secret, variables: { first } });
      // The operation, the connection and its page; for each endpoint itself and its provider.
      expect(cost).toMatchObject({ requestedQueryCost: requested, actualQueryCost: 7 });
      expect(cost.throttleStatus).toMatchObject({ maximumAvailable: POINTS, restoreRate: POINTS / 60 });
    }
    const { cost, headers } = await ask("{ __typename }", { secret: provider.secret });
    // Two answers of seven and this one; the first document was new, so that reading it cost more.
    expect(before - cost.throttleStatus.currentlyAvailable).toBe(7 + 7 + 1);
    expect(headers.get("ratelimit-limit")).toBe(String(POINTS));
    expect(headers.get("ratelimit-remaining")).toBe(String(cost.throttleStatus.currentlyAvailable));
    expect(Number(headers.get("ratelimit-reset"))).toBeGreaterThan(0);
  });

  it("also when it refuses, and to a query that asks", async () => {
    const startup = await api.a("STARTUP");
    const { status, cost } = await ask("{ nothing }", { secret: startup.secret });
    expect([status, cost.requestedQueryCost, cost.actualQueryCost]).toEqual([400, 0, 0]);
    const { errors, cost: refused } = await ask("{ endpoints { nodes { id } } }", { secret: startup.secret });
    expect([errors?.[0]?.extensions.code, refused.requestedQueryCost]).toEqual(["FORBIDDEN", 52]);
    const { rateLimit } = await startup.read(RateLimitDocument);
    expect(rateLimit).toMatchObject({ cost: 2, limit: POINTS });
    expect(rateLimit!.remaining).toBeLessThan(cost.throttleStatus.currentlyAvailable);
    expect(new Date(rateLimit!.resetAt).getTime()).toBeGreaterThan(Date.now());
  });

  it("in a way that standard clients do not mind", async () => {
    const client = createClient({ url: `${api.url}/graphql`, exchanges: [fetchExchange], preferGetMethod: false });
    const { data, error, extensions } = await client.query(SlaTiersDocument, {}).toPromise();
    expect(error).toBeUndefined();
    expect(data?.slaTiers).toHaveLength(3);
    expect(extensions).toHaveProperty("cost.throttleStatus.maximumAvailable");
  });
});

describe("who has no points left", () => {
  it("gets 429, when to come back, and nothing done; what is cheaper still goes", async () => {
    const provider = await api.a("PROVIDER");
    const doors = jest.spyOn(api.services.catalog, "endpoints");
    const query = "{ endpoints(first: 100) { nodes { id offerings { id } } } }";
    const { status, headers, errors, cost } = await ask(query, { secret: provider.secret });
    expect(status).toBe(429);
    expect(errors).toEqual([
      {
        message: expect.stringMatching(
          /^The operation costs 1102 points, and \d+ are left\. There will be 1000 in \d+ s\.$/,
        ),
        extensions: { code: "THROTTLED", retryable: true, requestId: headers.get("x-request-id") },
      },
    ]);
    expect(headers.get("retry-after")).toBe(headers.get("ratelimit-reset"));
    expect(cost).toMatchObject({ requestedQueryCost: 1_102, actualQueryCost: 0 });
    expect(doors).not.toHaveBeenCalled();
    doors.mockRestore();
    expect((await provider.ask(EndpointsDocument, { first: 1 })).status).toBe(200);
  });

  it("is each key for itself, and strangers by their address", async () => {
    const statuses = [];
    for (let index = 0; index < 20; index += 1) statuses.push((await ask(print(AcceleratorsDocument))).status);
    expect(statuses[0]).toBe(200);
    expect(statuses.at(-1)).toBe(429);
    // The header is anybody's to write while no proxy is trusted.
    expect((await ask(print(AcceleratorsDocument), { address: "203.0.113.9" })).status).toBe(429);
    expect((await api.operator.ask(AcceleratorsDocument)).status).toBe(200);
  });

  it("is told before a new document is parsed", async () => {
    const { status, errors } = await ask(`{ ${"nothing ".repeat(2_000)} }`);
    expect([status, errors?.[0]?.extensions.code]).toEqual([429, "THROTTLED"]);
  });

  it("is known behind a proxy that is trusted by what the proxy says", async () => {
    const behind = await openApi({ GRAPHQL_ANONYMOUS_POINTS_PER_MINUTE: "30", TRUSTED_PROXIES: "1" });
    const from = async (address: string) =>
      (
        await fetch(`${behind.url}/graphql`, {
          method: "POST",
          headers: { "content-type": "application/json", "x-forwarded-for": address },
          body: JSON.stringify({ query: print(SlaTiersDocument) }),
        })
      ).status;
    expect(await from("203.0.113.9")).toBe(200);
    let last = 200;
    for (let index = 0; index < 5; index += 1) last = await from(`198.51.100.${index}, 203.0.113.9`);
    expect(last).toBe(429);
    expect(await from("203.0.113.9, 198.51.100.7")).toBe(200);
    await behind.close();
  });
});
