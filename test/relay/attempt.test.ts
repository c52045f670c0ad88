/** One try at one endpoint: how long the relay waits, and whose fault an unreadable answer is. */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { DomainError } from "../../src/platform/errors";
import { AnswerRecord, RecordBudget } from "../../src/relay/answer-record";
import type { Answer } from "../../src/relay/answers";
import { attemptTimeouts, runAttempt } from "../../src/relay/attempt";
import { ClientConnection } from "../../src/relay/client-connection";
import type { UpstreamAttempt, UpstreamHandler, Upstreams } from "../../src/upstreams/upstreams";

const limits = { firstByteTimeoutMs: 30_000, tokenTimeoutMs: 100, idleTimeoutMs: 60_000 };

it("gives an answer that is not streamed time for every token that it may have", () => {
  expect(attemptTimeouts(limits, 1_000)).toEqual({ firstByteTimeoutMs: 130_000, idleTimeoutMs: 60_000 });
});

it("expects a stream's first byte at once, however long it may become", () => {
  expect(attemptTimeouts(limits, null)).toEqual({ firstByteTimeoutMs: 30_000, idleTimeoutMs: 60_000 });
});

/** An upstream that answers with one byte, whose reading throws `error`. */
async function readingThrows(error: Error): Promise<{ kind: string; faults: unknown[] }> {
  const answer = {
    streamed: true,
    committed: false,
    complete: false,
    delivered: { deliveredBytes: 0, contentChunks: 0, usage: undefined },
    accept() {
      throw error;
    },
    end() {},
  } satisfies Answer;
  const exchange = { pause() {}, resume() {}, abort() {} };
  const upstreams = {
    dispatch(_: UpstreamAttempt, handler: UpstreamHandler) {
      queueMicrotask(() => {
        handler.onStart(exchange, 200, {});
        handler.onBytes(Buffer.from("x"));
      });
      return { cancel() {} };
    },
  } as Pick<Upstreams, "dispatch"> as Upstreams;
  const faults: unknown[] = [];
  const end = await runAttempt({
    upstreams,
    attempt: {} as UpstreamAttempt,
    answer,
    client: new ClientConnection(
      new ServerResponse(new IncomingMessage(new Socket())),
      new AnswerRecord(new RecordBudget(65_536)),
    ),
    timeouts: limits,
    deadlineMs: performance.now() + 1_000,
    onFault: (fault) => faults.push(fault),
  });
  return { kind: end.kind, faults };
}

it("tells a fault of our own in reading an answer, which would else pass for the provider's", async () => {
  const ours = new TypeError("x is not a function");
  expect(await readingThrows(ours)).toEqual({ kind: "FAILED", faults: [ours] });
});

it("tells nothing when it is the provider's answer that is wrong", async () => {
  expect(await readingThrows(new DomainError("UPSTREAM_FAILED", "no content"))).toEqual({ kind: "FAILED", faults: [] });
});
