/** Goal: vectors are asked for in every form, read without parsing them, and nothing but the prompt is counted. */
import { boundUsage } from "../../../src/metering/usage-bounds";
import { embeddings } from "../../../src/relay/operations/embeddings";

const scan = (fields: string) => embeddings.scan(Buffer.from(`{${fields}}`));
const read = (value: unknown) => embeddings.readWhole(Buffer.from(JSON.stringify(value)));

test.each([
  ['"input":"text"', 6, 2],
  ['"input":["a","text"]', 12, 2],
  ['"input":[1,22,333]', 10, 3],
  ['"input":[[1,2],[3]]', 11, 2],
])("{%s} is at most %i tokens, and its longest about %i", (fields, promptBytes, promptTokensEstimate) => {
  expect(scan(fields)).toMatchObject({ promptBytes, promptTokensEstimate, stream: false, choices: 1 });
  expect(scan(fields)).not.toHaveProperty("maxTokens");
});

test.each([['"model":"a"'], ['"input":null'], ['"input":5'], ['"input":[]'], ['"input":{"a":1}']])(
  "{%s} is refused",
  (fields) => {
    expect(() => scan(fields)).toThrow(expect.objectContaining({ param: "input", code: "BAD_USER_INPUT" }));
  },
);

test("nothing is added to the request: there is no output to limit", () => {
  const text = '{"input":"a","dimensions":8,"encoding_format":"base64","user":"u"}';
  const scanned = embeddings.scan(Buffer.from(text));
  expect(embeddings.rewrite(Buffer.from(text), scanned, { maxTokens: 0 }).toString()).toBe(text);
});

test("a list of vectors has delivered something, whatever they are written as", () => {
  expect(read({ data: [{ embedding: [0.1] }], usage: { prompt_tokens: 3 } })!.deliveredBytes).toBeGreaterThan(0);
  expect(read({ data: [{ embedding: "AACAPw==" }] })!.deliveredBytes).toBeGreaterThan(0);
});

test("an empty list has delivered nothing", () => {
  expect(embeddings.readWhole(Buffer.from('{"data": [ \n], "usage":{"prompt_tokens":3}}'))!.deliveredBytes).toBe(0);
});

test.each([[{}], [{ data: {} }], [{ data: null }], [{ error: { message: "no" } }]])("%j is no answer", (value) => {
  expect(read(value)).toBeNull();
});

describe("usage", () => {
  const charged = (usage: unknown) => {
    const { usage: reported, deliveredBytes } = read({ data: [{}], usage })!;
    return boundUsage(reported, { promptBytes: 100, maxCompletionTokens: 0, deliveredBytes, contentChunks: 0 });
  };

  test("is taken as reported, without blame for what it has no reason to say", () => {
    expect(charged({ prompt_tokens: 30, total_tokens: 30 })).toMatchObject({
      promptTokens: 30,
      completionTokens: 0,
      clamped: false,
      source: "REPORTED",
    });
  });

  test("is cut to the bytes of the input, and output that cannot be is not paid", () => {
    expect(charged({ prompt_tokens: 9_000 })).toMatchObject({ promptTokens: 164, clamped: true });
    expect(charged({ prompt_tokens: 30, completion_tokens: 7 })).toMatchObject({ completionTokens: 0, clamped: true });
  });

  test.each([[undefined], [null]])("of %j is estimated", (usage) => {
    expect(charged(usage)).toMatchObject({
      promptTokens: 25,
      completionTokens: 0,
      clamped: false,
      source: "ESTIMATED",
    });
  });

  test.each([["lots"], [[1]], [7]])("of %j is a claim that cannot be", (usage) => {
    expect(charged(usage)).toMatchObject({ promptTokens: 25, clamped: true, source: "ESTIMATED" });
  });
});
