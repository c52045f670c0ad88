/** Requests about files and jobs count against the limits of their key and its organisation as any other, and tell what is left. */
import { connect } from "node:net";
import { RateLimitError } from "openai";
import { until } from "../support/leftovers";
import { send } from "../support/raw-request";
import { completion, httpAnswer } from "../support/scripted-provider";
import { example, line, MODEL, manyGpus, openWorkloadWorld, upload, type WorkloadWorld } from "./a-workload-world";

/** For chats, which have tokens. */
const SCRIPTED = "acme/scripted";

let workload: WorkloadWorld;

beforeAll(async () => {
  workload = await openWorkloadWorld({ providers: [manyGpus, { model: SCRIPTED, scripted: true }] });
});
afterEach(async () => {
  workload.world.clock.shiftMs = 0;
  await workload.world.expectNothingLeft();
});
afterAll(async () => {
  await workload?.world.stop();
});

type Limits = { requestsPerMinute?: number; tokensPerMinute?: number; concurrentRequests?: number };
async function limited(limits: Limits) {
  const startup = await workload.startup();
  const input = { organisationId: startup.id, name: "limited", scopes: ["INFER"] as const, limits };
  const { secret } = await workload.world.services.accounts.createApiKey(workload.world.operator, input);
  const client = workload.world.client({ secret }, { fetch: (url, init) => fetch(url, init) });
  const { clock, relay } = workload.world;
  const beganMs = clock.nowMs();
  const ask = (method: string, path: string, body?: object) => {
    // Nothing comes back while the test takes its time.
    clock.shiftMs += beganMs - clock.nowMs();
    return send(relay.url, { method, path, secret, ...(body && { body }) }).answer;
  };
  return { startup, secret, client, ask };
}
const left = ({ headers }: { headers: Record<string, unknown> }) => Number(headers["x-ratelimit-remaining-requests"]);

test("every route takes one request of the minute, and tells what is left of requests and tokens", async () => {
  const { client, ask } = await limited({ requestsPerMinute: 30, tokensPerMinute: 600 });
  const batchFile = (await upload(client, "batch", [line("a", "one")])).id;
  const trainingFile = (await upload(client, "fine-tune", [example("one")])).id;
  const batch = { input_file_id: batchFile, endpoint: "/v1/chat/completions", completion_window: "24h" };
  const made = async (path: string, body: object) => {
    const answer = await ask("POST", path, body);
    return { answer, id: (JSON.parse(answer.text) as { id: string }).id };
  };
  const answers = [await ask("GET", "/v1/files")];
  answers.push(await ask("GET", `/v1/files/${batchFile}`), await ask("GET", `/v1/files/${batchFile}/content`));
  for (const [path, body, lists] of [
    ["/v1/batches", batch, []],
    ["/v1/fine_tuning/jobs", { training_file: trainingFile, model: MODEL }, ["events", "checkpoints"]],
  ] as const) {
    const { answer, id } = await made(path, body);
    answers.push(answer, await ask("GET", path), await ask("GET", `${path}/${id}`));
    for (const list of lists) answers.push(await ask("GET", `${path}/${id}/${list}`));
    answers.push(await ask("POST", `${path}/${id}/cancel`));
  }
  expect(answers.map(({ status }) => status)).toEqual(Array(answers.length).fill(200));
  // Two were the uploads.
  expect(answers.map(left)).toEqual(answers.map((_, index) => 30 - 3 - index));
  for (const { headers } of answers) expect(headers["x-ratelimit-remaining-tokens"]).toBe("600");
  workload.world.clock.shiftMs = 0;
  await workload.look();
  const { status, headers } = await ask("DELETE", `/v1/files/${batchFile}`);
  expect([status, headers["x-ratelimit-limit-requests"]]).toEqual([200, "30"]);
});

test("over the limit a request is refused as a chat's is, and what is refused or fails has taken nothing", async () => {
  const { client, ask } = await limited({ requestsPerMinute: 2 });
  expect((await ask("GET", "/v1/files/file-none")).status).toBe(404);
  expect((await ask("POST", "/v1/batches", { input_file_id: "file-none" })).status).toBe(404);
  expect(left(await ask("GET", "/v1/files"))).toBe(1);
  expect(left(await ask("GET", "/v1/batches"))).toBe(0);
  const refused = await ask("GET", "/v1/batches");
  expect(refused.status).toBe(429);
  expect(JSON.parse(refused.text).error).toMatchObject({ code: "rate_limit_exceeded", type: "requests" });
  expect(refused.headers).toMatchObject({ "x-should-retry": "true", "x-ratelimit-limit-requests": "2" });
  expect(Number(refused.headers["retry-after-ms"])).toBeGreaterThan(0);
  await expect(upload(client, "batch", [line("a", "one")])).rejects.toThrow(RateLimitError);
  expect((await ask("POST", "/v1/chat/completions", { model: MODEL, messages: [] })).headers).toMatchObject({
    "x-ratelimit-remaining-requests": "0",
  });
});

test("an upload has a slot until it has ended, and one that is cut off gives it back and was a request", async () => {
  const { secret, ask } = await limited({ concurrentRequests: 1, requestsPerMinute: 10 });
  const socket = connect(Number(new URL(workload.world.relay.url).port), "127.0.0.1");
  const head = `POST /v1/files HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer ${secret}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 1000\r\n\r\n`;
  socket.write(`${head}--b\r\n`);
  await until("the upload to be under way", () => workload.world.relay.server.inFlight() === 1);
  const refused = await ask("GET", "/v1/files");
  expect([refused.status, JSON.parse(refused.text).error.message]).toEqual([
    429,
    expect.stringContaining("concurrent requests"),
  ]);
  socket.destroy();
  await until("the end of the upload", () => workload.world.relay.server.inFlight() === 0);
  expect(left(await ask("GET", "/v1/files"))).toBe(8);
});

test("who owes tokens may still follow jobs", async () => {
  const { ask } = await limited({ tokensPerMinute: 60 });
  const body = { model: SCRIPTED, messages: [{ role: "user", content: "x".repeat(150) }], max_tokens: 4 };
  const usage = { prompt_tokens: 150, completion_tokens: 1 };
  const answer = JSON.stringify({ ...JSON.parse(completion("Hi")), usage });
  workload.world.providers[1]!.scripted.play(({ socket }) => void socket.write(httpAnswer("200 OK", answer)));
  expect((await ask("POST", "/v1/chat/completions", body)).status).toBe(200);
  expect(JSON.parse((await ask("POST", "/v1/chat/completions", body)).text).error).toMatchObject({ type: "tokens" });
  const { status, headers } = await ask("GET", "/v1/batches");
  expect([status, headers["x-ratelimit-remaining-tokens"]]).toEqual([200, "0"]);
});
