/** Fine-tuning with the official client: held for all of its epochs, charged step by step, its events and names ours alone. */
import {
  chargesOf,
  example,
  expectSound,
  jobOf,
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

const examples = Array.from({ length: 20 }, (_, index) => example(`is ${index} a number that can be learnt?`));
const bytes = Buffer.byteLength(examples.join("\n"));
const tokens = examples.reduce((sum, text) => sum + Math.ceil(Buffer.byteLength(text) / 4), 0);

type Startup = Awaited<ReturnType<WorkloadWorld["startup"]>>;
const train = async ({ client }: Startup, more: object = {}) => {
  const { id } = await upload(client, "fine-tune", examples);
  const job = { training_file: id, model: MODEL, hyperparameters: { n_epochs: 2 }, suffix: "mine", ...more };
  return client.fineTuning.jobs.create(job);
};
const balance = (startup: { id: string }) => workload.world.services.ledger.balance(startup.id);

test("a training runs to its end and is charged for exactly what it read, in stages", async () => {
  const startup = await workload.startup();
  const { client } = startup;
  const made = await train(startup);
  expect(made).toMatchObject({ object: "fine_tuning.job", status: "queued", trained_tokens: null });
  // No tokenizer makes more tokens than there are bytes, and two epochs read them twice.
  const held = priceOf({ promptTokens: bytes * 2, completionTokens: 0 });
  expect((await balance(startup)).heldNanoCredit).toBe(held);

  await workload.look();
  await workload.work(3);
  const afterThree = Math.floor((tokens * 3) / 4);
  expect(await client.fineTuning.jobs.retrieve(made.id)).toMatchObject({
    status: "running",
    trained_tokens: afterThree,
  });
  expect(await balance(startup)).toMatchObject({
    spentNanoCredit: priceOf({ promptTokens: afterThree, completionTokens: 0 }),
    heldNanoCredit: held - priceOf({ promptTokens: afterThree, completionTokens: 0 }),
  });

  await workload.work(5);
  const done = await client.fineTuning.jobs.retrieve(made.id);
  expect(done).toMatchObject({ status: "succeeded", trained_tokens: tokens * 2, error: null });
  expect(done.fine_tuned_model).toMatch(new RegExp(`^ft:${MODEL}:mine:[0-9a-f]{12}$`));
  const charges = await chargesOf(workload, startup);
  expect(charges).toMatchObject([
    { workload: "FINE_TUNING", prompt_tokens: afterThree, completion_tokens: 0, outcome: "COMPLETED" },
    { workload: "FINE_TUNING", prompt_tokens: tokens * 2 - afterThree, completion_tokens: 0, outcome: "COMPLETED" },
  ]);
  const spent = charges.reduce((sum, charge) => sum + BigInt(charge.charge_nano_credit), 0n);
  expect(await balance(startup)).toMatchObject({ heldNanoCredit: 0n, spentNanoCredit: spent });

  const events = (await client.fineTuning.jobs.listEvents(made.id, { limit: 100 })).data;
  expect(events.map(({ message }) => message).slice(0, 3)).toEqual([
    "The job has succeeded.",
    expect.stringMatching(/^Step 8: training loss=/),
    expect.stringMatching(/^Step 7: training loss=/),
  ]);
  const checkpoints = (await client.fineTuning.jobs.checkpoints.list(made.id)).data;
  expect(checkpoints.map((checkpoint) => [checkpoint.step_number, checkpoint.fine_tuned_model_checkpoint])).toEqual([
    [8, `${done.fine_tuned_model}:ckpt-step-8`],
    [4, `${done.fine_tuned_model}:ckpt-step-4`],
  ]);
  const results = await (await client.files.content(done.result_files[0]!)).text();
  expect(results.split("\n").slice(0, 2)).toEqual(["step,train_loss", "1,1"]);
  const told = JSON.stringify([done, events, checkpoints, results]);
  for (const canary of workload.provider.canaries) expect(told).not.toContain(canary);
  // What was given to the provider is deleted there.
  expect(workload.floor.numbers().files).toBe(0);
});

test("a provider that claims more than there is to read is charged to the bound, and flagged", async () => {
  const startup = await workload.startup();
  await train(startup);
  await workload.look();
  workload.floor.fault = { claims: 100 };
  await workload.work(1);
  await workload.work(7);
  const job = await jobOf(workload, startup);
  expect(job).toMatchObject({ state: "SUCCEEDED", usage_bounded: true, prompt_tokens: String(bytes * 2) });
  expect(job.captured_nano_credit).toBe(job.held_nano_credit);
  expect(await balance(startup)).toMatchObject({ heldNanoCredit: 0n });
});

test("a provider that names no figures is charged by what we saw", async () => {
  const startup = await workload.startup();
  await train(startup);
  await workload.look();
  workload.floor.fault = { silent: true };
  await workload.work(8);
  const job = await jobOf(workload, startup);
  expect(job).toMatchObject({
    state: "SUCCEEDED",
    usage_bounded: true,
    prompt_tokens: String(Math.floor((bytes * 2) / 4)),
  });
});

test("a training that fails is charged for the stages before, and for nothing after", async () => {
  const startup = await workload.startup();
  const made = await train(startup);
  await workload.look();
  await workload.work(2);
  workload.floor.fault = { fails: true };
  await workload.work(1);
  const failed = await startup.client.fineTuning.jobs.retrieve(made.id);
  expect(failed).toMatchObject({ status: "failed", fine_tuned_model: null, error: { code: "provider_failed" } });
  expect(await balance(startup)).toMatchObject({
    heldNanoCredit: 0n,
    spentNanoCredit: priceOf({ promptTokens: Math.floor(tokens / 2), completionTokens: 0 }),
  });
});

test("a cancelled training stops at the provider and is charged for what it had read", async () => {
  const startup = await workload.startup();
  const made = await train(startup);
  await workload.look();
  workload.floor.work(2);
  await startup.client.fineTuning.jobs.cancel(made.id);
  await workload.look();
  expect(workload.floor.states().at(-1)).toBe("cancelled");
  expect((await startup.client.fineTuning.jobs.retrieve(made.id)).status).toBe("cancelled");
  expect(await chargesOf(workload, startup)).toMatchObject([
    { prompt_tokens: Math.floor(tokens / 2), outcome: "ABORTED" },
  ]);
  await expect(startup.client.fineTuning.jobs.cancel(made.id)).resolves.toMatchObject({ status: "cancelled" });
});

test.each([
  ["a model that nobody trains", { model: "acme/none" }, 404, "model_not_found"],
  ["too many epochs", { hyperparameters: { n_epochs: 1_000 } }, 400, "bad_user_input"],
  ["a file that is not there", { training_file: `file-${"0".repeat(32)}` }, 404, "not_found"],
  ["another method", { method: { type: "dpo" } }, 400, "bad_user_input"],
] as const)("%s is refused, and nothing is held", async (_what, more, status, code) => {
  const startup = await workload.startup();
  await expect(train(startup, more)).rejects.toMatchObject({ status, code });
  expect((await balance(startup)).heldNanoCredit).toBe(0n);
});

test("a file without examples is refused with the line at fault", async () => {
  const startup = await workload.startup();
  const { id } = await upload(startup.client, "fine-tune", [example("good"), '{"nothing":1}']);
  const refused = startup.client.fineTuning.jobs.create({ training_file: id, model: MODEL });
  await expect(refused).rejects.toMatchObject({
    status: 400,
    param: "training_file",
    message: expect.stringContaining("Line 2"),
  });
});

test("credit that does not cover all of its epochs refuses a training with the figures", async () => {
  const startup = await workload.startup(50_000n);
  await expect(train(startup)).rejects.toMatchObject({
    status: 402,
    error: { available: "0.00005", held: "0", spent: "0" },
  });
});
