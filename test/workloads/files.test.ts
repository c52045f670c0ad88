/** A file is read line by line, in whatever pieces it comes in, and each fault is told with its line. */
import fc from "fast-check";
import { lineForProvider, readBatchLine, readExample } from "../../src/workloads/batch-line";
import { FileReader } from "../../src/workloads/file-reader";
import { LineSplitter } from "../../src/workloads/line-splitter";

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
  expect(readBatchLine(request())).toEqual({
    customId: "c",
    url: "/v1/chat/completions",
    model: "m",
    promptBytes,
    maxTokens: null,
    choices: 1,
  });
  expect(readBatchLine(request({}, { max_tokens: 5, max_completion_tokens: 9, n: 3 }))).toMatchObject({
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
  expect(readBatchLine(text)).toMatchObject({ code, param });
});

test("a provider gets its own name of the model, and a limit always", () => {
  const sent = (text: string) => JSON.parse(lineForProvider(text, { upstreamModel: "theirs", maxTokens: 77 })).body;
  expect(sent(request({}, { temperature: 0 }))).toMatchObject({ model: "theirs", max_tokens: 77, temperature: 0 });
  const both = sent(request({}, { max_tokens: 5, max_completion_tokens: 9 }));
  expect(both).toMatchObject({ max_completion_tokens: 9 });
  expect(both).not.toHaveProperty("max_tokens");
});

test("a training file has conversations, or prompts with their completions", () => {
  expect(readExample('{"messages":[{"role":"user","content":"x"}]}')).toBeNull();
  expect(readExample('{"prompt":"x","completion":"y"}')).toBeNull();
  expect(readExample('{"prompt":"x"}')).toMatchObject({ code: "invalid_file_format" });
  expect(readExample("x")).toMatchObject({ code: "invalid_json_line" });
});

test("a batch has so many requests at most, and says it once", () => {
  const reader = new FileReader("BATCH");
  for (let line = 0; line < 50_003; line++) reader.push(Buffer.from(`${request({ custom_id: String(line) })}\n`));
  reader.end();
  expect(reader.take()).toHaveLength(50_000);
  expect(reader.faults).toEqual([expect.objectContaining({ line: 50_001, code: "too_many_tasks" })]);
});
