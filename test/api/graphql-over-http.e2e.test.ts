/** The GraphQL over HTTP specification, by the audits of its own reference implementation. */
import { type AuditOk, auditServer, serverAudits } from "graphql-http";
import { openApi, type TestApi } from "./an-api";

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api.close());

const url = () => `${api.url}/graphql`;
const audits = serverAudits({ url: () => url(), fetchFn: fetch });

describe("what every server MUST do", () => {
  it.each(audits.filter(({ name }) => name.startsWith("MUST")))("$name", async ({ fn }) => {
    expect(await fn()).toMatchObject({ status: "ok" } satisfies Partial<AuditOk>);
  });
});

it("no audit ends in an error, and what we leave undone of SHOULD and MAY is known", async () => {
  const results = await auditServer({ url: url(), fetchFn: fetch });
  expect(results.filter(({ status }) => status === "error")).toEqual([]);
  const undone = results.filter(({ status }) => status !== "ok").map(({ name }) => name);
  expect(undone.sort()).toEqual([
    "MAY accept application/x-www-form-urlencoded formatted GET requests",
    "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/graphql-response+json",
    "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/json",
    // 400 whatever is accepted, as Apollo Server has it: proxies and logs see a refusal as one.
    "SHOULD use 200 status code on document parsing failure when accepting application/json",
    "SHOULD use 200 status code on document validation failure when accepting application/json",
    "SHOULD use a status code of 200 on variable coercion failure when accepting application/json",
  ]);
});
