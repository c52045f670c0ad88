/** Batches with the official client: priced, held, charged line by line as they are answered, and read back without a provider's name. */
import {
  chargesOf,
  expectSound,
  jobOf,
  line,
  MODEL,
  openWorkloadWorld,
  priceOf,
  upload,
  type WorkloadWorld,
} from "./a-workload-world";

let workload: WorkloadWorld;

beforeAll(async () => {
  workload = await openWorkloadWorld();
});
afterEach(async () => {
  workload.floor.fault = {};
  await expectSound(workload);
});
afterAll(async () => {
  await workload?.world.stop();
});

const lines = [line("a", "first question"), line("b", "second question"), line("c", "the third of the questions")];
const create = async (
  client: Awaited<ReturnType<WorkloadWorld["startup"]>>["client"],
  of: readonly string[] = lines,
) => {
  const { id } = await upload(client, "batch", of);
  return client.batches.create({ input_file_id: id, endpoint: "/v1/chat/completions", completion_window: "24h" });
};
const balance = (startup: { id: string }) => workload.world.services.ledger.balance(startup.id);

test("a batch runs from its file to its output, and each answered line is charged once", async () => {
  const startup = await workload.startup();
  const { client } = startup;
  const made = await create(client);
  expect(made).toMatchObject({ object: "batch", status: "validating", endpoint: "/v1/chat/completions" });
  const { held_nano_credit: held } = await jobOf(workload, startup);
  expect((await balance(startup)).heldNanoCredit).toBe(BigInt(held));

  await workload.look();
  await workload.work(1);
  expect(await client.batches.retrieve(made.id)).toMatchObject({
    status: "in_progress",
    request_counts: { total: 3, completed: 1, failed: 0 },
  });
  // One line is paid, and all that is left of the hold is still held.
  const [first] = await chargesOf(workload, startup);
  expect(await balance(startup)).toMatchObject({
    spentNanoCredit: BigInt(first!.charge_nano_credit),
    heldNanoCredit: BigInt(held) - BigInt(first!.charge_nano_credit),
  });

  await workload.work(2);
  const done = await client.batches.retrieve(made.id);
  expect(done).toMatchObject({ status: "completed", request_counts: { total: 3, completed: 3, failed: 0 } });
  const text = await (await client.files.content(done.output_file_id!)).text();
  const answers = text
    .trim()
    .split("\n")
    .map((answer) => JSON.parse(answer));
  expect(answers.map((answer) => answer.custom_id)).toEqual(["a", "b", "c"]);
  expect(answers.map((answer) => answer.response.body.model)).toEqual([MODEL, MODEL, MODEL]);
  for (const canary of workload.provider.canaries) expect(JSON.stringify(done) + text).not.toContain(canary);

  const usage = answers.map(({ response }) => response.body.usage);
  const sum = (name: string) => usage.reduce((total, one) => total + one[name], 0);
  expect(done.usage).toMatchObject({ input_tokens: sum("prompt_tokens"), output_tokens: sum("completion_tokens") });
  const charges = await chargesOf(workload, startup);
  expect(charges.map((charge) => charge.workload)).toEqual(["BATCH", "BATCH"]);
  expect(charges.map((charge) => BigInt(charge.charge_nano_credit))).toEqual([
    priceOf({ promptTokens: usage[0].prompt_tokens, completionTokens: usage[0].completion_tokens }),
    priceOf({
      promptTokens: usage[1].prompt_tokens + usage[2].prompt_tokens,
      completionTokens: usage[1].completion_tokens + usage[2].completion_tokens,
    }),
  ]);
  expect(await balance(startup)).toMatchObject({
    heldNanoCredit: 0n,
    spentNanoCredit: charges.reduce((total, charge) => total + BigInt(charge.charge_nano_credit), 0n),
  });
});

test.each([
  ["/v1/completions", { prompt: ["one text", "another"], max_tokens: 20 }, "choices"],
  ["/v1/embeddings", { input: ["one text", "another"] }, "data"],
  ["/v1/responses", { input: "one text", max_output_tokens: 20 }, "output"],
] as const)("lines may call %s, and each is charged as it is there", async (url, body, member) => {
  const startup = await workload.startup();
  const { client } = startup;
  const text = (customId: string) =>
    JSON.stringify({ custom_id: customId, method: "POST", url, body: { model: MODEL, ...body } });
  const { id } = await upload(client, "batch", [text("a"), text("b")]);
  const made = await client.batches.create({ input_file_id: id, endpoint: url, completion_window: "24h" });
  await workload.look();
  await workload.work(2);
  const done = await client.batches.retrieve(made.id);
  expect(done).toMatchObject({
    endpoint: url,
    status: "completed",
    request_counts: { total: 2, completed: 2, failed: 0 },
  });
  const output = await (await client.files.content(done.output_file_id!)).text();
  const answers = output
    .trim()
    .split("\n")
    .map((answer) => JSON.parse(answer).response.body);
  for (const canary of workload.provider.canaries) expect(output).not.toContain(canary);
  expect(answers.map((answer) => [answer.model, answer[member].length > 0])).toEqual([
    [MODEL, true],
    [MODEL, true],
  ]);
  const sum = (...names: string[]) =>
    answers.reduce(
      (total, { usage }) => total + (names.map((name) => usage[name]).find((tokens) => tokens >= 0) ?? 0),
      0,
    );
  const promptTokens = sum("prompt_tokens", "input_tokens");
  const completionTokens = sum("completion_tokens", "output_tokens");
  expect(promptTokens).toBeGreaterThan(0);
  expect(completionTokens > 0).toBe(url !== "/v1/embeddings");
  const charges = await chargesOf(workload, startup);
  expect(charges).toMatchObject([
    { workload: "BATCH", prompt_tokens: promptTokens, completion_tokens: completionTokens, usage_bounded: false },
  ]);
  expect(BigInt(charges[0]!.charge_nano_credit)).toBe(priceOf({ promptTokens, completionTokens }));
  expect(await balance(startup)).toMatchObject({
    heldNanoCredit: 0n,
    spentNanoCredit: priceOf({ promptTokens, completionTokens }),
  });
});

test("a batch whose lines call another endpoint than its own fails with each of them, and nothing is held", async () => {
  const startup = await workload.startup();
  const elsewhere = JSON.stringify({
    custom_id: "e",
    method: "POST",
    url: "/v1/embeddings",
    body: { model: MODEL, input: "x" },
  });
  const failed = await create(startup.client, [line("a", "first"), elsewhere, line("c", "third")]);
  expect(failed.status).toBe("failed");
  expect(failed.errors?.data).toMatchObject([{ line: 2, code: "invalid_url", param: "url" }]);
  expect(await balance(startup)).toMatchObject({ heldNanoCredit: 0n, spentNanoCredit: 0n });
  const asked = { input_file_id: failed.input_file_id, completion_window: "24h" as const };
  const other = { ...asked, endpoint: "/v1/moderations" as const };
  await expect(startup.client.batches.create(other)).rejects.toMatchObject({ status: 400, param: "endpoint" });
});

test("a provider that reports more than it can have written is charged to the bound, and flagged", async () => {
  const startup = await workload.startup();
  const made = await create(startup.client);
  await workload.look();
  workload.floor.fault = { claims: 1_000 };
  await workload.work(3);
  expect((await startup.client.batches.retrieve(made.id)).status).toBe("completed");
  const job = await jobOf(workload, startup);
  expect(job.usage_bounded).toBe(true);
  // 100 tokens a line at most, whatever was claimed.
  expect(Number(job.completion_tokens)).toBeLessThanOrEqual(300);
  expect(BigInt(job.captured_nano_credit) <= BigInt(job.held_nano_credit)).toBe(true);
  expect((await chargesOf(workload, startup)).map((charge) => charge.usage_bounded)).toEqual([true]);
});

test("a batch with lines that cannot be read fails with each of them, and nothing is held", async () => {
  const startup = await workload.startup();
  const bad = [
    line("a", "good"),
    "not json",
    line("a", "again"),
    line("b", "to another", { model: "acme/other" }),
    JSON.stringify({ custom_id: "c", method: "POST", url: "/v1/elsewhere", body: {} }),
    line("d", "streamed", { stream: true }),
  ];
  const failed = await create(startup.client, bad);
  expect(failed.status).toBe("failed");
  expect(failed.errors?.data?.map(({ code, line: number, param }) => [number, code, param])).toEqual([
    [2, "invalid_json_line", null],
    [3, "duplicate_custom_id", "custom_id"],
    [4, "mismatched_model", "body.model"],
    [5, "invalid_url", "url"],
    [6, "invalid_request", "body.stream"],
  ]);
  expect((await balance(startup)).heldNanoCredit).toBe(0n);
});

test("credit that does not cover a batch refuses it with the figures", async () => {
  const startup = await workload.startup(100_000n);
  const refusal = await create(startup.client).catch((error) => error);
  expect(refusal).toMatchObject({ status: 402, code: "insufficient_credits" });
  expect(refusal.error).toMatchObject({ available: "0.0001", held: "0", spent: "0" });
  expect(Number(refusal.error.needed)).toBeGreaterThan(0.0001);
  expect((await startup.client.batches.list()).data).toEqual([]);
});

test("a cancelled batch reaches the provider; what was answered is charged, the rest is free and named", async () => {
  const startup = await workload.startup();
  const made = await create(startup.client);
  await workload.look();
  await workload.work(1);
  expect((await startup.client.batches.cancel(made.id)).status).toBe("cancelling");
  await workload.look();
  expect(workload.floor.states().at(-1)).toBe("cancelled");
  const cancelled = await startup.client.batches.retrieve(made.id);
  expect(cancelled).toMatchObject({ status: "cancelled", request_counts: { total: 3, completed: 1, failed: 2 } });
  const errors = await (await startup.client.files.content(cancelled.error_file_id!)).text();
  expect(
    errors
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text).error.code),
  ).toEqual(["batch_cancelled", "batch_cancelled"]);
  expect(await balance(startup)).toMatchObject({ heldNanoCredit: 0n });
  expect(await chargesOf(workload, startup)).toHaveLength(1);
  await expect(startup.client.files.delete(made.input_file_id)).resolves.toMatchObject({ deleted: true });
});

test("a batch that is cancelled before any provider has it costs nothing", async () => {
  const startup = await workload.startup();
  const made = await create(startup.client);
  await expect(startup.client.files.delete(made.input_file_id)).rejects.toMatchObject({ status: 409 });
  await startup.client.batches.cancel(made.id);
  await workload.look();
  expect((await startup.client.batches.retrieve(made.id)).status).toBe("cancelled");
  expect(await balance(startup)).toMatchObject({ heldNanoCredit: 0n, spentNanoCredit: 0n });
});

test("an idempotency key makes one batch, and the client's own retry finds it", async () => {
  const startup = await workload.startup();
  const { id } = await upload(startup.client, "batch", lines);
  const body = { input_file_id: id, endpoint: "/v1/chat/completions", completion_window: "24h" } as const;
  const once = (key: string) =>
    startup.client.batches.create(body, { idempotencyKey: key, headers: { "idempotency-key": key } });
  const [first, again] = [await once("k-1"), await once("k-1")];
  expect(again.id).toBe(first.id);
  const retried = await startup.client.batches.create(body, { headers: { "x-stainless-retry-count": "1" } });
  expect(retried.id).toBe(first.id);
  const other = startup.client.batches.create(
    { ...body, metadata: { other: "1" } },
    { headers: { "idempotency-key": "k-1" } },
  );
  await expect(other).rejects.toMatchObject({ status: 422 });
  await startup.client.batches.cancel(first.id);
  await workload.look();
});

test("two startups see nothing of each other", async () => {
  const [one, two] = [await workload.startup(), await workload.startup()];
  const made = await create(one.client);
  const strange = [
    two.client.batches.retrieve(made.id),
    two.client.batches.cancel(made.id),
    two.client.files.retrieve(made.input_file_id),
    two.client.files.content(made.input_file_id),
    two.client.files.delete(made.input_file_id),
    two.client.batches.create({
      input_file_id: made.input_file_id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
    }),
  ];
  for (const attempt of strange) await expect(attempt).rejects.toMatchObject({ status: 404 });
  expect((await two.client.batches.list()).data).toEqual([]);
  expect((await two.client.files.list()).data).toEqual([]);
  await one.client.batches.cancel(made.id);
  await workload.look();
});

test("lists go page by page, newest first", async () => {
  const startup = await workload.startup();
  const uploaded: string[] = [];
  for (let count = 0; count < 3; count++) uploaded.push((await upload(startup.client, "batch", lines)).id);
  const seen: string[] = [];
  for await (const file of startup.client.files.list({ limit: 2 })) seen.push(file.id);
  expect(seen).toEqual([...uploaded].reverse());
  expect((await startup.client.files.list({ purpose: "fine-tune" })).data).toEqual([]);
  await expect(startup.client.files.list({ limit: 0 })).rejects.toMatchObject({ status: 400 });
});
