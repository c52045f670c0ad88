/** A worker killed with SIGKILL again and again in the middle of jobs: the next one goes on, and every line and step is charged once. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { seeded } from "../chaos/seeded";
import { example, expectSound, line, MODEL, openWorkloadWorld, upload, type WorkloadWorld } from "./a-workload-world";
import type { WorkerOptions } from "./worker-program";

const ROUNDS = 10;
/** Around the few milliseconds that a hand-over, a look and a booking take. */
const LIFE_MS_MAX = 120;

let workload: WorkloadWorld;
let worker: ChildProcess | undefined;

beforeAll(async () => {
  workload = await openWorkloadWorld();
});
afterAll(async () => {
  worker?.kill("SIGKILL");
  await workload?.world.stop();
});

/** Resolves when it has begun to look. */
async function startWorker(): Promise<ChildProcess> {
  const { signingKey, ...identity } = workload.world.identity;
  const options: WorkerOptions = {
    databaseUrl: workload.world.database.url,
    issuer: "https://exergy.example",
    identity,
    signingKeyPem: signingKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
  const hook = join(__dirname, "../demo/typescript.cjs");
  worker = spawn(process.execPath, ["--require", hook, join(__dirname, "worker-program.ts")], {
    env: { PATH: process.env.PATH, WORKLOAD_WORKER: JSON.stringify(options) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(worker.stdout!, "data");
  return worker;
}

test("whenever a worker dies, its jobs are finished by others and charged once", async () => {
  const startup = await workload.startup();
  const { client } = startup;
  const lines = Array.from({ length: 6 }, (_, index) => line(`line-${index}`, `question ${index}`));
  const examples = Array.from({ length: 8 }, (_, index) => example(`example ${index}`));
  const batchFile = await upload(client, "batch", lines);
  const trainingFile = await upload(client, "fine-tune", examples);
  const batch = await client.batches.create({
    input_file_id: batchFile.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
  const training = await client.fineTuning.jobs.create({
    training_file: trainingFile.id,
    model: MODEL,
    hyperparameters: { n_epochs: 2 },
  });
  const random = seeded(27);
  for (let round = 0; round < ROUNDS; round++) {
    const child = await startWorker();
    await pause(random() * LIFE_MS_MAX);
    child.kill("SIGKILL");
    await once(child, "exit");
    workload.floor.work(1);
  }
  for (let rest = 0; rest < 3; rest++) await workload.work(8);

  expect(workload.floor.states().sort()).toEqual(["done", "done"]);
  const done = await client.batches.retrieve(batch.id);
  expect(done).toMatchObject({ status: "completed", request_counts: { total: 6, completed: 6, failed: 0 } });
  const text = await (await client.files.content(done.output_file_id!)).text();
  const answers = text
    .trim()
    .split("\n")
    .map((answer) => JSON.parse(answer));
  expect(new Set(answers.map((answer) => answer.custom_id)).size).toBe(6);
  const of = (name: string) => answers.reduce((sum, { response }) => sum + response.body.usage[name], 0);
  const rows = await workload.world.rows<{ workload: string; prompt: string; completion: string }>(
    "SELECT workload, sum(prompt_tokens)::text AS prompt, sum(completion_tokens)::text AS completion FROM usage_record GROUP BY 1 ORDER BY 1",
  );
  const trained = examples.reduce((sum, one) => sum + Math.ceil(Buffer.byteLength(one) / 4), 0) * 2;
  expect(rows).toEqual([
    { workload: "BATCH", prompt: String(of("prompt_tokens")), completion: String(of("completion_tokens")) },
    { workload: "FINE_TUNING", prompt: String(trained), completion: "0" },
  ]);
  expect(await client.fineTuning.jobs.retrieve(training.id)).toMatchObject({
    status: "succeeded",
    trained_tokens: trained,
  });
  expect((await workload.world.services.ledger.balance(startup.id)).heldNanoCredit).toBe(0n);
  await expectSound(workload);
}, 120_000);
