/** The judge of the chaos runs: what it must call a fault, and what a named gap explains. */
import { faultsOf, type Subscriber } from "./subscribers";

const written = ["ANNOUNCED a", "ANNOUNCED b", "ANNOUNCED c", "ANNOUNCED d"];

function heard(events: string[], more: Partial<Subscriber> = {}): Subscriber {
  return {
    stream: "capacityChanges",
    events,
    standing: new Set(),
    gaps: [],
    failures: [],
    stands: () => true,
    connections: () => 1,
    cut: () => undefined,
    close: async () => undefined,
    ...more,
  };
}

it("finds nothing wrong with every event once and in order", () => {
  expect(faultsOf(heard([...written]), written)).toEqual([]);
});

it.each([
  ["an event that was lost", ["ANNOUNCED a", "ANNOUNCED c", "ANNOUNCED d"], /skips 1 events before ANNOUNCED c/],
  ["an event that was told twice", ["ANNOUNCED a", "ANNOUNCED a", ...written.slice(1)], /ANNOUNCED a again/],
  [
    "events in another order",
    ["ANNOUNCED b", "ANNOUNCED a", "ANNOUNCED c", "ANNOUNCED d"],
    /ANNOUNCED a again, or too late/,
  ],
  ["an end that is missing", written.slice(0, 3), /ends 1 events too early/],
  ["an event that nobody wrote", ["ANNOUNCED x", ...written], /nobody wrote/],
])("finds %s", (_, events, fault) => {
  expect(faultsOf(heard(events), written).join()).toMatch(fault);
});

it("lets a named gap stand for what the snapshot behind it tells, and for nothing else", () => {
  const events = ["ANNOUNCED a", "ANNOUNCED d"];
  const gaps = [{ reason: "TRIMMED", behind: 1 }];
  expect(faultsOf(heard(events, { gaps, standing: new Set(["b", "c"]) }), written)).toEqual([]);
  expect(faultsOf(heard(events, { gaps, standing: new Set(["b"]) }), written)).toHaveLength(1);
  expect(faultsOf(heard(events, { standing: new Set(["b", "c"]) }), written)).toHaveLength(1);
});

it("finds a stream that ended, whatever it told before", () => {
  expect(faultsOf(heard([...written], { failures: ["closed"] }), written)).toHaveLength(1);
});
