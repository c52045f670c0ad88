/** What is learnt of who serves what: forgotten in time, never held against who has served, and kept apart by operation. */
import { chat } from "../../src/relay/operations/chat";
import { embeddings } from "../../src/relay/operations/embeddings";
import { ServedOperations } from "../../src/relay/served-operations";

let nowMs = 0;
let served: ServedOperations;

beforeEach(() => {
  nowMs = 1_000;
  served = new ServedOperations(() => nowMs);
});

it("an offering that does not know an operation is not asked again for a minute", () => {
  expect(served.refuses(embeddings, "a")).toBe(false);
  expect(served.hasRefused(embeddings, "a")).toBe(true);
  expect(served.refuses(embeddings, "a")).toBe(true);
  nowMs += 59_999;
  expect(served.refuses(embeddings, "a")).toBe(true);
  nowMs += 1;
  expect(served.refuses(embeddings, "a")).toBe(false);
});

it("says nothing of other operations, and nothing of other offerings", () => {
  served.hasRefused(embeddings, "a");
  expect([served.refuses(chat, "a"), served.refuses(embeddings, "b")]).toEqual([false, false]);
});

it("what it has answered before, an offering may not disown", () => {
  served.hasAnswered(embeddings, "a");
  expect(served.hasRefused(embeddings, "a")).toBe(false);
  expect(served.refuses(embeddings, "a")).toBe(false);
  expect(served.hasRefused(chat, "a")).toBe(true);
});

it("an answer that was on its way makes good for a refusal", () => {
  served.hasRefused(embeddings, "a");
  served.hasAnswered(embeddings, "a");
  expect(served.refuses(embeddings, "a")).toBe(false);
});
