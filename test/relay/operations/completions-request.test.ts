/** Goal: of a request for completions the relay knows how much can be written and how much prompt there can be, in every form. */
import { completions } from "../../../src/relay/operations/completions";
import type { RequestEdits } from "../../../src/relay/operations/operation";

const scan = (fields: string) => completions.scan(Buffer.from(`{${fields}}`));
const rewrite = (text: string, edits: RequestEdits) =>
  completions.rewrite(Buffer.from(text), completions.scan(Buffer.from(text)), edits).toString();

test.each([
  ['"prompt":"Once"', 1],
  ['"prompt":["Once","Twice"]', 2],
  ['"prompt":[1,2,3]', 1],
  ['"prompt":[[1,2],[3]]', 2],
  ['"prompt":"Once","n":3', 3],
  ['"prompt":"Once","n":2,"best_of":5', 5],
  ['"prompt":["Once","Twice"],"best_of":4', 8],
  ['"prompt":[1,"a"]', 2],
])("{%s} may be answered %i times", (fields, choices) => {
  expect(scan(fields)).toMatchObject({ choices });
});

test("what is not shown is said to be hidden: then bytes delivered bound nothing", () => {
  expect(scan('"prompt":"a","n":2,"best_of":5').hidesOutput).toBe(true);
  expect(scan('"prompt":"a","n":2,"best_of":2').hidesOutput).toBe(false);
});

test("the prompt's bytes are counted whole, a suffix once for each prompt", () => {
  expect(scan('"prompt":"abc"').promptBytes).toBe(5);
  expect(scan('"prompt":["abc","d"],"suffix":"xyz"').promptBytes).toBe('["abc","d"]'.length + 2 * 5);
});

test("what must fit into a context is the longest prompt, and tokens are counted as they are", () => {
  const long = "x".repeat(398);
  expect(scan(`"prompt":["${long}","short","short"]`).promptTokensEstimate).toBe(100);
  expect(scan('"prompt":[50256,50257,50258]').promptTokensEstimate).toBe(3);
  expect(scan('"prompt":[[50256],[50256,50257]]').promptTokensEstimate).toBe(2);
});

test("a limit may be 0, which asks for the likelihood of the prompt", () => {
  expect(scan('"prompt":"a","max_tokens":0,"echo":true').maxTokens).toBe(0);
});

test.each([
  ["prompt", '"model":"a"'],
  ["prompt", '"prompt":null'],
  ["prompt", '"prompt":{}'],
  ["prompt", '"prompt":7'],
  ["prompt", '"prompt":[ ]'],
  ["n", '"prompt":"a","n":0'],
  ["best_of", '"prompt":"a","best_of":129'],
  ["max_tokens", '"prompt":"a","max_tokens":-1'],
  ["stream", '"prompt":"a","stream":"yes"'],
])("%s is named as invalid in {%s}", (param, fields) => {
  expect(() => scan(fields)).toThrow(expect.objectContaining({ param, code: "BAD_USER_INPUT" }));
});

test("the limit is set, whether it was given or not, and every other byte stays", () => {
  expect(rewrite('{"prompt": [1, 2],"x":1.0}', { maxTokens: 16 })).toBe('{"max_tokens":16,"prompt": [1, 2],"x":1.0}');
  expect(rewrite('{"max_tokens":9,"prompt":"a"}', { maxTokens: 5, includeUsage: true, model: "m" })).toBe(
    '{"model":"m","stream_options":{"include_usage":true},"max_tokens":5,"prompt":"a"}',
  );
});

test("of duplicates the priced one is sent alone", () => {
  expect(rewrite('{"best_of":99,"prompt":"long","prompt":"a","best_of":1}', {})).toBe('{"prompt":"a","best_of":1}');
});
