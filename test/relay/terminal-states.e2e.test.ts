/** Every end of a request, whole and streamed, at every point where it can come: what is charged, what is closed, and that nothing is left. */
import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { UsageRecord } from "../../entities/usage-record";
import { priceNanoCredit } from "../../src/pricing/quote";
import { until, watchResources } from "../support/leftovers";
import { ownTime } from "../support/own-time";
import { eventsOf, type RawExchange, send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, delta, event, httpAnswer } from "../support/scripted-provider";
import { type UpstreamWatch, watchUpstreams } from "../support/upstream-watch";

const MODEL = "acme/scripted";
const messages = [{ role: "user" as const, content: "How does it end?" }];
/** What is charged where the provider reported nothing. */
const estimatedPromptTokens = Math.ceil(Buffer.byteLength(JSON.stringify(messages)) / 4);
const usage = { prompt_tokens: 9, completion_tokens: 2 };

/** A provider's answer up to one point, and what of it a client can have had. */
interface Point {
  readonly where: string;
  readonly sent: string;
  readonly tokens: number;
  readonly reported: boolean;
}

const inChunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const streamHead = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const role = event({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }] });
const finish = event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
const usageChunk = event({ choices: [], usage });
const done = "data: [DONE]\n\n";
const wholeAnswer = httpAnswer("200 OK", completion("Hi you", { usage }));
const wholeHead = wholeAnswer.indexOf("\r\n\r\n") + 4;

const streamPoints: readonly Point[] = [
  { where: "before the headers", sent: "", tokens: 0, reported: false },
  { where: "after the headers", sent: streamHead, tokens: 0, reported: false },
  { where: "before the first token", sent: streamHead + inChunk(role), tokens: 0, reported: false },
  { where: "after the first token", sent: streamHead + inChunk(role + delta("Hi")), tokens: 1, reported: false },
  {
    where: "within an event",
    sent: streamHead + inChunk(role + delta("Hi") + delta(" you").slice(0, 60)),
    tokens: 1,
    reported: false,
  },
  {
    where: "in the middle",
    sent: streamHead + inChunk(role + delta("Hi")) + inChunk(delta(" you")),
    tokens: 2,
    reported: false,
  },
  {
    where: "before its [DONE]",
    sent: streamHead + inChunk(role + delta("Hi") + delta(" you") + finish + usageChunk),
    tokens: 2,
    reported: true,
  },
];
const wholePoints: readonly Point[] = (
  [
    ["before the headers", 0],
    ["after the headers", wholeHead],
    ["after the first byte", wholeHead + 1],
    ["in the middle", Math.floor((wholeHead + wholeAnswer.length) / 2)],
    ["before its last byte", wholeAnswer.length - 1],
  ] as const
).map(([where, to]) => ({ where, sent: wholeAnswer.slice(0, to), tokens: 0, reported: false }));

interface Cause {
  readonly what: string;
  /** Null: it is the client that ends it. */
  readonly act: ((socket: TLSSocket, stream: boolean) => void) | null;
  readonly status: number;
  readonly code: string;
}

const failed = { status: 502, code: "upstream_failed" };
const garbage: Cause = {
  what: "the provider writes what is no HTTP",
  act: (socket) => void socket.write("\u0000zz\r\n\r\n"),
  ...failed,
};
const causes: readonly Cause[] = [
  { what: "the client leaves", act: null, status: 0, code: "" },
  { what: "the provider resets", act: (socket) => void socket.destroy(), ...failed },
  { what: "the provider closes", act: (socket) => void socket.end(), ...failed },
  garbage,
  { what: "the provider falls silent", act: () => undefined, status: 504, code: "upstream_timeout" },
];

let world: RelayWorld;
let provider: WorldProvider;
let watch: UpstreamWatch;
let resourcesAreBack: () => Promise<void>;
/** From the moment that a client left, or that the relay gave up, to the provider's socket closed. */
const closedAfterMs: number[] = [];

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    environment: { UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "400", UPSTREAM_IDLE_TIMEOUT_MS: "400" },
    providers: [{ model: MODEL, scripted: true }],
  });
  provider = world.providers[0]!;
  watch = watchUpstreams(world.relay);
});
beforeEach(() => {
  world.forgetFailures();
  // What a row wants written it writes itself.
  provider.scripted.play(() => undefined);
});
afterEach(async () => {
  await expectNothingLeft();
  expect(world.logged).toEqual([]);
});
afterAll(async () => {
  watch.stop();
  await world.stop();
  await resourcesAreBack();
});

/** Right after, and again when every sweep has run: what had been left for it would show as swept. */
async function expectNothingLeft(): Promise<void> {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  world.clock.shiftMs = 3_600_000;
  const swept = await world.relay.services.metering.sweepExpiredHolds();
  await world.relay.services.metering.beatLeases();
  world.clock.shiftMs = 0;
  expect(swept).toBe(0);
  await world.expectNothingLeft();
}

const ask = (startup: WorldStartup, stream: boolean) =>
  send(world.relay.url, { secret: startup.secret, body: { model: MODEL, messages, stream, max_tokens: 10 } });
const lastRequest = () => provider.scripted.requests.at(-1)!;
const lastRequestId = () => /^x-request-id: (\S+)$/im.exec(lastRequest().head)![1]!;
const recordOf = (id: string) => world.db.source.getRepository(UsageRecord).findOneBy({ id });
const spentBy = async ({ id }: WorldStartup) => (await world.services.ledger.balance(id)).spentNanoCredit;

function priceOf(promptTokens: number, completionTokens: number): bigint {
  const [route] = world.relay.services.routing.routesOf(MODEL)!;
  return priceNanoCredit(route!.quote!, { promptTokens, completionTokens });
}

interface Charged {
  readonly outcome: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly usageBounded: boolean;
}

/** One record that says so, with its charge to the nano-credit; or none, and nothing spent. */
async function expectCharged(id: string, charged: Charged | null): Promise<bigint> {
  if (charged === null) {
    expect(await recordOf(id)).toBeNull();
    return 0n;
  }
  const record = await until("the usage record", () => recordOf(id));
  const chargeNanoCredit = priceOf(charged.promptTokens, charged.completionTokens);
  expect(record).toMatchObject({ ...charged, chargeNanoCredit });
  return chargeNanoCredit;
}

const partOf = ({ tokens, reported }: Point, outcome: string): Charged | null =>
  tokens === 0
    ? null
    : {
        outcome,
        promptTokens: reported ? usage.prompt_tokens : estimatedPromptTokens,
        completionTokens: tokens,
        usageBounded: !reported,
      };

/** Plays the answer up to its point; resolves when the relay has read all of it. */
async function playTo(exchange: RawExchange, point: Point, asked: number): Promise<TLSSocket> {
  await until("the request at the provider", () => provider.scripted.requests.length > asked);
  const { socket } = lastRequest();
  if (point.sent !== "") {
    socket.write(point.sent);
    const body = point.sent.slice(point.sent.indexOf("\r\n\r\n") + 4);
    const bodyBytes = body.startsWith("{") ? body.length : lengthInChunks(body);
    await until("the relay to have read it", () => watch.last.headMs !== null && watch.last.bytes === bodyBytes);
  }
  if (point.tokens > 0) await exchange.sees(point.tokens === 1 ? '"Hi"' : '" you"');
  return socket;
}

function lengthInChunks(text: string): number {
  const size = Number.parseInt(text, 16);
  if (Number.isNaN(size)) return 0;
  const from = text.indexOf("\r\n") + 2;
  return size + lengthInChunks(text.slice(from + size + 2));
}

async function closed(socket: TLSSocket): Promise<void> {
  const since = ownTime();
  if (!socket.closed) await once(socket, "close");
  closedAfterMs.push(since.stop());
}

interface Row {
  readonly name: string;
  readonly cause: Cause;
  readonly point: Point;
  readonly stream: boolean;
}

const rows: readonly Row[] = causes
  .flatMap((cause) =>
    [true, false].flatMap((stream) =>
      (stream ? streamPoints : wholePoints).map((point) => ({
        name: `${cause.what} ${point.where}${stream ? " of a stream" : " of a whole answer"}: ${
          point.tokens === 0 ? "nothing" : `the prompt and ${point.tokens}`
        }`,
        cause,
        point,
        stream,
      })),
    ),
  )
  // Within a body of declared length whatever comes is body.
  .filter(({ cause, point, stream }) => stream || cause !== garbage || point.sent === "");

async function expectEnd({ cause, point, stream }: Row, startup: WorldStartup): Promise<void> {
  const spent = await spentBy(startup);
  const asked = provider.scripted.requests.length;
  const exchange = ask(startup, stream);
  const socket = await playTo(exchange, point, asked);
  const charged = partOf(point, cause.act === null ? "ABORTED" : "PARTIAL");
  if (cause.act === null) {
    exchange.leave();
    await closed(socket);
    await world.expectNothingLeft();
  } else {
    cause.act(socket, stream);
    const { status, text, broken } = await exchange.answer;
    await closed(socket);
    const error = point.tokens > 0 ? eventsOf(text).at(-1) : JSON.parse(text);
    expect({ status, broken, code: (error as { error: { code: string } }).error.code }).toEqual({
      status: point.tokens > 0 ? 200 : cause.status,
      broken: false,
      code: point.tokens > 0 ? "upstream_truncated" : cause.code,
    });
    expect(text).not.toContain("[DONE]");
  }
  const chargeNanoCredit = await expectCharged(lastRequestId(), charged);
  expect((await spentBy(startup)) - spent).toBe(chargeNanoCredit);
}

describe("on credit held for it alone, when", () => {
  /** One for each row: a second request of theirs would be on a lease. */
  let startups: WorldStartup[];
  beforeAll(async () => {
    startups = [];
    while (startups.length < rows.length)
      startups.push(...(await Promise.all(Array.from({ length: 4 }, () => world.addStartup()))));
  });

  it.each(rows)("$name", async (row) => {
    const startup = startups.pop()!;
    await expectEnd(row, startup);
    const holds = "SELECT state, captured_nano_credit::text AS captured FROM hold WHERE startup_id = $1";
    const charge = (await recordOf(lastRequestId()))?.chargeNanoCredit;
    expect(await world.rows(holds, [startup.id])).toEqual([
      charge === undefined ? { state: "VOIDED", captured: "0" } : { state: "CAPTURED", captured: charge.toString() },
    ]);
  });
});

describe("on borrowed credit, when", () => {
  let startup: WorldStartup;
  beforeAll(async () => {
    startup = await world.addStartup();
  });
  beforeEach(async () => {
    provider.scripted.play(({ socket }) => void socket.write(wholeAnswer));
    await until("a request on a lease", async () => {
      const { headers } = await ask(startup, false).answer;
      return (await recordOf(headers["x-request-id"] as string))?.leaseId != null;
    });
    provider.scripted.play(() => undefined);
  });

  // What a timeout ends is ended by the same lines; its rows above take their time.
  it.each(rows.filter(({ cause }) => cause.status !== 504))("$name", async (row) => {
    await expectEnd(row, startup);
    expect(await world.rows("SELECT id FROM hold WHERE id = $1", [lastRequestId()])).toEqual([]);
  });

  it("all are over, the whole wallet less what was charged is there again", async () => {
    await world.returnLeases();
    const { issuedNanoCredit, availableNanoCredit, spentNanoCredit } = await world.services.ledger.balance(startup.id);
    const records = await world.db.source.getRepository(UsageRecord).findBy({ startupId: startup.id });
    expect(spentNanoCredit).toBe(records.reduce((sum, record) => sum + record.chargeNanoCredit, 0n));
    expect(availableNanoCredit).toBe(issuedNanoCredit - spentNanoCredit);
  });
});

describe("a client that leaves while only the settlement is missing", () => {
  it.each([
    ["a stream", true],
    ["a whole answer", false],
  ])("is charged for %s as for any that was finished", async (_, stream) => {
    const startup = await world.addStartup();
    const runner = world.db.source.createQueryRunner();
    const asked = provider.scripted.requests.length;
    const exchange = ask(startup, stream);
    await until("the request at the provider", () => provider.scripted.requests.length > asked);
    await runner.startTransaction();
    await runner.query("SELECT ledger_lock()");
    const { socket } = lastRequest();
    socket.write(
      stream ? streamHead + inChunk(delta("Hi") + delta(" you") + usageChunk + done) + inChunk("") : wholeAnswer,
    );
    await until("the end of the answer in the relay", () => watch.last.overMs !== null);
    exchange.leave();
    await runner.commitTransaction();
    await runner.release();
    await expectCharged(lastRequestId(), {
      outcome: "COMPLETED",
      promptTokens: usage.prompt_tokens,
      completionTokens: usage.completion_tokens,
      usageBounded: false,
    });
  });
});

it("a provider's socket is closed within 100 ms of what ended its request", () => {
  expect(closedAfterMs.length).toBeGreaterThanOrEqual(rows.length);
  expect(Math.max(...closedAfterMs)).toBeLessThan(100);
});
