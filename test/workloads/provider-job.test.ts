/** What a provider says of a job is read into our words or not at all: no text of its own goes any further, no id reaches another path. */
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
  expect(readAnswer(text)).toBeNull();
});

test("an answered line has our ids and our name of the model, and an error none of the provider's words", () => {
  const terms = { lineId: "ours", model: "acme/model" };
  const body = { model: "canary/weights", choices: [{}], usage: { prompt_tokens: 1 } };
  const good = readAnswer(
    JSON.stringify({ custom_id: "c", response: { status_code: 200, request_id: "canary", body }, error: null }),
  )!;
  expect(good).toMatchObject({ succeeded: true, usage: body.usage, deliveredBytes: 4 });
  expect(JSON.parse(answerForStartup(good, terms))).toEqual({
    id: "batch_req_ours",
    custom_id: "c",
    response: { status_code: 200, request_id: "ours", body: { ...body, model: "acme/model" } },
    error: null,
  });
  const bad = { custom_id: "c", response: { status_code: 500, body: { error: { message: "canary broke" } } } };
  const shown = answerForStartup(readAnswer(JSON.stringify(bad))!, terms);
  expect(shown).not.toContain("canary");
  expect(JSON.parse(shown).response.body.error.type).toBe("upstream_error");
});
