/** Requests that can be read in two ways, at the API: refused, or read in one; nobody gets an answer to what was hidden in them. */
import { type Doorway, misread, smuggle, smugglings } from "../support/smuggling";
import { openApi, type TestApi } from "./an-api";

let api: TestApi;
let door: Doorway;

beforeAll(async () => {
  api = await openApi({ GRAPHQL_POINTS_PER_MINUTE: "100000000", GRAPHQL_ANONYMOUS_POINTS_PER_MINUTE: "100000000" });
  door = {
    url: api.url,
    line: "POST /graphql HTTP/1.1",
    headers: ["host: x", `authorization: Bearer ${api.operator.secret}`, "content-type: application/json"],
    body: JSON.stringify({ query: "{ viewer { organisation { name } } }" }),
  };
});
afterAll(() => api.close());

it.each(smugglings.map((smuggling) => [smuggling.what, smuggling] as const))("%s", async (_, smuggling) => {
  const read = await smuggle(door, smuggling);
  expect(misread(smuggling, read)).toBeNull();
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  expect(api.logged).toEqual([]);
});
