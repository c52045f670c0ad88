/** What providers may send as an answer, however mad: a typed error or the right charge, and nobody else ever sees any of it. */
import { setInterval as every } from "node:timers";
import { gzipSync } from "node:zlib";
import { UsageRecord } from "../../entities/usage-record";
import { until, watchResources } from "../support/leftovers";
import { send, swallow } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldStartup } from "../support/relay-world";
import {
  completion,
  delta,
  event,
  httpAnswer,
  type Script,
  type ScriptedProvider,
  streamHead,
} from "../support/scripted-provider";

const MODEL = "acme/scripted";
const messages = [{ role: "user" as const, content: "Say something." }];
const GIGABYTE = 2 ** 30;
const TOTAL_MS = 1_500;

let world: RelayWorld;
let startup: WorldStartup;
let other: WorldStartup;
let provider: ScriptedProvider;
let resourcesAreBack: () => Promise<void>;

beforeAll(async () => {
  resourcesAreBack = watchResources();
  world = await openRelayWorld({
    environment: {
      UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "600",
      UPSTREAM_IDLE_TIMEOUT_MS: "600",
      UPSTREAM_TOTAL_TIMEOUT_MS: String(TOTAL_MS),
    },
    providers: [{ model: MODEL, scripted: true }],
  });
  startup = await world.addStartup();
  other = await world.addStartup();
  provider = world.providers[0]!.scripted;
});
beforeEach(() => world.forgetFailures());
afterEach(async () => {
  await world.expectNothingLeft();
  await world.expectBooksBalance();
  expect(world.logged.splice(0)).toEqual([]);
});
afterAll(async () => {
  await world.stop();
  await resourcesAreBack();
});

const ask = (stream: boolean, asker = startup) =>
  send(world.relay.url, { secret: asker.secret, body: { model: MODEL, messages, stream, max_tokens: 10 } }).answer;
const recordOf = (headers: Record<string, unknown>) =>
  world.db.source.getRepository(UsageRecord).findOneBy({ id: String(headers["x-request-id"]) });

/** Whole: everything arrived, and so many output tokens are charged. Cut: so many, then an error event. Else the error alone. */
type Expected =
  | { readonly whole: number; readonly text?: string }
  | { readonly cut: number }
  | { readonly status: number; readonly code: string };

const failed: Expected = { status: 502, code: "upstream_failed" };
const late: Expected = { status: 504, code: "upstream_timeout" };

async function expectAnswer(stream: boolean, expected: Expected): Promise<void> {
  const began = performance.now();
  const { status, headers, text, broken } = await ask(stream);
  // Thirty megabytes take a second on a machine that does nothing else; on another it may be their time that is over first.
  const wasLate = performance.now() - began >= TOTAL_MS;
  const record = await recordOf(headers);
  expect(broken).toBe(false);
  if ("status" in expected) {
    expect({ status, code: JSON.parse(text).error.code }).toEqual(expected === failed && wasLate ? late : expected);
    expect(record).toBeNull();
    return;
  }
  expect(status).toBe(200);
  const dones = text.match(/^data: ?\[DONE\]/gm)?.length ?? 0;
  if ("cut" in expected) {
    expect(JSON.parse(text.trimEnd().split("\n").at(-1)!.slice("data: ".length))).toMatchObject({
      error: { code: "upstream_truncated" },
    });
    expect(dones).toBe(0);
    expect(record).toMatchObject({ outcome: "PARTIAL", completionTokens: expected.cut });
    return;
  }
  expect(dones).toBe(stream ? 1 : 0);
  if (stream) expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  if (expected.text !== undefined) expect(text).toContain(expected.text);
  expect(record).toMatchObject({ outcome: "COMPLETED", completionTokens: expected.whole });
}

/** Both startups ask for more, and get what was written for them. */
async function expectUnharmed(): Promise<void> {
  world.forgetFailures();
  for (const asker of [startup, other]) {
    const own = `own-${performance.now()}`;
    provider.play(({ socket }) => void socket.write(httpAnswer("200 OK", completion(own))));
    const { status, text } = await ask(false, asker);
    expect({ status, said: JSON.parse(text).choices?.[0].message.content }).toEqual({ status: 200, said: own });
  }
}

const ends =
  (...parts: readonly (string | Buffer)[]): Script =>
  ({ socket }) => {
    for (const part of parts) socket.write(part);
    socket.end();
  };
const stays =
  (...parts: readonly (string | Buffer)[]): Script =>
  ({ socket }) => {
    for (const part of parts) socket.write(part);
  };
/** One part when the one before has left; the relay reads them apart, or has them apart in its buffers. */
const apart =
  (...parts: readonly (string | Buffer)[]): Script =>
  ({ socket }) => {
    const next = (i: number) => {
      if (i < parts.length) socket.write(parts[i]!, () => setImmediate(next, i + 1));
      else socket.end();
    };
    next(0);
  };
/** For ever, slowly. */
const drips =
  (begin: string, everyMs: number, drip: (i: number) => string): Script =>
  ({ socket }) => {
    socket.write(begin);
    let i = 0;
    const timer = every(() => void socket.write(drip(i++)), everyMs);
    socket.on("close", () => clearInterval(timer));
  };

const head = (...headers: readonly string[]) =>
  `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n`;
const chunked = head("transfer-encoding: chunked");
const inChunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const done = "data: [DONE]\n\n";
const usage = event({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 2 } });
const proper = `${delta("Hi")}${delta(" yöu 😀")}${usage}${done}`;
const bytesOf = (text: string) => [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20));

const streams: [what: string, script: Script, expected: Expected][] = [
  ["has no newline at all", ends(streamHead, "x".repeat(200_000)), failed],
  ["has no newline at all, and no end", stays(streamHead, "x".repeat(2 ** 20 + 1)), failed],
  ["comes one byte at a time", apart(...bytesOf(head("connection: close") + proper)), { whole: 2, text: " yöu 😀" }],
  [
    "tears its characters apart",
    apart(
      streamHead,
      ...[...proper.matchAll(/[ö😀]|[^ö😀]+/gu)].flatMap<string | Buffer>(([part]) =>
        part.length < 3 ? bytesOf(part) : part,
      ),
    ),
    { whole: 2, text: " yöu 😀" },
  ],
  [
    "mixes LF and CRLF",
    ends(streamHead, `${delta("Hi").trimEnd()}\r\n\n${delta(" you").trimEnd()}\n\r\n: x\r\ndata: [DONE]\r\n\r\n`),
    { whole: 2 },
  ],
  ["ends its lines with CR alone", ends(streamHead, proper.replaceAll("\n", "\r")), failed],
  [
    "hides an end behind a CR, which some clients would see",
    apart(streamHead, delta("Hi"), `${delta(" you").trimEnd()}\r\rdata: [DONE]\r\r\n\n`),
    { cut: 1 },
  ],
  ["hides it at the edge of a packet", apart(streamHead, delta("Hi"), "data: x\r", "\rdata: [DONE]\n\n"), { cut: 1 }],
  ["has two ends", ends(streamHead, proper, done), { whole: 2 }],
  [
    "goes on after its end",
    ends(streamHead, proper, delta("and more"), usage.replace('"completion_tokens":2', '"completion_tokens":7')),
    { whole: 2 },
  ],
  [
    "goes on after its end for as long as it is let",
    drips(streamHead + proper, 5, () => delta("and more")),
    { whole: 2 },
  ],
  ["begins with a byte order mark", ends(streamHead, "\ufeff", delta("Hi"), delta(" you"), done), { whole: 2 }],
  [
    "begins with half a byte order mark",
    ends(streamHead, Buffer.from([0xef, 0xbb]), delta("Hi"), delta(" you"), done),
    { whole: 1 },
  ],
  [
    "has NUL bytes and broken UTF-8 in it",
    ends(
      streamHead,
      delta("Hi"),
      Buffer.from("data: \0\0\xff\xfe\n\n", "latin1"),
      Buffer.from([0, 0xc0, 0x80, 10, 10]),
      delta(" you"),
      done,
    ),
    { whole: 2 },
  ],
  ["has an event larger than one may be", apart(streamHead, delta("Hi"), delta("x".repeat(2 ** 20))), { cut: 1 }],
  ["is comments and no more", ends(streamHead, ": ping\n\n".repeat(1_000)), failed],
  ["is comments without end", stays(streamHead, ": ping\n\n".repeat(20_000)), failed],
  ["is comments for ever, slowly", drips(streamHead, 50, () => ": ping\n\n"), late],
  [
    "reports an error in its middle by the event's name",
    ends(streamHead, delta("Hi"), 'event: error\ndata: "canary"\n\n', delta(" you"), done),
    { cut: 1 },
  ],
  ["reports an error before its content", ends(streamHead, event({ error: { message: "canary" } }), proper), failed],
  ["ends its last event half way", ends(streamHead, delta("Hi"), delta(" you").slice(0, -20)), { cut: 1 }],
  ["has its end without the blank line", ends(streamHead, delta("Hi"), done.trimEnd()), { whole: 1 }],
  [
    "writes its end in two lines, with a comment",
    ends(streamHead, delta("Hi"), ": x\ndata:[DONE]\nid: 7\n\n"),
    { whole: 1 },
  ],
  ["hides its end in a value", ends(streamHead, delta("[DONE]"), delta("Hi")), { cut: 2 }],
  ["nests its delta 100,000 deep", ends(streamHead, `data: {"choices":[{"delta":{"x":${deep}}}]}\n\n`, done), failed],
  [
    "is packed, though it was to come as it is",
    ends(head("content-encoding: gzip", "connection: close"), gzipSync(proper)),
    failed,
  ],
  ["is a bomb", ends(head("content-encoding: gzip", "connection: close"), bomb), failed],
  ["is a bomb that says that it is none", ends(streamHead, bomb), failed],
  ["is one whole JSON", stays(httpAnswer("200 OK", completion("Hi"))), failed],
  [
    "is shorter than its length says",
    ends(head(`content-length: ${Buffer.byteLength(proper) + 9}`), delta("Hi")),
    { cut: 1 },
  ],
  [
    "is longer than its length says",
    stays(head(`content-length: ${Buffer.byteLength(delta("Hi"))}`), proper),
    { cut: 1 },
  ],
  ["waits for more than there is", stays(head("content-length: 99999"), proper), { whole: 2 }],
  ["has a chunk whose size is no number", stays(chunked, inChunk(delta("Hi")), "zz\r\nx\r\n"), { cut: 1 }],
  ["has a chunk of a negative size", stays(chunked, inChunk(delta("Hi")), "-5\r\nhello\r\n"), { cut: 1 }],
  ["has a chunk whose size overflows", stays(chunked, inChunk(delta("Hi")), "fffffffffffffffff\r\nx"), { cut: 1 }],
  ["has a chunk that goes on beyond its size", stays(chunked, "5\r\nhello, and more\r\n0\r\n\r\n"), failed],
  [
    "has trailers",
    stays(chunked, inChunk(proper), "0\r\nx-canary: 1\r\ncontent-length: 5\r\nset-cookie: a=b\r\n\r\n"),
    { whole: 2 },
  ],
  [
    "has a length and chunks",
    stays(head("content-length: 5", "transfer-encoding: chunked"), inChunk(proper), "0\r\n\r\n"),
    failed,
  ],
  ["has two lengths", stays(head("content-length: 5", "content-length: 6"), proper), failed],
  ["has a negative length", stays(head("content-length: -5"), proper), failed],
  ["has headers of 20 KB", stays(head(`x: ${"y".repeat(20_000)}`), proper), failed],
  ["has ten thousand headers", stays(head(...Array.from({ length: 10_000 }, (_, i) => `x${i}: y`)), proper), failed],
  ["has its headers one byte at a time", drips("HTTP/1.1 200 OK\r\nx: ", 50, () => "y"), late],
  [
    "has its events one byte at a time, for ever",
    drips(streamHead + delta("Hi"), 100, (i) => delta("x".repeat(999))[i]!),
    { cut: 1 },
  ],
  [
    "switches protocols",
    stays("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", proper),
    failed,
  ],
  ["says to continue", stays("HTTP/1.1 100 Continue\r\n\r\n", streamHead, proper), failed],
  [
    "comes after a thousand hints",
    ends("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(1_000), streamHead, proper),
    { whole: 2 },
  ],
  ["hints without end", drips("", 2, () => "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"), late],
  [
    "sends content with a 500",
    stays(`HTTP/1.1 500 Oops\r\ncontent-length: ${Buffer.byteLength(proper)}\r\n\r\n${proper}`),
    failed,
  ],
  ["sends a 500 after its content", ends(streamHead, delta("Hi"), httpAnswer("500 Oops", "{}")), { cut: 1 }],
  ["sends content without content", ends("HTTP/1.1 204 No Content\r\n\r\n", proper), failed],
  ["answers as HTTP/1.0", ends("HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", proper), { whole: 2 }],
  ["answers as HTTP/0.9", ends(proper), failed],
  ["answers as HTTP/2", ends("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])), failed],
];

describe("a stream that", () => {
  it.each(streams)("%s", async (_what, script, expected) => {
    provider.play(script);
    await expectAnswer(true, expected);
    await expectUnharmed();
  });

  it("would be ten gigabytes is cut at the time that an answer may take, in bounded memory, for what was asked at most", async () => {
    const large = delta("x".repeat(60_000));
    let sentBytes = 0;
    provider.play(({ socket }) => {
      const next = (error?: Error | null) => {
        sentBytes += large.length;
        if (!error && sentBytes < 10 * GIGABYTE) socket.write(large, next);
      };
      socket.write(streamHead, next);
    });
    const before = usedBytes();
    let mostBytes = 0;
    const body = { model: MODEL, messages, stream: true, max_tokens: 10 };
    const { answer } = swallow(world.relay.url, { secret: startup.secret, body });
    const sampled = every(() => {
      mostBytes = Math.max(mostBytes, usedBytes() - before);
    }, 5);
    const { readBytes, tail } = await answer;
    clearInterval(sampled);
    expect(tail).toContain("upstream_truncated");
    expect(readBytes).toBeGreaterThan(2 ** 20);
    expect(mostBytes).toBeLessThan(64 * 2 ** 20);
    const [record] = await world.db.source
      .getRepository(UsageRecord)
      .find({ where: { startupId: startup.id }, order: { id: "DESC" }, take: 1 });
    expect(record).toMatchObject({ outcome: "PARTIAL", completionTokens: 10 });
    await expectUnharmed();
  });
});

const usedBytes = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const answer = httpAnswer("200 OK", completion("Hi"));
const foreign = httpAnswer("200 OK", completion("foreign"));
const wholes: [what: string, script: Script, expected: Expected][] = [
  ["is a stream", ends(streamHead, proper), failed],
  ["is packed", stays(httpAnswer("200 OK", "x", { "content-encoding": "br" })), failed],
  ["is a bomb", ends("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", bomb), failed],
  ["begins with a byte order mark", stays(httpAnswer("200 OK", `\ufeff${completion("Hi")}`)), failed],
  ["has NUL bytes behind it", stays(httpAnswer("200 OK", `${completion("Hi")}\0\0`)), failed],
  ["is two", stays(httpAnswer("200 OK", completion("Hi") + completion("Ho"))), failed],
  ["is nested 100,000 deep", stays(httpAnswer("200 OK", `{"choices":[{"message":{"content":${deep}}}]}`)), failed],
  [
    "is deep where nobody looks",
    stays(httpAnswer("200 OK", `{"x":${deep},${completion("Hi").slice(1)}`)),
    { whole: 2 },
  ],
  [
    "is larger than an answer may be",
    stays("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", Buffer.alloc(33 * 2 ** 20, 0x20)),
    failed,
  ],
  ["comes one byte at a time", apart(...bytesOf(answer)), { whole: 2 }],
  ["comes one byte at a time, for ever", drips("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", 50, () => " "), late],
  [
    "sends us elsewhere, inside",
    stays("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data/\r\ncontent-length: 0\r\n\r\n"),
    failed,
  ],
  [
    "sends us elsewhere, keeping what we sent",
    stays("HTTP/1.1 307 Temporary Redirect\r\nlocation: https://[fe80::1]/\r\ncontent-length: 0\r\n\r\n"),
    failed,
  ],
];

describe("a whole answer that", () => {
  it.each(wholes)("%s", async (_what, script, expected) => {
    const asked = provider.requests.length;
    provider.play(script);
    await expectAnswer(false, expected);
    expect(provider.requests).toHaveLength(asked + 1);
    await expectUnharmed();
  });
});

describe("an answer that nobody asked for, on a connection that is kept open,", () => {
  it.each<[string, Script]>([
    ["right behind another one", stays(answer + foreign)],
    ["in the next packet", ({ socket }) => void socket.write(answer, () => socket.write(foreign))],
    [
      "in the next turn of the loop",
      ({ socket }) => void socket.write(answer, () => setImmediate(() => socket.write(foreign))),
    ],
    ["behind a stream's end", stays(`${chunked + inChunk(proper)}0\r\n\r\n`, foreign)],
    ["half", stays(answer + foreign.slice(0, 30))],
    ["as a hint", stays(`${answer}HTTP/1.1 103 Early Hints\r\n\r\n`)],
  ])("%s, reaches nobody", async (_how, script) => {
    provider.play(script);
    const stream = _how.includes("stream");
    await expectAnswer(stream, { whole: 2 });
    const { socket } = provider.requests.at(-1)!;
    await until("the connection to be given up", () => socket.closed);
    await expectUnharmed();
  });

  it("after a while, reaches nobody", async () => {
    provider.play(stays(answer));
    await expectAnswer(false, { whole: 2 });
    const { socket } = provider.requests.at(-1)!;
    socket.write(foreign);
    await until("the connection to be given up", () => socket.closed);
    await expectUnharmed();
  });

  it("never reaches another startup, not even in the instant before it would be noticed", async () => {
    provider.play(stays(answer));
    await expectAnswer(false, { whole: 2 });
    const { socket } = provider.requests.at(-1)!;
    const own = httpAnswer("200 OK", completion("own"));
    provider.play(({ socket: its }) => void its.write(own));
    socket.write(foreign);
    const { text } = await ask(false, other);
    expect(JSON.parse(text).choices[0].message.content).toBe("own");
    expect(provider.requests.at(-1)!.socket).not.toBe(socket);
    await until("the connection to be given up", () => socket.closed);
  });
});
