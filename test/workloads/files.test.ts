/** A file is read line by line, in whatever pieces it comes in, and each fault is told with its line. */
import fc from "fast-check";
import { operations } from "../../src/relay/operations/operations";
import { lineForProvider, readBatchLine, readExample } from "../../src/workloads/batch-line";
import { byUrl } from "../../src/workloads/batch-operation";
import { FileReader } from "../../src/workloads/file-reader";
import { LineSplitter } from "../../src/workloads/line-splitter";

const known = byUrl(operations);
const read = (text: string) => readBatchLine(text, known);

const linesOf = (pieces: readonly Buffer[], max = 1_000) => {
  const lines: [string | null, number][] = [];
  const splitter = new LineSplitter(max, (text, number) => lines.push([text, number]));
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
  return lines;
};

test("lines are the same however the bytes are cut", () => {
  const text = fc.array(
    fc.string({ unit: "grapheme", maxLength: 20 }).map((line) => line.replaceAll(/\s/g, "x")),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 7 }), (lines, size) => {
      const bytes = Buffer.from(lines.join("\n"));
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const expected = lines.flatMap((line, index) => (line === "" ? [] : [[line, index + 1]]));
      expect(linesOf(pieces)).toEqual(expected);
    }),
  );
});

test("a line that is too long is told, and the next one is read", () => {
  expect(linesOf([Buffer.from(`${"x".repeat(50)}\nshort`)], 10)).toEqual([
    [null, 1],
    ["short", 2],
  ]);
});

const request = (more: object = {}, body: object = {}) =>
  JSON.stringify({
    custom_id: "c",
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "m", messages: [{ role: "user", content: "é" }], ...body },
    ...more,
  });

test("a request is measured by the bytes of its prompt and the limit that it names", () => {
  const promptBytes = Buffer.byteLength(JSON.stringify([{ role: "user", content: "é" }]));
  expect(read(request())).toEqual({
    customId: "c",
    url: "/v1/chat/completions",
    model: "m",
    promptBytes,
    maxTokens: null,
    choices: 1,
    hidesOutput: false,
  });
  expect(read(request({}, { max_tokens: 5, max_completion_tokens: 9, n: 3 }))).toMatchObject({
    maxTokens: 9,
    choices: 3,
  });
});

test.each([
  ["not json", "invalid_json_line", null],
  ["[]", "invalid_json_line", null],
  [request({ custom_id: "" }), "missing_required_parameter", "custom_id"],
  [request({ method: "GET" }), "invalid_method", "method"],
  [request({ url: "/v1/models" }), "invalid_url", "url"],
  [request({ body: [] }), "missing_required_parameter", "body"],
  [request({}, { model: "" }), "missing_required_parameter", "body.model"],
  [request({}, { messages: [] }), "missing_required_parameter", "body.messages"],
  [request({}, { stream: true }), "invalid_request", "body.stream"],
  [request({}, { n: 0 }), "invalid_request", "body.n"],
  [request({}, { max_tokens: 1.5 }), "invalid_request", "body.max_tokens"],
  [request({}, { max_completion_tokens: "9" }), "invalid_request", "body.max_completion_tokens"],
])("%s cannot be read", (text, code, param) => {
  expect(read(text)).toMatchObject({ code, param });
});

test("a provider gets its own name of the model, and a limit always", () => {
  const sent = (text: string) =>
    JSON.parse(lineForProvider(text, known, { upstreamModel: "theirs", maxTokens: 77 })).body;
  expect(sent(request({}, { temperature: 0 }))).toMatchObject({ model: "theirs", max_tokens: 77, temperature: 0 });
  const both = sent(request({}, { max_tokens: 5, max_completion_tokens: 9 }));
  expect(both).toMatchObject({ max_completion_tokens: 9, max_tokens: 9 });
});

const to = (url: string, body: object) => JSON.stringify({ custom_id: "c", method: "POST", url, body });

test.each([
  ["/v1/completions", { prompt: ["one", "two"], n: 2 }, { maxTokens: 16, choices: 4, hidesOutput: false }],
  ["/v1/completions", { prompt: "one", best_of: 3, max_tokens: 7 }, { maxTokens: 7, choices: 3, hidesOutput: true }],
  ["/v1/embeddings", { input: "one" }, { maxTokens: 0, choices: 1, promptBytes: 5 }],
  ["/v1/responses", { input: "one" }, { maxTokens: null, choices: 1, promptBytes: 5 }],
  ["/v1/responses", { input: "one", max_output_tokens: 8 }, { maxTokens: 8 }],
])("a line for %s is measured as a request of its own: %j", (url, body, measured) => {
  expect(read(to(url, { model: "m", ...body }))).toMatchObject({ url, model: "m", ...measured });
});

test.each([
  ["/v1/completions", { prompt: "one" }, { prompt: "one", max_tokens: 16 }],
  ["/v1/embeddings", { input: "one", dimensions: 8 }, { input: "one", dimensions: 8 }],
  ["/v1/responses", { input: "one" }, { input: "one", max_output_tokens: 77 }],
  ["/v1/responses", { input: "one", max_output_tokens: 8 }, { input: "one", max_output_tokens: 8 }],
])("a line for %s reaches its provider with its limit: %j", (url, body, sent) => {
  const terms = { upstreamModel: "theirs", maxTokens: 77 };
  const line = JSON.parse(lineForProvider(to(url, { model: "m", ...body }), known, terms));
  expect(line).toEqual({ custom_id: "c", method: "POST", url, body: { ...sent, model: "theirs" } });
});

test.each([
  ["/v1/completions", {}, "missing_required_parameter", "body.prompt"],
  ["/v1/completions", { prompt: 1 }, "invalid_request", "body.prompt"],
  ["/v1/completions", { prompt: "x", stream: true }, "invalid_request", "body.stream"],
  ["/v1/completions", { prompt: "x", max_tokens: 10_000_001 }, "invalid_request", "body.max_tokens"],
  ["/v1/embeddings", { input: [] }, "missing_required_parameter", "body.input"],
  ["/v1/responses", { input: "x", previous_response_id: "r" }, "invalid_request", "body.previous_response_id"],
  ["/v1/responses", { input: "x", background: true }, "invalid_request", "body.background"],
])("a line for %s with %j cannot be read", (url, body, code, param) => {
  expect(read(to(url, { model: "m", ...body }))).toMatchObject({ code, param });
});

test("a training file has conversations, or prompts with their completions", () => {
  expect(readExample('{"messages":[{"role":"user","content":"x"}]}')).toBeNull();
  expect(readExample('{"prompt":"x","completion":"y"}')).toBeNull();
  expect(readExample('{"prompt":"x"}')).toMatchObject({ code: "invalid_file_format" });
  expect(readExample("x")).toMatchObject({ code: "invalid_json_line" });
});

test("a batch has so many requests at most, and says it once", () => {
  const reader = new FileReader("BATCH", known);
  for (let line = 0; line < 50_003; line++) reader.push(Buffer.from(`${request({ custom_id: String(line) })}\n`));
  reader.end();
  expect(reader.take()).toHaveLength(50_000);
  expect(reader.faults).toEqual([expect.objectContaining({ line: 50_001, code: "too_many_tasks" })]);
});
