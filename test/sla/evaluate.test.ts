/** Which breaches open and close as minutes pass, over the counts alone. */
import fc from "fast-check";
import {
  type BreachActs,
  breachActs,
  COUNTS_ARRIVE_WITHIN_MS,
  type CountedMinute,
  type KnownBreach,
  minutesToJudge,
} from "../../src/sla/evaluate";
import { newMinuteCounters, type SlaTierTerms } from "../../src/sla/minute";

const MINUTE = 60_000;
const terms: SlaTierTerms = {
  code: "STANDARD",
  uptimeTargetPpm: 995_000n,
  responseTimeMs: 500,
  badMinuteRequestsMin: 10,
  badMinuteFailedSharePpm: 500_000n,
  badMinuteProbesMin: 2,
  latencySamplesMin: 20,
};
const bad = { requests: 10, failed: 10 };
const good = { requests: 10, failed: 0 };

const aMinute = (minute: number, counts: object, endpointId = "e"): CountedMinute => ({
  endpointId,
  minuteMs: minute * MINUTE,
  terms,
  counters: { ...newMinuteCounters(), ...counts },
});
const aBreach = (openedMinute: number, closedMinute: number | null = null): KnownBreach => ({
  id: `${openedMinute}`,
  endpointId: "e",
  kind: "UPTIME",
  openedAtMs: openedMinute * MINUTE,
  closedAtMs: closedMinute === null ? null : closedMinute * MINUTE,
});
/** Half a minute into minute `minute`: the one before is complete. */
const during = (minute: number) => minute * MINUTE + MINUTE / 2;
const summary = (acts: BreachActs) => ({
  open: acts.open.map(({ kind, minute }) => `${kind} ${minute.endpointId}@${minute.minuteMs / MINUTE}`),
  close: acts.close.map(({ breach, atMs }) => `${breach.id}@${atMs / MINUTE}`),
});
const decide = (minutes: CountedMinute[], breaches: KnownBreach[], minute: number) =>
  summary(breachActs(minutes, breaches, during(minute)));

test("a minute is complete only when the counts of its last second have had time to arrive", () => {
  const judged = (atMs: number) => minutesToJudge(atMs).map(({ minuteMs, complete }) => [minuteMs / MINUTE, complete]);
  expect(judged(10 * MINUTE + COUNTS_ARRIVE_WITHIN_MS)).toEqual([
    [9, true],
    [10, false],
  ]);
  expect(judged(10 * MINUTE + COUNTS_ARRIVE_WITHIN_MS - 1)).toEqual([
    [8, true],
    [9, false],
    [10, false],
  ]);
  expect(judged(10 * MINUTE - 1)).toEqual([
    [8, true],
    [9, false],
  ]);
});

test("a bad minute opens a breach while it is still being counted", () => {
  expect(decide([aMinute(10, bad)], [], 10)).toEqual({ open: ["UPTIME e@10"], close: [] });
});

test("a good minute closes the breach when it is complete, not before", () => {
  expect(decide([aMinute(11, good)], [aBreach(10)], 11)).toEqual({ open: [], close: [] });
  expect(decide([aMinute(11, good)], [aBreach(10)], 12)).toEqual({ open: [], close: ["10@12"] });
});

test("two bad minutes in a row are one breach", () => {
  expect(decide([aMinute(9, bad), aMinute(10, bad)], [], 10)).toEqual({ open: ["UPTIME e@9"], close: [] });
  expect(decide([aMinute(9, bad), aMinute(10, bad)], [aBreach(9)], 10)).toEqual({ open: [], close: [] });
});

test("a good minute does not close the breach that the minute after it opened", () => {
  expect(decide([aMinute(9, good), aMinute(10, bad)], [aBreach(10)], 10)).toEqual({ open: [], close: [] });
});

test("good, then bad: the old breach ends and a new one begins in one go", () => {
  expect(decide([aMinute(9, good), aMinute(10, bad)], [aBreach(8)], 10)).toEqual({
    open: ["UPTIME e@10"],
    close: ["8@10"],
  });
});

test("a process that is behind does not reopen what a later minute closed", () => {
  expect(decide([aMinute(9, bad)], [aBreach(9, 11)], 10)).toEqual({ open: [], close: [] });
});

test("a minute that turned good before it was over ends the breach that it opened", () => {
  expect(decide([aMinute(10, good)], [aBreach(10)], 11)).toEqual({ open: [], close: ["10@11"] });
});

test("silence and too little evidence leave everything as it is", () => {
  expect(decide([], [aBreach(8)], 10)).toEqual({ open: [], close: [] });
  expect(decide([aMinute(9, { requests: 9, failed: 9 })], [aBreach(8)], 10)).toEqual({ open: [], close: [] });
});

test("uptime and response time are two breaches, and endpoints do not touch each other", () => {
  const slow = { requests: 40, failed: 40, ttftSamples: 20, within500Ms: 18 };
  const acts = decide([aMinute(10, slow), aMinute(10, good, "f")], [], 10);
  expect(acts.open).toEqual(["UPTIME e@10", "RESPONSE_TIME e@10"]);
});

test("whatever the minutes were like, evaluating twice acts once, and no two breaches are open at a time", () => {
  const kinds = fc.array(fc.constantFrom(bad, good, {}), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(kinds, fc.array(fc.integer({ min: 0, max: 30 * MINUTE })), (shapes, instants) => {
      const minutes = shapes.map((counts, minute) => aMinute(minute, counts));
      let breaches: KnownBreach[] = [];
      for (const atMs of instants) {
        const acts = breachActs(minutes, breaches, atMs);
        breaches = apply(breaches, acts);
        expect(breaches.filter(({ closedAtMs }) => closedAtMs === null).length).toBeLessThanOrEqual(1);
        expect(summary(breachActs(minutes, breaches, atMs))).toEqual({ open: [], close: [] });
      }
    }),
  );
});

function apply(breaches: KnownBreach[], acts: BreachActs): KnownBreach[] {
  const closed = breaches.map((breach) => {
    const act = acts.close.find((closing) => closing.breach === breach);
    return act === undefined ? breach : { ...breach, closedAtMs: act.atMs };
  });
  return [...closed, ...acts.open.map(({ minute }) => aBreach(minute.minuteMs / MINUTE))];
}
