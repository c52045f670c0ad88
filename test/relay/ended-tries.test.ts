import fc from "fast-check";
import { AnswerRecord, RecordBudget } from "../../src/relay/answer-record";
import { EndedTries } from "../../src/relay/ended-tries";
import type { Try } from "../../src/relay/tries";

const budget = new RecordBudget(0);
const entryOf = (bytes: number): Try => ({
  fingerprint: "any",
  record: new AnswerRecord(budget),
  count: 0,
  phase: "ANSWERED",
  client: null,
  endedMs: 0,
  bytes,
  before: null,
  after: null,
});

function inOrder({ oldest }: EndedTries): Try[] {
  const entries: Try[] = [];
  for (let entry = oldest; entry !== null; entry = entry.after) entries.push(entry);
  return entries;
}

test("whoever leaves is held by nobody, and the others stay in the order of their ends", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(null), fc.nat(30))), (acts) => {
      const ended = new EndedTries();
      let expected: Try[] = [];
      for (const [index, act] of acts.entries()) {
        if (act === null || expected.length === 0) {
          const entry = entryOf(index);
          ended.add(entry);
          expected.push(entry);
        } else {
          const leaving = expected[act % expected.length]!;
          ended.remove(leaving);
          expected = expected.filter((entry) => entry !== leaving);
          expect([leaving.before, leaving.after]).toEqual([null, null]);
        }
        expect(inOrder(ended)).toEqual(expected);
        expect(ended.count).toBe(expected.length);
        expect(ended.bytes).toBe(expected.reduce((sum, { bytes }) => sum + bytes, 0));
      }
    }),
  );
});
