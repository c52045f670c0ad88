/** Two thousand keys over the API, each sent several times at once, again later, changed, and over connections that break: one drawdown each. */
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { FacilityOpenDocument } from "../../codegen/generated/graphql";
import { formatNano } from "../../src/money/nano";
import { openApi, type Party, type TestApi } from "../api/an-api";

jest.setTimeout(240_000);

const KEYS = 2_000;
const CONNECTIONS = 24;
const FACILITIES = 20;
const text = `mutation ($input: DrawdownCreateInput!, $key: String!) {
  drawdownCreate(input: $input) @idempotent(key: $key) {
    drawdown { id funded { amount } } creditLot { id } userErrors { code field }
  }
}`;

interface Answer {
  readonly status: number;
  readonly drawdownId: string | null;
  readonly lotId: string | null;
  readonly amount: string | null;
  readonly codes: readonly string[];
}

/** What a key stands for; every amount is another. */
interface Act {
  readonly key: string;
  readonly facility: number;
  readonly amountNanoUsd: bigint;
  readonly copies: number;
  /** Its first copy is sent over a connection that is gone before an answer can come. */
  readonly broken: boolean;
}

const acts: readonly Act[] = Array.from({ length: KEYS }, (_, n) => ({
  key: `drawdown/${n}`,
  facility: n % FACILITIES,
  amountNanoUsd: 1_000_000_001n + BigInt(n),
  // Most are sent by a client that was impatient once; some by one that has lost its mind.
  copies: n % 200 === 7 ? 50 : n % 20 === 3 ? 5 : 2,
  broken: n % 20 === 11,
}));

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
let api: TestApi;
let partner: Party;
let startups: readonly Party[];
let facilityIds: readonly string[];
/** By key, from its first copies. */
const first = new Map<string, Answer>();

const bodyOf = ({ key, facility, amountNanoUsd }: Act): string =>
  JSON.stringify({
    query: text,
    variables: {
      input: {
        facilityId: facilityIds[facility],
        startupId: startups[facility]!.id,
        amount: formatNano(amountNanoUsd),
      },
      key,
    },
  });

/** On a machine that has other work a request may wait too long for a connection, or lose its own: with its key it comes again. */
async function post(body: string, by = partner): Promise<Answer> {
  for (;;) {
    const { status, answer } = await send(body, by).catch(() => ({ status: 0, answer: '{"retryable":true}' }));
    if (!answer.includes('"retryable":true')) return answerOf(status, answer);
  }
}

function send(body: string, by: Party): Promise<{ status: number; answer: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${by.secret}`, "content-type": "application/json" };
    const sent = request(`${api.url}/graphql`, { method: "POST", agent, headers }, (response) => {
      let answer = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        answer += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, answer })).on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function answerOf(status: number, answer: string): Answer {
  const { data, errors } = JSON.parse(answer);
  if (errors !== undefined) throw new Error(answer);
  const { drawdown, creditLot, userErrors } = data.drawdownCreate;
  return {
    status,
    drawdownId: drawdown?.id ?? null,
    lotId: creditLot?.id ?? null,
    amount: drawdown?.funded.amount ?? null,
    codes: userErrors.map(({ code }: { code: string }) => code),
  };
}

/** Sends it whole, and closes the socket at once: whether it is done nobody can know. */
function sendAndBreak(body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(api.url);
    const head = `POST /graphql HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${partner.secret}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    const socket = connect(Number(port), hostname);
    socket.on("error", reject);
    socket.write(head + body, () => socket.destroy());
    socket.on("close", () => resolve());
  });
}

/** As many at a time as there are connections, so that nobody waits for its turn for long. */
async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: CONNECTIONS / 2 }, worker));
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
const rows = (statement: string): Promise<Record<string, string>[]> => api.db.source.query(statement);

beforeAll(async () => {
  api = await openApi({ GRAPHQL_POINTS_PER_MINUTE: "1000000000" });
  partner = await api.a("CAPITAL_PARTNER");
  startups = await Promise.all(Array.from({ length: FACILITIES }, () => api.a("STARTUP")));
  facilityIds = await Promise.all(
    startups.map(async (_, n) => {
      const { facilityOpen } = await partner.read(FacilityOpenDocument, {
        input: { name: `Facility ${n}`, limit: "1000000", multiplier: "1.25" },
      });
      return facilityOpen.facility!.id;
    }),
  );
});
afterAll(async () => {
  agent.destroy();
  await api?.close();
});

test("each key is done once, however many copies of it come at once", async () => {
  await inParallel(acts, async (act) => {
    const body = bodyOf(act);
    if (act.broken) await sendAndBreak(body);
    const answers = await Promise.all(Array.from({ length: act.copies }, () => post(body)));
    first.set(act.key, answers[0]!);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]).toMatchObject({ status: 200, codes: [], amount: formatNano(act.amountNanoUsd) });
  });
  expect(new Set([...first.values()].map(({ drawdownId }) => drawdownId)).size).toBe(KEYS);
  expect(new Set([...first.values()].map(({ lotId }) => lotId)).size).toBe(KEYS);
});

test("a repeat has the answer of the first time, and another body under the same key is refused", async () => {
  const changes = (act: Act) => acts.indexOf(act) % 8 === 0;
  await inParallel(acts, async (act) => {
    const repeat = post(bodyOf(act));
    if (changes(act)) {
      const refused = await post(bodyOf({ ...act, amountNanoUsd: act.amountNanoUsd + 1n }));
      expect(refused).toMatchObject({ drawdownId: null, codes: ["IDEMPOTENCY_KEY_REUSED"] });
    }
    expect(await repeat).toEqual(first.get(act.key));
  });
});

test("the books have each act once, to the last nano-dollar", async () => {
  const total = sum(acts.map(({ amountNanoUsd }) => amountNanoUsd));
  const [drawn] = await rows(
    "SELECT count(*) AS count, sum(funded_nano_usd)::text AS funded, count(DISTINCT funded_nano_usd) AS amounts FROM drawdown",
  );
  expect(drawn).toEqual({ count: `${KEYS}`, funded: `${total}`, amounts: `${KEYS}` });
  expect((await rows("SELECT count(*) AS count FROM credit_lot"))[0]).toEqual({ count: `${KEYS}` });
  expect(await rows("SELECT code, count(*) AS count FROM transfer GROUP BY code ORDER BY code")).toEqual([
    { code: "FUNDING", count: `${KEYS}` },
    { code: "ISSUANCE", count: `${KEYS}` },
  ]);
  const [booked] = await rows("SELECT sum(amount)::text AS amount FROM transfer WHERE code = 'FUNDING'");
  expect(booked).toEqual({ amount: `${total}` });
  const [trail] = await rows("SELECT count(*) AS count FROM audit_event WHERE action = 'drawdown.create'");
  expect(trail).toEqual({ count: `${KEYS}` });
  const [keys] = await rows("SELECT count(*) AS count FROM idempotency_key");
  expect(keys).toEqual({ count: `${KEYS}` });
  const balances = await Promise.all(startups.map(({ uuid }) => api.services.ledger.balance(uuid)));
  const perStartup = startups.map((_, n) => acts.filter(({ facility }) => facility === n));
  for (const [n, { availableNanoCredit }] of balances.entries()) {
    // Each lot is rounded by itself, half to even.
    const lots = perStartup[n]!.map(({ amountNanoUsd }) => quarterMore(amountNanoUsd));
    expect(availableNanoCredit).toBe(sum(lots));
  }
});

test("a key is its organisation's: another one's is another act", async () => {
  const other = await api.a("CAPITAL_PARTNER");
  const { facilityOpen } = await other.read(FacilityOpenDocument, {
    input: { name: "Another", limit: "1000", multiplier: "1.25" },
  });
  const [act] = acts;
  const body = bodyOf(act!).replace(facilityIds[act!.facility]!, facilityOpen.facility!.id);
  const answer = await post(body, other);
  expect(answer.codes).toEqual([]);
  expect(answer.drawdownId).not.toBe(first.get(act!.key)!.drawdownId);
});

function quarterMore(amountNanoUsd: bigint): bigint {
  const [whole, rest] = [(amountNanoUsd * 5n) / 4n, (amountNanoUsd * 5n) % 4n];
  return rest > 2n || (rest === 2n && whole % 2n === 1n) ? whole + 1n : whole;
}
