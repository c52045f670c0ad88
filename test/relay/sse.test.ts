/** Goal: events come out whole and unchanged however the bytes were cut, and each is told for what it is. */
import fc from "fast-check";
import { readChunk } from "../../src/relay/operations/chunk-events";
import { BareReturn, EventTooLarge, type SseEvent, SseScanner } from "../../src/relay/sse";

const chunk = (fields: object) =>
  JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "llama", ...fields });
const delta = (value: object, more: object = {}) => chunk({ choices: [{ index: 0, delta: value, ...more }] });
const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 };

function only(text: string): SseEvent {
  const events = new SseScanner(readChunk).push(Buffer.from(text));
  expect(events).toHaveLength(1);
  return events[0]!;
}
const kindOf = (payload: string) => only(`data: ${payload}\n\n`).kind;

describe("kinds", () => {
  test.each([
    ["text", delta({ content: "Hello" }, { finish_reason: null })],
    ["text with the role", delta({ role: "assistant", content: "Hello" })],
    ["a single space", delta({ content: " " })],
    ["text that ends in a backslash", delta({ content: "\\" })],
    ["reasoning", delta({ content: null, reasoning_content: "hm" })],
    ["reasoning in the other spelling", delta({ content: "", reasoning: "hm" })],
    ["a tool call", delta({ tool_calls: [{ index: 0, function: { name: "f", arguments: "" } }] })],
    ["a refusal", delta({ content: null, refusal: "no" })],
    ["output of a kind not invented yet", delta({ hologram: { base64: "AA" } })],
    ["an older completion", chunk({ choices: [{ index: 0, text: "Hello" }] })],
    ["text beside null usage and error", chunk({ choices: [{ delta: { content: "a" } }], usage: null, error: null })],
    ["text that quotes an error", delta({ content: '{"error":{"message":"x"},"usage":{}}' })],
    ["text of a second choice", chunk({ choices: [{ delta: { content: "" } }, { delta: { content: "a" } }] })],
  ])("%s is content", (_what, payload) => {
    expect(kindOf(payload)).toBe("CONTENT");
  });

  test.each([
    ["the role alone", delta({ role: "assistant" })],
    ["the role with empty text", delta({ role: "assistant", content: "" })],
    ["empty fields", delta({ role: "assistant", content: null, tool_calls: [], function_call: null, audio: {} })],
    ["the finish reason", delta({}, { finish_reason: "stop" })],
    ["a model called content", chunk({ model: "content", choices: [] })],
    ["prompt filter results", chunk({ choices: [], prompt_filter_results: [] })],
    ["no JSON", "hello"],
    ["no object", "[1]"],
    ["half an object", '{"choices":[{"delta":{}'],
    ["nothing", ""],
  ])("%s is preamble", (_what, payload) => {
    const event = only(`data: ${payload}\n\n`);
    expect(event).toMatchObject({ kind: "PREAMBLE", contentBytes: 0 });
  });

  test("the usage chunk is told from the rest and parsed", () => {
    const event = only(`data: ${chunk({ choices: [], usage })}\n\n`);
    expect(event).toMatchObject({ kind: "USAGE", usage, contentBytes: 0 });
  });

  test("usage is found in whatever spacing, and beside content", () => {
    const spaced = JSON.stringify({ choices: [{ delta: { content: "a" } }], usage }, null, 1).replaceAll("\n", " ");
    expect(only(`data: ${spaced}\n\n`)).toMatchObject({ kind: "CONTENT", usage });
    expect(only(`data: ${spaced.replaceAll(":", " :")}\n\n`)).toMatchObject({ kind: "CONTENT", usage });
  });

  test("content without usage has no usage", () => {
    expect(only(`data: ${delta({ content: "a" })}\n\n`)).not.toHaveProperty("usage");
  });

  test.each([["data: [DONE]\n\n"], ["data:[DONE]\n\n"], ["data: [DONE] \r\n\r\n"]])("%j is done", (text) => {
    expect(only(text).kind).toBe("DONE");
  });

  test.each([
    ['data: {"error":{"message":"overloaded","code":503}}\n\n'],
    ['data: {"id":"1", "error" : "overloaded"}\n\n'],
    [`data: ${chunk({ choices: [{ delta: { content: "half" } }], error: { code: 502 } })}\n\n`],
    ['event: error\ndata: {"message":"overloaded"}\n\n'],
  ])("%j is an error", (text) => {
    expect(only(text).kind).toBe("ERROR");
  });

  test.each([[": keep-alive\n\n"], ["\n"], ["\r\n"], ["event: ping\n\n"], ["retry: 3000\r\nid: 7\r\n\r\n"]])(
    "%j is a comment",
    (text) => {
      expect(only(text).kind).toBe("COMMENT");
    },
  );

  test("data over several lines is one value", () => {
    const [first, second] = [delta({ content: "Hello" }).slice(0, 40), delta({ content: "Hello" }).slice(40)];
    const cut = first.lastIndexOf(",") + 1;
    const lines = `data: ${first.slice(0, cut)}\ndata: ${first.slice(cut)}${second}`;
    expect(only(`: note\n${lines}\n\n`).kind).toBe("CONTENT");
  });
});

describe("content bytes", () => {
  test.each(["a", "Hello", "é", "模型", "😀", 'say "hi"', "line\nline", "\\", "\u0001"])(
    "%j is counted with at least its own bytes and at most its JSON",
    (content) => {
      const { contentBytes } = only(`data: ${delta({ content })}\n\n`);
      expect(contentBytes).toBeGreaterThanOrEqual(Buffer.byteLength(content));
      expect(contentBytes).toBeLessThanOrEqual(Buffer.byteLength(JSON.stringify(content)) - 2);
    },
  );

  test("several choices add up, and what the parser reads counts the same", () => {
    const choices = [{ delta: { content: "abc" } }, { delta: { content: "de" } }];
    expect(only(`data: ${chunk({ choices })}\n\n`).contentBytes).toBe(5);
    expect(only(`data: ${chunk({ choices, usage })}\n\n`).contentBytes).toBe(5);
  });
});

describe("bounds", () => {
  test("an event of exactly the limit passes, one byte more does not", () => {
    const event = Buffer.from(`data: ${"x".repeat(92)}\n\n`);
    expect(event).toHaveLength(100);
    expect(new SseScanner(readChunk, 100).push(event)).toHaveLength(1);
    expect(() => new SseScanner(readChunk, 99).push(event)).toThrow(EventTooLarge);
  });

  test("an event without an end is given up when it reaches the limit, not when it ends", () => {
    const scanner = new SseScanner(readChunk, 100);
    for (let i = 0; i < 100; i += 1) scanner.push(Buffer.from("x"));
    expect(() => scanner.push(Buffer.from("x"))).toThrow(EventTooLarge);
  });

  test("many events in one chunk may together be larger than one event may", () => {
    expect(new SseScanner(readChunk, 100).push(Buffer.from(`data: ${"x".repeat(50)}\n\n`.repeat(100)))).toHaveLength(
      100,
    );
  });
});

describe("a CR without its LF", () => {
  test.each([
    ["in a line", ["data: a\rb\n\n"]],
    ["twice, as an end of an event for some", ["data: a\r\rdata: [DONE]\r\r\n"]],
    ["at the edge of a chunk", ["data: a\r", "b\n\n"]],
    ["before a CRLF", ["data: a\r\r\n"]],
  ])("%s, is refused: clients differ in what it means", (_, pieces) => {
    const scanner = new SseScanner(readChunk);
    expect(() => pieces.map((piece) => scanner.push(Buffer.from(piece)))).toThrow(BareReturn);
  });

  test("whose LF comes later is none", () => {
    const scanner = new SseScanner(readChunk);
    const events = ["data: [DONE]\r", "", "\n\r", "\n"].flatMap((piece) => scanner.push(Buffer.from(piece)));
    expect(events.map(({ kind }) => kind)).toEqual(["DONE"]);
  });
});

test("a byte order mark before the first event is left out, and hides nothing", () => {
  const marked = `\ufeffdata: ${delta({ content: "a" })}\n\n`;
  for (const pieces of [[Buffer.from(marked)], [...Buffer.from(marked)].map((byte) => Buffer.from([byte]))]) {
    const scanner = new SseScanner(readChunk);
    const events = pieces.flatMap((piece) => scanner.push(piece));
    expect(events).toMatchObject([{ kind: "CONTENT", bytes: Buffer.from(marked).subarray(3) }]);
  }
});

describe("the end", () => {
  test("a last event without its blank line is handed out as it is", () => {
    const scanner = new SseScanner(readChunk);
    expect(scanner.push(Buffer.from("data: [DO"))).toEqual([]);
    expect(scanner.push(Buffer.from("NE]\n"))).toEqual([]);
    expect(scanner.end()).toMatchObject({ kind: "DONE", bytes: Buffer.from("data: [DONE]\n") });
    expect(scanner.end()).toBeNull();
  });

  test("half a chunk is no content", () => {
    const scanner = new SseScanner(readChunk);
    scanner.push(Buffer.from('data: {"choices":[{"delta":{"rol'));
    expect(scanner.end()).toMatchObject({ kind: "PREAMBLE", contentBytes: 0 });
  });
});

test("an event that lies within one chunk is a view of it", () => {
  const input = Buffer.from(`data: ${delta({ content: "a" })}\n\n: x\n\n`);
  const [first] = new SseScanner(readChunk).push(input);
  expect(first!.bytes.buffer).toBe(input.buffer);
});

const line = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }).map((content) => `data: ${delta({ content })}`),
  fc.constantFrom("data: [DONE]", ": ping", "event: x", "data:", `data: ${chunk({ choices: [], usage })}`, "", "é"),
);
const streams = fc
  .array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\n\n", "\r\n\r\n", "\n\r\n", "\r\n\n")), { maxLength: 20 })
  .map((lines) => Buffer.from(lines.flat().join("")));

function scanned(pieces: readonly Buffer[]): SseEvent[] {
  const scanner = new SseScanner(readChunk);
  const events = pieces.flatMap((piece) => scanner.push(piece));
  const rest = scanner.end();
  return rest === null ? events : [...events, rest];
}

test("whatever the cuts, the same events come out and their bytes are the input", () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(2_000), { maxLength: 12 }), (input, cuts) => {
      const edges = [0, ...cuts.map((cut) => Math.min(cut, input.length)).sort((a, b) => a - b), input.length];
      const pieces = edges.slice(1).map((edge, i) => input.subarray(edges[i], edge));
      const whole = scanned([input]);
      expect(Buffer.concat(whole.map(({ bytes }) => bytes))).toEqual(input);
      expect(scanned(pieces)).toEqual(whole);
    }),
    { numRuns: 300 },
  );
});

test("one byte at a time, characters torn apart, nothing changes", () => {
  fc.assert(
    fc.property(streams, (input) => {
      const bytes = Array.from({ length: input.length }, (_, i) => input.subarray(i, i + 1));
      expect(scanned(bytes)).toEqual(scanned([input]));
    }),
    { numRuns: 50 },
  );
});

test("no bytes, however odd, throw or get lost, but for a CR alone", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0d))),
        { maxLength: 6 },
      ),
      (pieces) => {
        expect(Buffer.concat(scanned(pieces).map(({ bytes }) => bytes))).toEqual(Buffer.concat(pieces));
      },
    ),
  );
});
