/** What stands in the log of requests that are over, and how much of it. */
import { createLog, type LogLevel } from "../../src/platform/log";
import { Observation, operationName } from "../../src/relay/observation";
import { requestLog } from "../../src/relay/request-log";

function logged(level: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  let nowMs = 0;
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const watch = requestLog(createLog({ level, write }), () => nowMs);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const end = (outcome: string) => {
    const seen = new Observation("id", "chat_completions", "00-secret", 0);
    seen.attempts.push({ result: "OK", beganMs: 2, endedMs: 9 });
    Object.assign(seen, { model: "acme/m", outcome, endedMs: 10, readingMs: 1 });
    watch(seen);
  };
  return { lines, end, pass };
}

test("at info those that failed have a line, at debug every one", () => {
  const [info, debug] = [logged("info"), logged("debug")];
  for (const { end } of [info, debug]) for (const outcome of ["completed", "aborted", "cut", "failed"]) end(outcome);
  expect(info.lines.map(({ outcome }) => outcome)).toEqual(["cut", "failed"]);
  expect(debug.lines.map(({ outcome }) => outcome)).toEqual(["completed", "aborted", "cut", "failed"]);
  expect(info.lines[0]).toMatchObject({
    requestId: "id",
    model: "acme/m",
    durationMs: 10,
    overheadMs: 2,
    level: "info",
  });
  expect(JSON.stringify(debug.lines)).not.toContain("00-secret");
});

test("an outage is ten lines a second, and the next one says how many were left out", () => {
  const { lines, end, pass } = logged("info");
  for (let i = 0; i < 500; i++) end("failed");
  expect(lines).toHaveLength(10);
  pass(1_000);
  end("failed");
  expect(lines).toHaveLength(11);
  expect(lines[10]).toMatchObject({ notLogged: 490 });
  pass(1_000);
  end("failed");
  expect(lines[11]).not.toHaveProperty("notLogged");
});

test("what was asked for has a name of few words", () => {
  expect(
    ["/v1/chat/completions", "/v1/embeddings", "/v1/models/{model}", "/v1/files/{id}/content"].map(operationName),
  ).toEqual(["chat_completions", "embeddings", "models", "files_content"]);
});
