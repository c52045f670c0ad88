/** Goal: each sample lands in every count it is within, and nothing else does. */
import { countLatency } from "../../src/sla/latency-buckets";
import { newMinuteCounters } from "../../src/sla/minute";

test.each([
  [0, [1, 1, 1]],
  [100, [1, 1, 1]],
  [100.001, [0, 1, 1]],
  [200, [0, 1, 1]],
  [201, [0, 0, 1]],
  [500, [0, 0, 1]],
  [501, [0, 0, 0]],
])(
  "a first byte after %f ms counts as %j within 100, 200 and 500",
  (ttftMs, [within100Ms, within200Ms, within500Ms]) => {
    const counters = newMinuteCounters();
    countLatency(counters, ttftMs);
    expect(counters).toEqual({ ...newMinuteCounters(), ttftSamples: 1, within100Ms, within200Ms, within500Ms });
  },
);

test.each([[Number.NaN], [-1], [Number.POSITIVE_INFINITY]])("%f is no sample", (ttftMs) => {
  const counters = newMinuteCounters();
  countLatency(counters, ttftMs);
  expect(counters).toEqual(newMinuteCounters());
});
