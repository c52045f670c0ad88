/** Goal: the relay reads what JSON.parse would read, and an edit changes its field and no other byte. */
import fc from "fast-check";
import { MalformedBody } from "../../../src/relay/json-members";
import { chat } from "../../../src/relay/operations/chat";
import type { RequestEdits } from "../../../src/relay/operations/operation";
import { InvalidField } from "../../../src/relay/operations/request-fields";
import { objectText, spelt, valueText } from "../json-text";

const messages = '[{"role":"user","content":"Hi"}]';
const scan = (text: string) => chat.scan(Buffer.from(text));
const rewrite = (text: string, edits: RequestEdits) => chat.rewrite(Buffer.from(text), scan(text), edits).toString();

describe("reading", () => {
  test("the least request has the defaults", () => {
    const request = scan(`{"messages":${messages}}`);
    expect(request).toMatchObject({ stream: false, includeUsage: false, choices: 1, promptBytes: messages.length });
    expect(request).not.toHaveProperty("model");
    expect(request).not.toHaveProperty("maxTokens");
  });

  test("every field that is read is read", () => {
    const text = `{"model":"llama","stream":true,"stream_options":{"include_usage":true},"max_tokens":64,"n":2,"messages":${messages}}`;
    expect(scan(text)).toMatchObject({ model: "llama", stream: true, includeUsage: true, maxTokens: 64, choices: 2 });
  });

  test("null counts as absent, as SDKs send it", () => {
    const text = `{"stream":null,"stream_options":null,"max_tokens":null,"n":null,"messages":${messages}}`;
    expect(scan(text)).toMatchObject({ stream: false, includeUsage: false, choices: 1 });
    expect(scan(text)).not.toHaveProperty("maxTokens");
  });

  test("of duplicate keys the last counts, in whatever spelling", () => {
    expect(scan(`{"model":"a","messages":${messages},"mod\\u0065l":"b"}`).model).toBe("b");
  });

  test("a model's name may have escapes and any script", () => {
    expect(scan(`{"model":"l\\u00e9-模型\\/1","messages":${messages}}`).model).toBe("lé-模型/1");
  });

  test("max_completion_tokens is a limit, too, and of both the higher counts", () => {
    expect(scan(`{"max_completion_tokens":9,"messages":${messages}}`).maxTokens).toBe(9);
    expect(scan(`{"max_completion_tokens":9,"max_tokens":12,"messages":${messages}}`).maxTokens).toBe(12);
  });

  test("tools and schemas are prompt, because templates render them", () => {
    const tools = '[{"type":"function","function":{"name":"f"}}]';
    expect(scan(`{"tools":${tools},"messages":${messages}}`).promptBytes).toBe(messages.length + tools.length);
  });

  test("fields of the same name further in are not ours", () => {
    const text = `{"metadata":{"model":"x","stream":true,"max_tokens":1},"messages":[{"role":"user","content":"\\"model\\":\\"y\\"","n":5}]}`;
    expect(scan(text)).toMatchObject({ stream: false, choices: 1 });
    expect(scan(text)).not.toHaveProperty("model");
  });

  test("numbers that are whole in another notation are whole", () => {
    expect(scan(`{"max_tokens":1e2,"n":2.0,"messages":${messages}}`)).toMatchObject({ maxTokens: 100, choices: 2 });
  });
});

describe("refusing", () => {
  test.each([
    ["model", '"model":7'],
    ["model", '"model":null'],
    ["model", `"model":"${"m".repeat(1_100)}"`],
    ["stream", '"stream":"true"'],
    ["stream", '"stream":1'],
    ["stream_options", '"stream_options":[]'],
    ["stream_options.include_usage", '"stream_options":{"include_usage":"yes"}'],
    ["max_tokens", '"max_tokens":0'],
    ["max_tokens", '"max_tokens":-1'],
    ["max_tokens", '"max_tokens":1.5'],
    ["max_tokens", '"max_tokens":1e308'],
    ["max_tokens", '"max_tokens":"5"'],
    ["max_tokens", '"max_tokens":true'],
    ["max_tokens", '"max_tokens":[]'],
    ["max_completion_tokens", '"max_completion_tokens":0'],
    ["n", '"n":0'],
    ["n", '"n":129'],
    ["n", '"n":1.5'],
    ["n", '"n":{}'],
  ])("%s is named as invalid in {%s}", (param, member) => {
    const act = () => scan(`{${member},"messages":${messages}}`);
    expect(act).toThrow(InvalidField);
    expect(act).toThrow(expect.objectContaining({ param, code: "BAD_USER_INPUT" }));
  });

  test.each([["{}"], ['{"messages":null}'], ['{"messages":"Hi"}'], ['{"messages":{}}'], ['{"messages":[ \n]}']])(
    "%s has no messages",
    (text) => {
      expect(() => scan(text)).toThrow(expect.objectContaining({ param: "messages" }));
    },
  );

  test("a body cut off anywhere is malformed", () => {
    const text = `{"model":"llama","messages":${messages},"stream":true}`;
    for (let length = 0; length < text.length; length += 1) {
      expect(() => scan(text.slice(0, length))).toThrow(MalformedBody);
    }
  });

  test("a model with a bad escape is malformed", () => {
    expect(() => scan(`{"model":"a\\x","messages":${messages}}`)).toThrow(
      expect.objectContaining({ code: "MALFORMED_BODY", position: 9 }),
    );
  });
});

describe("rewriting", () => {
  test("without edits it is the very same body, so that nobody copies and hashes it again", () => {
    const body = Buffer.from(` {"model" : "a",\n"messages":${messages}, "x": 1.0e0}\n`);
    expect(chat.rewrite(body, chat.scan(body), {})).toBe(body);
  });

  test("the model's name is replaced where it stands", () => {
    expect(rewrite(`{"x":1.0, "model" : "a" ,"messages":${messages}}`, { model: 'b"/c' })).toBe(
      `{"x":1.0, "model" : "b\\"/c" ,"messages":${messages}}`,
    );
  });

  test.each([
    ["absent", "", '"stream_options":{"include_usage":true},'],
    ["null", '"stream_options":null,', '"stream_options":{"include_usage":true},'],
    ["empty", '"stream_options":{ },', '"stream_options":{"include_usage":true },'],
    ["false", '"stream_options":{"include_usage":false},', '"stream_options":{"include_usage":true},'],
    ["other", '"stream_options":{"x": 1.0},', '"stream_options":{"include_usage":true,"x": 1.0},'],
    [
      "twice",
      '"stream_options":{"include_usage":true,"include_usage":false},',
      '"stream_options":{"include_usage":true,"include_usage":true},',
    ],
  ])("usage is asked for where stream_options are %s", (_what, before, after) => {
    expect(rewrite(`{${before}"messages":${messages}}`, { includeUsage: true })).toBe(
      `{${after}"messages":${messages}}`,
    );
  });

  test.each([
    ["absent", "", '"max_tokens":5,'],
    ["max_tokens", '"max_tokens": 900,', '"max_tokens": 5,'],
    ["null", '"max_tokens":null,', '"max_tokens":5,'],
    ["max_completion_tokens", '"max_completion_tokens":900,', '"max_completion_tokens":5,'],
    ["both", '"max_tokens":7,"max_completion_tokens":900,', '"max_tokens":5,"max_completion_tokens":5,'],
    ["one null", '"max_tokens":null,"max_completion_tokens":9,', '"max_tokens":null,"max_completion_tokens":5,'],
  ])("the limit is set where it is given: %s", (_what, before, after) => {
    expect(rewrite(`{${before}"messages":${messages}}`, { maxTokens: 5 })).toBe(`{${after}"messages":${messages}}`);
  });

  test("duplicates of what was priced go, so that no parser can read another request", () => {
    const text = `{"max_tokens":9000,"model":"dear", "messages":[1],"x":1,"x":2,"model":"cheap","messages":${messages},"max_tokens":5}`;
    expect(rewrite(text, { model: "own" })).toBe(`{"x":1,"x":2,"model":"own","messages":${messages},"max_tokens":5}`);
  });

  test("an insertion and a cut at the same place do not meet", () => {
    expect(rewrite(`{"model":"a","model":"b","messages":${messages}}`, { maxTokens: 5 })).toBe(
      `{"max_tokens":5,"model":"b","messages":${messages}}`,
    );
  });
});

const strangers = fc.array(
  fc.tuple(
    fc.string({ maxLength: 12 }).map((key) => JSON.stringify(`x${key}`)),
    valueText,
  ),
  { maxLength: 5 },
);
const ours = fc
  .record(
    {
      model: fc.string({ maxLength: 40 }).map((name) => JSON.stringify(name)),
      stream: fc.constantFrom("true", "false", "null"),
      stream_options: fc.constantFrom("null", "{}", '{"include_usage":false}', '{"a":[1],"include_usage" : true}'),
      max_tokens: fc.oneof(fc.constant("null"), fc.integer({ min: 1, max: 1_000_000 }).map(String)),
      max_completion_tokens: fc.integer({ min: 1, max: 1_000_000 }).map(String),
      n: fc.integer({ min: 1, max: 128 }).map(String),
    },
    { requiredKeys: [] },
  )
  .chain((fields) => fc.tuple(...Object.entries(fields).map(([key, text]) => fc.tuple(spelt(key), fc.constant(text)))));
const prompts = fc.tuple(
  spelt("messages"),
  fc.array(valueText, { minLength: 1, maxLength: 3 }).map((m) => `[${m}]`),
);

const requestTexts = fc
  .tuple(strangers, ours, ours, prompts)
  .chain(([others, twice, given, prompt]) =>
    fc.shuffledSubarray([...others, ...twice, ...given, prompt], {
      minLength: others.length + twice.length + given.length + 1,
    }),
  )
  .chain(objectText);

test("any request is read as JSON.parse reads it", () => {
  fc.assert(
    fc.property(requestTexts, (text) => {
      const value = JSON.parse(text);
      const request = scan(text);
      expect(request.model).toBe(value.model);
      expect(request.stream).toBe(value.stream ?? false);
      expect(request.includeUsage).toBe(value.stream_options?.include_usage ?? false);
      expect(request.choices).toBe(value.n ?? 1);
      const limits = [value.max_tokens, value.max_completion_tokens].filter((limit) => typeof limit === "number");
      expect(request.maxTokens).toBe(limits.length > 0 ? Math.max(...limits) : undefined);
    }),
    { numRuns: 400 },
  );
});

test("any request, rewritten, is the same request with the edits, and strangers keep their bytes", () => {
  const edits = fc.record(
    {
      model: fc.string(),
      includeUsage: fc.constant(true as const),
      maxTokens: fc.integer({ min: 1, max: 1_000_000 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(requestTexts, edits, (text, edit) => {
      const expected = JSON.parse(text);
      if (edit.model !== undefined) expected.model = edit.model;
      if (edit.includeUsage) expected.stream_options = { ...expected.stream_options, include_usage: true };
      if (edit.maxTokens !== undefined) {
        const limits = ["max_tokens", "max_completion_tokens"].filter((key) => typeof expected[key] === "number");
        for (const key of limits.length > 0 ? limits : ["max_tokens"]) expected[key] = edit.maxTokens;
      }
      const rewritten = rewrite(text, edit);
      expect(JSON.parse(rewritten)).toEqual(expected);
      const before = scan(text);
      const after = scan(rewritten);
      for (const [key, { start, end }] of before.fields) {
        if (!key.startsWith("x")) continue;
        const there = after.fields.get(key)!;
        expect(Buffer.from(rewritten).subarray(there.start, there.end)).toEqual(Buffer.from(text).subarray(start, end));
      }
      expect(after.superseded).toEqual([]);
    }),
    { numRuns: 400 },
  );
});
