/** The judge of the kills under money: what it must call a fault, and what is none. */
import { faultsOf, type Standing, strandedOf } from "./money-judge";

const asked = (marker: string, more: { requestId?: string | null; complete?: boolean } = {}) => ({
  marker,
  startupId: "startup",
  requestId: null,
  complete: false,
  ...more,
});
const dispatched = (requestId: string, marker: string) => ({ requestId, marker });
const charged = (requestId: string, startupId = "startup") => ({ requestId, startupId });
const none = { lost: [], doubled: [], unfounded: [] };

it("finds nothing wrong with a whole answer that is charged once, and with a broken one that is charged once or not at all", () => {
  const seen = {
    asked: [asked("a", { requestId: "1", complete: true }), asked("b", { requestId: "2" }), asked("c")],
    dispatched: [dispatched("1", "a"), dispatched("2", "b"), dispatched("3", "c")],
    charged: [charged("1"), charged("3")],
  };
  expect(faultsOf(seen)).toEqual(none);
});

it("finds a whole answer that nobody was charged for, and one that somebody else was", () => {
  const seen = {
    asked: [asked("a", { requestId: "1", complete: true }), asked("b", { requestId: "2", complete: true })],
    dispatched: [dispatched("1", "a"), dispatched("2", "b")],
    charged: [charged("2", "another")],
  };
  expect(faultsOf(seen)).toEqual({ lost: ["a (1)", "b (2)"], doubled: [], unfounded: ["2"] });
});

it("finds a request that is charged under two ids", () => {
  const seen = {
    asked: [asked("a", { requestId: "1", complete: true })],
    dispatched: [dispatched("1", "a"), dispatched("2", "a")],
    charged: [charged("1"), charged("2")],
  };
  expect(faultsOf(seen)).toEqual({ ...none, doubled: ["a: 2 times"] });
});

it("finds a charge for what no provider was asked, and for what no client asked", () => {
  const seen = { asked: [asked("a")], dispatched: [dispatched("2", "b")], charged: [charged("1"), charged("2")] };
  expect(faultsOf(seen)).toEqual({ ...none, unfounded: ["1", "2"] });
});

it("finds credit that is held, credit that is nowhere, and spending that no record explains", () => {
  const even: Standing = { name: "s", issued: 100n, available: 60n, held: 0n, spent: 40n, charged: 40n };
  expect(strandedOf([even])).toEqual([]);
  expect(strandedOf([{ ...even, available: 50n, held: 10n }])).toEqual(["s: 10 held"]);
  expect(strandedOf([{ ...even, available: 59n }])).toHaveLength(1);
  expect(strandedOf([{ ...even, charged: 39n }])).toHaveLength(1);
});
