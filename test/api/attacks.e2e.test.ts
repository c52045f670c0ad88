/** Documents that are made to hurt are refused before anything is read for them, in the same words over HTTP and WebSocket. */
import { type Client, createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { openApi, type TestApi } from "./an-api";
import { type Attack, attacks } from "./attack-documents";

const codes = new Set([
  "GRAPHQL_PARSE_FAILED",
  "GRAPHQL_VALIDATION_FAILED",
  "BAD_USER_INPUT",
  "COST_LIMIT_EXCEEDED",
  "OPERATION_RESOLUTION_FAILURE",
]);
const VALIDATION_ERRORS_MAX = 20;

interface Refusal {
  readonly message: string;
  readonly extensions: { readonly code: string; readonly requestId: string };
}

let api: TestApi;
let socket: Client;
const doors: jest.SpyInstance[] = [];
const took: { ms: number; name: string }[] = [];

beforeAll(async () => {
  api = await openApi({ GRAPHQL_POINTS_PER_MINUTE: "100000000" });
  socket = createClient({
    url: `${api.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${api.operator.secret}` },
    retryAttempts: 0,
    lazy: false,
    onNonLazyError: () => undefined,
  });
  const { catalog, pricing, funding, ledger, metering, capacity, sla, routing, payouts } = api.services;
  for (const room of [catalog, pricing, funding, ledger, metering, capacity, sla, routing, payouts]) {
    const members = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(room));
    for (const [name, { value }] of Object.entries(members)) {
      if (name !== "constructor" && typeof value === "function") doors.push(jest.spyOn(room as never, name as never));
    }
  }
});
afterAll(async () => {
  took.sort((a, b) => b.ms - a.ms);
  // A figure to look at, since a busy machine makes no good judge of it.
  console.log(
    took
      .slice(0, 3)
      .map(({ ms, name }) => `${ms.toFixed(1)} ms: ${name}`)
      .join("\n"),
  );
  await socket.dispose();
  await api.close();
});

async function overHttp({ query, variables, operationName }: Attack): Promise<readonly Refusal[]> {
  const response = await fetch(`${api.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${api.operator.secret}` },
    body: JSON.stringify({ query, variables, operationName }),
  });
  const answer = (await response.json()) as { data?: unknown; errors: Refusal[] };
  expect([response.status, answer.data]).toEqual([400, undefined]);
  return answer.errors;
}

function overWebSocket({ query, variables, operationName }: Attack): Promise<readonly Refusal[]> {
  return new Promise((resolve, reject) => {
    socket.subscribe(
      { query, variables: variables ?? null, operationName: operationName ?? null },
      {
        next: (result) => reject(new Error(`answered: ${JSON.stringify(result)}`)),
        error: (errors) => (Array.isArray(errors) ? resolve(errors as unknown as Refusal[]) : reject(errors)),
        complete: () => reject(new Error("completed")),
      },
    );
  });
}

const told = (errors: readonly Refusal[]) => errors.map(({ message, extensions: { code } }) => ({ message, code }));

it("there are at least forty", () => {
  expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
  expect(attacks.length).toBeGreaterThanOrEqual(40);
});

it.each(attacks)("$name", async (attack) => {
  const started = performance.now();
  const refusals = await overHttp(attack);
  took.push({ ms: performance.now() - started, name: attack.name });
  expect(refusals.length).toBeGreaterThan(0);
  // graphql-js says in one more error that there were too many.
  expect(refusals.length).toBeLessThanOrEqual(VALIDATION_ERRORS_MAX + 1);
  for (const { extensions } of refusals) expect(codes).toContain(extensions.code);
  expect(told(await overWebSocket(attack))).toEqual(told(refusals));
  expect(doors.filter(({ mock }) => mock.calls.length > 0)).toEqual([]);
});
