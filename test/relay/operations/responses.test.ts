/** Goal: typed events are told for what they are, output counts once, names go, and nothing that needs memory is let in. */

import fc from "fast-check";
import { DomainError } from "../../../src/platform/errors";
import { ModelName } from "../../../src/relay/model-name";
import { responses } from "../../../src/relay/operations/responses";
import { SseScanner } from "../../../src/relay/sse";
import { objectText, stringText, valueText } from "../json-text";

const scan = (fields: string) => responses.scan(Buffer.from(`{${fields}}`));
const name = new ModelName("acme/one");
const typed = (value: { type: string }) => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
function only(text: string) {
  const events = new SseScanner(responses.stream.readData).push(Buffer.from(text));
  expect(events).toHaveLength(1);
  return events[0]!;
}
const read = (value: { type: string } & Record<string, unknown>) => only(typed(value));
const delta = (text: string) => ({ type: "response.output_text.delta", sequence_number: 4, item_id: "m", delta: text });
const item = {
  id: "m",
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text: "Hello" }],
};
const whole = {
  id: "r",
  status: "completed",
  model: "theirs",
  output: [item],
  usage: { input_tokens: 7, output_tokens: 2 },
};

describe("a request", () => {
  test("is bounded by all that a template renders", () => {
    const fields = {
      input: '"Hello"',
      instructions: '"Be kind"',
      tools: '[{"type":"function"}]',
      text: '{"format":{}}',
    };
    const text = Object.entries(fields)
      .map(([key, value]) => `"${key}":${value}`)
      .join();
    expect(scan(text).promptBytes).toBe(Object.values(fields).join("").length);
  });

  test("names its limit as max_output_tokens, which is always sent", () => {
    const text = '{"input":"a","max_tokens":7}';
    const scanned = responses.scan(Buffer.from(text));
    expect(scanned).not.toHaveProperty("maxTokens");
    expect(responses.rewrite(Buffer.from(text), scanned, { maxTokens: 5, includeUsage: true }).toString()).toBe(
      '{"max_output_tokens":5,"input":"a","max_tokens":7}',
    );
  });

  test.each([
    ["previous_response_id", '"previous_response_id":"resp_1"', "in `input` instead"],
    ["conversation", '"conversation":{"id":"conv_1"}', "in `input` instead"],
    ["prompt", '"prompt":{"id":"pmpt_1"}', "in `instructions` or `input` instead"],
    ["background", '"background":true', "use `stream`"],
  ])("with %s is refused, and says what to do", (param, field, advice) => {
    expect(() => scan(`"input":"a",${field}`)).toThrow(
      expect.objectContaining({ param, code: "BAD_USER_INPUT", message: expect.stringContaining(advice) }),
    );
  });

  test("may send what is null or false, as SDKs do", () => {
    expect(() => scan('"input":"a","previous_response_id":null,"conversation":null,"background":false')).not.toThrow();
  });

  test("with a reference to an item that somebody would have to remember is refused", () => {
    expect(() => scan('"input":[{"type":"item_reference","id":"m"}]')).toThrow(
      expect.objectContaining({ param: "input", message: expect.stringContaining("`store: false`") }),
    );
  });

  test("may speak of such references in its text and its fields", () => {
    expect(() => scan('"input":"an \\"item_reference\\""')).not.toThrow();
    expect(() => scan('"input":[{"role":"user","content":"\\"item_reference\\"","x":"item_reference"}]')).not.toThrow();
  });

  test.each([['"model":"a"'], ['"input":null'], ['"input":[]'], ['"input":7']])("{%s} has no input", (fields) => {
    expect(() => scan(fields)).toThrow(expect.objectContaining({ param: "input" }));
  });
});

describe("an event", () => {
  test.each([
    ["text", delta('Hi "you"'), 'Hi \\"you\\"'.length],
    ["arguments", { type: "response.function_call_arguments.delta", delta: '{"a":1}' }, '{\\"a\\":1}'.length],
    ["reasoning", { type: "response.reasoning_text.delta", delta: "hm" }, 2],
    ["text with probabilities", { ...delta("Hi"), logprobs: [{ token: "delta", type: "x", delta: "zzzzzz" }] }, 2],
    ["its keys in another order", { delta: "Hi", item_id: "m", type: "response.output_text.delta" }, 2],
    ["a delta that is an object", { type: "response.new_thing.delta", delta: { text: "abc" } }, 3],
  ])("with %s is content", (_what, event, contentBytes) => {
    expect(read(event)).toMatchObject({ kind: "CONTENT", contentBytes });
  });

  test("without an event line is read all the same", () => {
    expect(only(`data: ${JSON.stringify(delta("Hi"))}\n\n`)).toMatchObject({ kind: "CONTENT", contentBytes: 2 });
  });

  test("is what its data says, not its first line", () => {
    const text = `event: response.output_text.delta\ndata: ${JSON.stringify({ type: "response.completed", response: whole })}\n\n`;
    expect(only(text).kind).toBe("DONE");
  });

  test("with a key spelt in escapes is what JSON.parse reads", () => {
    expect(
      only('data: {"typ\\u0065":"response.completed","type":"response.output_text.delta","delta":"a"}\n\n').kind,
    ).toBe("CONTENT");
    expect(
      only('data: {"type":"response.output_text.delta","delta":"a","typ\\u0065":"response.completed"}\n\n').kind,
    ).toBe("DONE");
  });

  test.each([
    ["response.created"],
    ["response.in_progress"],
    ["response.queued"],
    ["response.output_item.added"],
    ["response.content_part.added"],
    ["response.web_search_call.searching"],
    ["keepalive"],
  ])("%s is preamble", (type) => {
    expect(read({ type, response: whole })).toMatchObject({ kind: "PREAMBLE", contentBytes: 0 });
  });

  test("that says an item whole restates it", () => {
    expect(read({ type: "response.output_item.done", item })).toMatchObject({
      kind: "CONTENT",
      contentBytes: 0,
      restatedBytes: 5,
    });
  });

  test.each([["response.completed"], ["response.incomplete"]])(
    "%s ends the answer, with its usage and all of its output",
    (type) => {
      expect(read({ type, response: whole })).toMatchObject({
        kind: "DONE",
        restatedBytes: 5,
        usage: { prompt_tokens: 7, completion_tokens: 2 },
      });
    },
  );

  test.each([["error"], ["nonsense", "{"]])("%s is an error", (type, text = JSON.stringify({ type })) => {
    expect(only(`data: ${text}\n\n`).kind).toBe("ERROR");
  });

  test("[DONE] before the end is an error: a client would take it for the end", () => {
    expect(only("data: [DONE]\n\n").kind).toBe("ERROR");
  });

  test("that reports a failure is shown without the provider's reasons", () => {
    const event = {
      type: "response.failed",
      response: { ...whole, status: "failed", error: { code: "x", message: "gpu-7.canary" } },
    };
    expect(read(event).kind).toBe("FAILED");
    const shown = responses.stream.failedEvent!(Buffer.from(typed(event)), name).toString();
    expect(shown).not.toMatch(/canary|theirs/);
    expect(JSON.parse(shown.split("data: ")[1]!)).toMatchObject({
      response: { status: "failed", model: "acme/one", error: { code: "server_error" }, output: [item] },
    });
  });
});

describe("a name", () => {
  test("is replaced in the response of an event, and what the client sent stays its own", () => {
    const response = { metadata: { model: "mine" }, model: "theirs", tools: [{ model: "mine" }] };
    const shown = responses.stream
      .rename(Buffer.from(typed({ type: "response.created", response } as never)), name)
      .toString();
    expect(JSON.parse(shown.split("data: ")[1]!).response).toEqual({ ...response, model: "acme/one" });
  });

  test("is replaced in data of several lines, too", () => {
    const text = 'data: {"type":"response.created","response":\ndata: {"model":"theirs"}}\n\n';
    expect(responses.stream.rename(Buffer.from(text), name).toString()).not.toContain("theirs");
  });

  test("is replaced at the top of a whole answer alone", () => {
    const body = Buffer.from('{"metadata":{"model":"mine"}, "model" : "theirs","x":1.0}');
    expect(responses.rename(body, name).toString()).toBe('{"metadata":{"model":"mine"}, "model" : "acme/one","x":1.0}');
  });
});

describe("a whole answer", () => {
  const readWhole = (value: unknown) => responses.readWhole(Buffer.from(JSON.stringify(value)));

  test("is read for its usage and its output", () => {
    expect(readWhole(whole)).toEqual({ usage: { prompt_tokens: 7, completion_tokens: 2 }, deliveredBytes: 5 });
    const call = { type: "function_call", id: "f", call_id: "c", name: "go", arguments: "{}" };
    expect(readWhole({ ...whole, output: [call] })!.deliveredBytes).toBe(4);
  });

  test.each([["failed"], ["cancelled"], ["queued"], ["in_progress"]])("that is %s is none", (status) => {
    expect(readWhole({ ...whole, status })).toBeNull();
  });

  test("without output is none", () => {
    expect(readWhole({ choices: [] })).toBeNull();
  });
});

test("an error inside a stream can be read by either kind of client, and keeps the numbering", () => {
  const event = responses.stream.errorEvent(new DomainError("UPSTREAM_TRUNCATED", "It broke off."), 9);
  expect(JSON.parse(event.split("data: ")[1]!)).toMatchObject({
    type: "error",
    code: "upstream_truncated",
    message: "It broke off.",
    sequence_number: 9,
    error: { code: "upstream_truncated", message: "It broke off." },
  });
});

describe("any event", () => {
  const odd = fc.array(fc.tuple(stringText, valueText), { maxLength: 4 });
  const types = fc.constantFrom(
    "response.output_text.delta",
    "response.completed",
    "response.created",
    "error",
    "x.delta",
  );
  const members = fc
    .tuple(odd, types, stringText, fc.boolean())
    .chain(([others, type, delta, twice]) =>
      fc.shuffledSubarray(
        [
          ...others,
          ['"type"', JSON.stringify(type)] as const,
          ['"delta"', delta] as const,
          ...(twice ? [['"type"', '"response.in_progress"'] as const] : []),
        ],
        { minLength: others.length + 2 },
      ),
    );
  const texts = members.chain(objectText).map((text) => text.replaceAll(/[\r\n]/g, " "));

  test("is told by the type and the delta that JSON.parse would find", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const value = JSON.parse(text) as { type?: string; delta?: string };
        const event = only(`data: ${text}\n\n`);
        const isDelta = value.type?.endsWith(".delta") === true && typeof value.delta === "string";
        if (value.type === "response.completed") expect(event.kind).toBe("DONE");
        if (value.type === "error") expect(event.kind).toBe("ERROR");
        if (isDelta) expect(event.kind).toBe("CONTENT");
        // Escapes make it more, never less: the bound holds.
        if (isDelta) expect(event.contentBytes).toBeGreaterThanOrEqual(Buffer.byteLength(value.delta!));
        if (!isDelta) expect(event.contentBytes).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  test("however odd, throws nothing, neither read nor renamed", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      texts.map((text) => Buffer.from(text).subarray(0, -3)),
    );
    fc.assert(
      fc.property(bytes, (any) => {
        // A return without its line feed is refused before any event is read.
        const piece = Buffer.from(any).filter((byte) => byte !== 0x0d);
        const event = Buffer.concat([Buffer.from('data: {"response":'), piece, Buffer.from("\n\n")]);
        for (const { bytes: read } of new SseScanner(responses.stream.readData).push(event)) {
          responses.stream.rename(read, name);
          responses.stream.failedEvent!(read, name);
        }
      }),
      { numRuns: 500 },
    );
  });
});
