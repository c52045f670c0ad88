/** Apollo's way and the short way through the same pipeline: one answer, byte for byte, for every committed operation. */
import { createHash } from "node:crypto";
import { openApi, opened, type Party, registered, type TestApi } from "./an-api";
import { type CommittedOperation, committedOperations, type SampleIds } from "./committed-operations";

let api: TestApi;
let ids: SampleIds;
const parties: Record<string, Party | null> = { nobody: null };

beforeAll(async () => {
  api = await openApi({ GRAPHQL_ANONYMOUS_POINTS_PER_MINUTE: "1000000", GRAPHQL_POINTS_PER_MINUTE: "1000000" });
  const provider = await api.a("PROVIDER", 'A "provider" of \\ tests \u2028 \ud83d\ude80');
  const startup = await api.a("STARTUP");
  const partner = await api.a("CAPITAL_PARTNER");
  const endpoint = await registered(provider, "gpu-1");
  const facility = await opened(partner, "1000");
  ids = { id: endpoint, endpointId: endpoint, facilityId: facility, providerId: provider.id, startupId: startup.id };
  Object.assign(parties, { operator: api.operator, provider, startup, partner });
});
afterAll(() => api.close());

async function post(operation: { text: string }, variables: unknown, party: Party | null, byApollo: boolean) {
  const sha256Hash = createHash("sha256").update(operation.text).digest("hex");
  // What comes with a persisted query is Apollo's to look at.
  const extensions = byApollo ? { extensions: { persistedQuery: { version: 1, sha256Hash } } } : {};
  const response = await fetch(`${api.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(party ? { authorization: `Bearer ${party.secret}` } : {}) },
    body: JSON.stringify({ query: operation.text, variables, ...extensions }),
  });
  const headers = Object.fromEntries(
    [...response.headers].filter(([name]) => !/date|x-request-id|ratelimit|length/.test(name)),
  );
  return { status: response.status, headers, text: unique(await response.text()) };
}

/** Without what tells one request from the next. */
const unique = (text: string): string =>
  text
    .replace(/"requestId":"[^"]*"/g, '"requestId":"…"')
    .replace(/"currentlyAvailable":\d+/g, '"currentlyAvailable":0000000')
    .replace(/"remaining":\d+,"resetAt":"[^"]*"/g, '"remaining":0,"resetAt":"…"')
    .replace(/"asOf":"[^"]*"/g, '"asOf":"2026-01-01T00:00:00.000Z"');

const operations = committedOperations.filter(({ kind }) => kind !== "subscription");
const hasNoEffect = ({ kind }: CommittedOperation, party: string) => kind === "query" || party === "nobody";

describe.each(["nobody", "operator", "provider", "startup", "partner"])("as %s", (name) => {
  it.each(operations.filter((operation) => hasNoEffect(operation, name)))("$name", async (operation) => {
    const party = parties[name]!;
    const variables = operation.variables(ids);
    const cold = await post(operation, variables, party, false);
    const answers = [];
    // Its second use compiles a document: for those who come after nobody, both ways have done that.
    for (const byApollo of name === "nobody" ? [true, false, true, false] : [true, false])
      answers.push(await post(operation, variables, party, byApollo));
    for (const answer of answers) expect(answer).toEqual(cold);
    expect([200, 400]).toContain(cold.status);
    expect(cold.text).toContain('"throttleStatus"');
  });
});
