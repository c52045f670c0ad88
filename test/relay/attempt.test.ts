/** How long the relay waits for a provider. */
import { attemptTimeouts } from "../../src/relay/attempt";

const limits = { firstByteTimeoutMs: 30_000, tokenTimeoutMs: 100, idleTimeoutMs: 60_000 };

it("gives an answer that is not streamed time for every token that it may have", () => {
  expect(attemptTimeouts(limits, 1_000)).toEqual({ firstByteTimeoutMs: 130_000, idleTimeoutMs: 60_000 });
});

it("expects a stream's first byte at once, however long it may become", () => {
  expect(attemptTimeouts(limits, null)).toEqual({ firstByteTimeoutMs: 30_000, idleTimeoutMs: 60_000 });
});
