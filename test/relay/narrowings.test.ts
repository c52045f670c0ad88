/** What is remembered of narrowed requests: for seconds, for requests that the whole cannot pay, per startup and purpose, and never without end. */
import { purposeOf } from "../../src/metering/purpose";
import { Narrowings } from "../../src/relay/narrowings";

const both = purposeOf("INFERENCE", ["A100", "H100"]);
const narrower = [{ purpose: purposeOf("INFERENCE", ["H100"]), creditNanoCredit: 50n }];

let nowMs = 0;
let narrowings: Narrowings;

beforeEach(() => {
  nowMs = 1_000;
  narrowings = new Narrowings(() => nowMs);
  narrowings.learn("a", both, 10n, narrower);
});

it("a request that needs more than the whole has is kept to what is narrower, another is not", () => {
  expect(narrowings.of("a", both, 11n)).toBe(narrower);
  expect(narrowings.of("a", both, 10n)).toBeNull();
});

it("it is found out again after five seconds, and when it was wrong", () => {
  nowMs += 4_999;
  expect(narrowings.of("a", both, 11n)).toBe(narrower);
  nowMs += 1;
  expect(narrowings.of("a", both, 11n)).toBeNull();
  narrowings.learn("a", both, 10n, narrower);
  narrowings.forget("a", both);
  expect(narrowings.of("a", both, 11n)).toBeNull();
});

it("says nothing of other startups, and nothing of other purposes", () => {
  expect(narrowings.of("b", both, 11n)).toBeNull();
  expect(narrowings.of("a", purposeOf("INFERENCE", ["A100", "H200"]), 11n)).toBeNull();
});

it("ten thousand are kept, and the oldest makes room", () => {
  for (let n = 0; n < 9_999; n++) narrowings.learn(`s${n}`, both, 10n, narrower);
  expect(narrowings.of("a", both, 11n)).toBe(narrower);
  narrowings.learn("one more", both, 10n, narrower);
  expect(narrowings.of("a", both, 11n)).toBeNull();
  expect(narrowings.of("s0", both, 11n)).toBe(narrower);
});
