/** What a provider says of a job is read into our words or not at all: no text of its own goes any further, no id reaches another path. */
import { chat } from "../../src/relay/operations/chat";
import { completions } from "../../src/relay/operations/completions";
import { embeddings } from "../../src/relay/operations/embeddings";
import { responses } from "../../src/relay/operations/responses";
import { answerForStartup, readAnswer } from "../../src/workloads/answer-line";
import {
  checkpointsIn,
  idIn,
  metricsIn,
  objectIn,
  readBatch,
  readTraining,
  stepsIn,
  UnreadableAnswer,
} from "../../src/workloads/provider-job";

test.each(["", "[]", "null", "7", '"text"', "{", "<html>"])("the answer %p is none", (text) => {
  expect(() => objectIn(Buffer.from(text))).toThrow(UnreadableAnswer);
});

test.each([[undefined], [""], ["."], [".."], ["a/b"], ["a?b"], ["a b"], ["%2e"], [7], ["x".repeat(201)]])(
  "the id %p goes into no path",
  (id) => {
    expect(() => idIn({ id })).toThrow(UnreadableAnswer);
    expect(readBatch({ status: "completed", output_file_id: id }).outputFileId).toBeNull();
  },
);

test("a status that is unknown is no answer", () => {
  for (const status of [undefined, "done", "constructor", 7])
    for (const read of [readBatch, readTraining]) expect(() => read({ status })).toThrow(UnreadableAnswer);
});

test("of figures only those that are known, and only numbers", () => {
  const data = { step: 3, train_loss: 0.5, host: 7, valid_loss: "0.1", train_mean_token_accuracy: Number.NaN };
  expect(metricsIn(data)).toEqual({ step: 3, train_loss: 0.5 });
  expect(metricsIn("text")).toEqual({});
});

test("steps are told once, in their order, whatever order they come in", () => {
  const event = (step: unknown) => ({ type: "metrics", message: "at Canary", data: { step } });
  const list = {
    data: [event(4), event(2), event(3), event(3), event("5"), event(2 ** 40), { type: "message" }, null],
  };
  expect(stepsIn(list, 2).map(({ step }) => step)).toEqual([3, 4]);
  expect(() => stepsIn({}, 0)).toThrow(UnreadableAnswer);
});

test("checkpoints without a step or a model are none", () => {
  const whole = { step_number: 1, fine_tuned_model_checkpoint: "m", metrics: { step: 1, note: "x" } };
  const list = { data: [whole, { ...whole, step_number: -1 }, { ...whole, fine_tuned_model_checkpoint: 1 }, null] };
  expect(checkpointsIn(list)).toEqual([{ step: 1, upstreamModel: "m", metrics: { step: 1 } }]);
});

test.each(["", "null", "{}", '{"custom_id":1}', "half of a li"])("the output line %p answers nothing", (text) => {
  expect(readAnswer(text, chat)).toBeNull();
});

test("an answered line has our ids and our name of the model, and an error none of the provider's words", () => {
  const terms = { lineId: "ours", model: "acme/model" };
  const body = { model: "canary/weights", choices: [{ message: { content: "four" } }], usage: { prompt_tokens: 1 } };
  const good = readAnswer(
    JSON.stringify({ custom_id: "c", response: { status_code: 200, request_id: "canary", body }, error: null }),
    chat,
  )!;
  expect(good).toMatchObject({ succeeded: true, usage: body.usage, deliveredBytes: 4 });
  expect(JSON.parse(answerForStartup(good, terms))).toEqual({
    id: "batch_req_ours",
    custom_id: "c",
    response: { status_code: 200, request_id: "ours", body: { ...body, model: "acme/model" } },
    error: null,
  });
  const bad = { custom_id: "c", response: { status_code: 500, body: { error: { message: "canary broke" } } } };
  const shown = answerForStartup(readAnswer(JSON.stringify(bad), chat)!, terms);
  expect(shown).not.toContain("canary");
  expect(JSON.parse(shown).response.body.error.type).toBe("upstream_error");
});

const answered = (body: object) =>
  JSON.stringify({ custom_id: "c", response: { status_code: 200, body }, error: null });

test("an answer is read as its operation's, whatever it calls its usage", () => {
  const spoken = { prompt_tokens: 3, completion_tokens: 1 };
  const text = [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi" }] }];
  const usage = { input_tokens: 3, output_tokens: 1 };
  expect([
    readAnswer(answered({ choices: [{ text: "Hi" }], usage: spoken }), completions),
    readAnswer(answered({ data: [{ embedding: [0.5] }], usage: { prompt_tokens: 3 } }), embeddings),
    readAnswer(answered({ status: "completed", output: text, usage }), responses),
  ]).toMatchObject([
    { succeeded: true, usage: spoken, deliveredBytes: 2 },
    { succeeded: true, usage: { prompt_tokens: 3, completion_tokens: 0 } },
    { succeeded: true, usage: spoken },
  ]);
});

test("what has a status of success and is no answer of the operation is an error of its provider", () => {
  for (const [operation, body] of [
    [chat, { data: [] }],
    [embeddings, { choices: [] }],
    [responses, { status: "in_progress", output: [] }],
  ] as const) {
    const line = readAnswer(answered(body), operation)!;
    expect(line).toMatchObject({ succeeded: false, statusCode: 502, deliveredBytes: 0 });
    expect(JSON.parse(answerForStartup(line, { lineId: "l", model: "m" })).response.body.error.type).toBe(
      "upstream_error",
    );
  }
});
