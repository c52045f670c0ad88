/** Logging in over HTTP: the cookie, whom it lets in from where, and how it ends. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { decodeId } from "../../schema/node";
import { type LocalIssuer, startIssuer } from "../support/local-issuer";
import { openApi, type Party, type TestApi } from "./an-api";

let api: TestApi;
let idp: LocalIssuer;
let startup: Party;

beforeAll(async () => {
  idp = await startIssuer("exergy", () => new Date());
  api = await openApi({ OIDC_ISSUER: idp.url, OIDC_AUDIENCE: "exergy" });
  startup = await api.a("STARTUP");
});
afterAll(async () => {
  await api.close();
  await idp.goDown();
});

const at = (method: string, headers: Record<string, string>) => fetch(`${api.url}/session`, { method, headers });
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });

async function loggedIn(secret = startup.secret): Promise<{ cookie: string; attributes: string; answer: unknown }> {
  const response = await at("POST", bearer(secret));
  expect(response.status).toBe(201);
  const [cookie, ...attributes] = response.headers.get("set-cookie")!.split("; ");
  return { cookie: cookie!, attributes: attributes.join("; "), answer: await response.json() };
}

async function viewerFor(headers: Record<string, string>) {
  const response = await fetch(`${api.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query: "{ viewer { scopes session { id current } member { email } apiKey { id } } }" }),
  });
  const { data, errors } = (await response.json()) as {
    data?: { viewer: { session: { id: string; current: boolean } | null; member: { email: string } | null } | null };
    errors?: { extensions: { code: string } }[];
  };
  return data?.viewer ?? errors?.[0]?.extensions.code ?? null;
}

test("a key is traded for a cookie that no script can read and no other site sends", async () => {
  const { cookie, attributes, answer } = await loggedIn();
  expect(cookie).toMatch(/^exergy_session=[A-Za-z0-9_-]{43}$/);
  expect(attributes).toMatch(/^Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800$/);
  expect(answer).toMatchObject({ organisationId: startup.id, kind: "STARTUP", scopes: ["READ", "WRITE", "ADMIN"] });
  const viewer = await viewerFor({ cookie: `theme=dark; ${cookie}; x=y` });
  expect(viewer).toMatchObject({ session: { id: (answer as { sessionId: string }).sessionId, current: true } });
  const who = await at("GET", { cookie });
  expect([who.status, await who.json()]).toEqual([200, answer]);
});

test("a person's token is traded too, and the session stands for the person", async () => {
  const email = "ada@people.example";
  await startup.text(
    'mutation { memberAdd(input: { email: "ada@people.example", displayName: "Ada", role: VIEWER }) { userErrors { message } } }',
  );
  const token = await idp.token({ sub: "ada", email, email_verified: true });
  expect(await viewerFor(bearer(token))).toMatchObject({ member: { email }, session: null, scopes: ["READ"] });
  const { cookie, answer } = await loggedIn(token);
  expect(answer).toMatchObject({ apiKeyId: null, scopes: ["READ"] });
  expect(await viewerFor({ cookie })).toMatchObject({ member: { email }, apiKey: null, session: { current: true } });
  const wrongly = { ...bearer(token), "x-exergy-organisation": "nothing" };
  expect(await viewerFor(wrongly)).toBe("UNAUTHENTICATED");
  expect(await viewerFor({ ...bearer(token), "x-exergy-organisation": startup.id })).toMatchObject({
    member: { email },
  });
  expect(await viewerFor({ ...bearer(token), "x-exergy-organisation": api.operator.id })).toBe("UNAUTHENTICATED");
});

test.each<readonly [string, Record<string, string>, boolean]>([
  ["the same origin", { "sec-fetch-site": "same-origin" }, true],
  ["the address bar", { "sec-fetch-site": "none" }, true],
  ["no browser", {}, true],
  ["the public origin behind a proxy", { origin: "http://localhost" }, true],
  ["another site", { "sec-fetch-site": "cross-site" }, false],
  ["a sibling domain", { "sec-fetch-site": "same-site" }, false],
  ["another origin", { origin: "https://evil.example" }, false],
  ["another port", { origin: "http://localhost:1" }, false],
  ["a sandboxed frame", { origin: "null" }, false],
  ["another site that claims the right origin", { "sec-fetch-site": "cross-site", origin: "http://localhost" }, false],
])("a cookie from %s counts: %o %s", async (_from, headers, counts) => {
  const { cookie } = await loggedIn();
  const viewer = await viewerFor({ cookie, ...headers });
  if (counts) expect(viewer).toMatchObject({ session: { current: true } });
  else expect(viewer).toBe("UNAUTHENTICATED");
  // Whoever knows a key is no victim of a forged request: a bearer counts from anywhere.
  expect(await viewerFor({ ...bearer(startup.secret), ...headers })).toMatchObject({ session: null });
  expect((await at("DELETE", { cookie, ...headers })).status).toBe(counts ? 204 : 401);
});

test("the host that the client called is its own origin too", async () => {
  const { cookie } = await loggedIn();
  expect(await viewerFor({ cookie, origin: api.url })).toMatchObject({ session: { current: true } });
});

describe("a WebSocket", () => {
  const sockets: WebSocket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.terminate();
  });

  /** The server's first answer to connection_init: its message, or the code that it closes with. */
  async function connected(headers: Record<string, string>, payload: Record<string, string> = {}) {
    const socket = new WebSocket(`${api.url.replace("http", "ws")}/graphql`, "graphql-transport-ws", { headers });
    sockets.push(socket);
    const closed = once(socket, "close").then(([code]) => code as number);
    await once(socket, "open");
    const message = once(socket, "message").then(([text]) => (JSON.parse(String(text)) as { type: string }).type);
    socket.send(JSON.stringify({ type: "connection_init", payload }));
    return { answer: await Promise.race([message, closed]), closed };
  }

  test("with the cookie opens from this origin, and from no other", async () => {
    const { cookie } = await loggedIn();
    expect((await connected({ cookie, origin: api.url })).answer).toBe("connection_ack");
    expect((await connected({ cookie, origin: "https://evil.example" })).answer).toBe(4403);
    expect((await connected({ cookie, origin: "null" })).answer).toBe(4403);
    expect((await connected({ cookie: "exergy_session=made-up", origin: api.url })).answer).toBe(4403);
  });

  test("closes with its session, also when another process ended it, and with its person", async () => {
    const ended = await loggedIn();
    const ending = await connected({ cookie: ended.cookie });
    await at("DELETE", { cookie: ended.cookie });
    expect(await ending.closed).toBe(4403);

    const elsewhere = await loggedIn();
    const { closed } = await connected({ cookie: elsewhere.cookie });
    const startedMs = performance.now();
    // Past this process's door and bus.
    await api.db.source.query("UPDATE session SET revoked_at = now() WHERE id = $1", [
      decodeId((elsewhere.answer as { sessionId: string }).sessionId)!.key,
    ]);
    expect(await closed).toBe(4403);
    expect(performance.now() - startedMs).toBeLessThan(5_000);

    await startup.text(
      'mutation { memberAdd(input: { email: "bob@people.example", displayName: "Bob", role: ADMIN }) { userErrors { message } } }',
    );
    const token = await idp.token({ sub: "bob", email: "bob@people.example", email_verified: true });
    const person = await connected({}, { authorization: `Bearer ${token}`, "x-exergy-organisation": startup.id });
    expect(person.answer).toBe("connection_ack");
    const { data } = await startup.text("{ members(first: 1) { nodes { id email } } }");
    const [member] = (data as { members: { nodes: { id: string }[] } }).members.nodes;
    await startup.text("mutation ($id: ID!) { memberRemove(input: { id: $id }) { userErrors { message } } }", {
      id: member!.id,
    });
    expect(await person.closed).toBe(4403);
  });

  test("closes when its token expires", async () => {
    const email = "ada@people.example";
    const token = await idp.token(
      { sub: "ada", email, email_verified: true },
      { expiresAt: new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 1_000) },
    );
    const { answer, closed } = await connected({}, { authorization: `Bearer ${token}` });
    expect([answer, await closed]).toEqual(["connection_ack", 4403]);
  });
});

test("logging out ends it everywhere, and twice is no fault", async () => {
  const { cookie } = await loggedIn();
  for (let times = 0; times < 2; times++) {
    const response = await at("DELETE", { cookie });
    expect(response.status).toBe(204);
    expect(response.headers.get("set-cookie")).toMatch(/^exergy_session=; .*Max-Age=0/);
  }
  expect(await viewerFor({ cookie })).toBe("UNAUTHENTICATED");
  expect((await at("GET", { cookie })).status).toBe(401);
  expect((await at("DELETE", {})).status).toBe(401);
});

test("an administrator ends another's session by its id; of another organisation there is none", async () => {
  const { cookie, answer } = await loggedIn();
  const { sessionId } = answer as { sessionId: string };
  expect(decodeId(sessionId)?.type).toBe("Session");
  const end = `mutation ($id: ID!) { sessionRevoke(input: { id: $id }) { session { revokedAt } userErrors { code } } }`;
  const stranger = await api.a("STARTUP", "Stranger");
  expect((await stranger.text(end, { id: sessionId })).data).toEqual({
    sessionRevoke: { session: null, userErrors: [{ code: "NOT_FOUND" }] },
  });
  expect((await startup.text(end, { id: sessionId })).data).toEqual({
    sessionRevoke: { session: { revokedAt: expect.any(String) }, userErrors: [] },
  });
  expect(await viewerFor({ cookie })).toBe("UNAUTHENTICATED");
});

test("without a bearer, with a bad one, or by another method there is no log-in", async () => {
  const { cookie } = await loggedIn();
  expect((await at("POST", {})).status).toBe(401);
  expect((await at("POST", { cookie })).status).toBe(401);
  expect((await at("POST", bearer("exg_nothing"))).status).toBe(401);
  expect((await at("POST", bearer("a.b.c"))).status).toBe(401);
  const put = await at("PUT", {});
  expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, POST, DELETE"]);
});
