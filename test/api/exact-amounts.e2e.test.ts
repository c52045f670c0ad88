/** Amounts that no double can hold come in and go out with every digit, over HTTP, WebSocket and event stream. */
import { print } from "graphql";
import {
  CreditBalanceChangesDocument,
  CreditBalanceDocument,
  DrawdownCreateDocument,
  DrawdownsDocument,
  FacilityOpenDocument,
} from "../../codegen/generated/graphql";
import { newId } from "../../src/platform/ids";
import { following } from "../support/follow";
import { send } from "../support/raw-request";
import { openApi, type Party, type TestApi } from "./an-api";

/** 2^53 + 1 nano-dollars, and what they become at 1.25: a double would change the last digit of both. */
const FUNDED = "9007199.254740993";
const ISSUED = "11258999.068426241";
const FUNDED_NANO = 9_007_199_254_740_993n;

let api: TestApi;
let partner: Party;
let startup: Party;
let facilityId: string;

beforeAll(async () => {
  api = await openApi();
  [partner, startup] = [await api.a("CAPITAL_PARTNER"), await api.a("STARTUP")];
  const { facilityOpen } = await partner.read(FacilityOpenDocument, {
    input: { name: "Large", limit: "999999999.999999999", multiplier: "1.25" },
  });
  facilityId = facilityOpen.facility!.id;
});
afterAll(() => api.close());

const draw = (amount: string) =>
  partner.read(DrawdownCreateDocument, {
    input: { facilityId, startupId: startup.id, amount },
    idempotencyKey: newId(),
  });
const post = (by: Party, body: string, headers: Record<string, string> = {}) =>
  send(api.url, { path: "/graphql", secret: by.secret, headers, body }).answer;

it("is a test of amounts that a double bends", () => {
  for (const exact of [FUNDED_NANO, BigInt(ISSUED.replace(".", ""))]) expect(BigInt(Number(exact))).not.toBe(exact);
});

it("a drawdown of more than 2^53 nano-dollars is answered, stored and issued to the last digit", async () => {
  const { drawdownCreate } = await draw(FUNDED);
  expect(drawdownCreate.userErrors).toEqual([]);
  const [row] = await api.db.source.query("SELECT funded_nano_usd::text AS funded FROM drawdown");
  expect(row.funded).toBe(`${FUNDED_NANO}`);
  const body = JSON.stringify({ query: print(DrawdownsDocument), variables: {} });
  const { text } = await post(partner, body);
  expect(text).toContain(`"amount":"${FUNDED}"`);
  const { text: balance } = await post(startup, JSON.stringify({ query: print(CreditBalanceDocument) }));
  expect(balance).toContain(`"issued":{"amount":"${ISSUED}"`);
  expect(balance).toContain(`"available":{"amount":"${ISSUED}"`);
});

it("a facility's limit of nearly a billion dollars keeps its nine decimal places", async () => {
  const query = "{ facilities(first: 1) { nodes { limit { amount } } } }";
  expect((await post(partner, JSON.stringify({ query }))).text).toContain('"amount":"999999999.999999999"');
});

it("a subscription tells the same digits over WebSocket and as events", async () => {
  const connection = following(api.url, startup.secret);
  const stream = connection.follow(CreditBalanceChangesDocument, {});
  expect((await stream.next()).creditBalance.issued.amount).toBe(ISSUED);
  const events = send(api.url, {
    path: "/graphql",
    secret: startup.secret,
    headers: { accept: "text/event-stream" },
    body: { query: print(CreditBalanceChangesDocument), variables: {} },
  });
  await events.sees(`"issued":{"amount":"${ISSUED}"`);
  await draw("0.000000008");
  expect((await stream.next()).creditBalance.issued.amount).toBe("11258999.068426251");
  await events.sees('"issued":{"amount":"11258999.068426251"');
  events.leave();
  await events.answer;
  await connection.close();
});

describe("an amount that came as a JSON number is refused, as its digits may be lost already", () => {
  const text = `mutation ($input: DrawdownCreateInput!) { drawdownCreate(input: $input) @idempotent(key: "a-number") { drawdown { id } userErrors { message } } }`;
  const variables = (amount: string) =>
    `{"input":{"facilityId":${JSON.stringify(facilityId)},"startupId":${JSON.stringify(startup.id)},"amount":${amount}}}`;
  const drawdowns = async () => (await api.db.source.query("SELECT id FROM drawdown")).length;

  it.each(["9007199254740993", "12345678901234567891", "9007199.254740993", "1", "1e3"])("%s", async (amount) => {
    const before = await drawdowns();
    const asked = `{"query":${JSON.stringify(text)},"variables":${variables(amount)}}`;
    const { text: answer } = await post(partner, asked);
    expect(JSON.parse(answer).errors[0].message).toMatch(/Decimal is written as a string, got number/);
    const literal = text
      .replace("($input: DrawdownCreateInput!) ", "")
      .replace("$input", `{facilityId: "${facilityId}", startupId: "${startup.id}", amount: ${amount}}`);
    const { text: other } = await post(partner, JSON.stringify({ query: literal }));
    expect(JSON.parse(other).errors[0].message).toMatch(/Decimal is written as a string/);
    expect(await drawdowns()).toBe(before);
  });

  it("over WebSocket too", async () => {
    const before = await drawdowns();
    const connection = following(api.url, partner.secret);
    const asked = { query: text, variables: JSON.parse(variables("9007199254740993")) };
    const failure = await new Promise((resolve) => {
      connection.client.subscribe(asked, {
        next: (message) => resolve(message.errors),
        error: resolve,
        complete: () => resolve(null),
      });
    });
    expect(JSON.stringify(failure)).toMatch(/Decimal is written as a string, got number/);
    await connection.close();
    expect(await drawdowns()).toBe(before);
  });

  it("and a whole number over what an Int holds is no count", async () => {
    const query = `{ revenueEstimate(input: {accelerator: "H100", monthlyGpuHours: 9007199254740993}) { monthlyRevenue { amount } } }`;
    const { text: answer } = await post(partner, JSON.stringify({ query }));
    expect(JSON.parse(answer).errors[0].message).toMatch(/Int cannot represent|BigInt is written as a string/);
  });
});
