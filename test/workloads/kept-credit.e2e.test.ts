/** Jobs on credit that is kept for some accelerators: they go to the cheapest endpoint that it may pay for. */
import { faultsInTheBooks } from "../ledger/books";
import type { WorldProvider } from "../support/relay-world";
import { chargesOf, example, jobOf, line, MODEL, manyGpus, openWorkloadWorld, upload } from "./a-workload-world";

let workload: Awaited<ReturnType<typeof openWorkloadWorld>>;
let cheap: WorldProvider;
let dear: WorldProvider;

beforeAll(async () => {
  workload = await openWorkloadWorld({ providers: [manyGpus, { ...manyGpus, accelerator: "A100" }] });
  [cheap, dear] = workload.world.providers as [WorldProvider, WorldProvider];
});
afterEach(async () => {
  expect(await faultsInTheBooks(workload.world.db)).toEqual([]);
  await workload.world.expectBooksBalance();
});
afterAll(async () => {
  await workload?.world.stop();
});

const NANO = 1_000_000_000n;
const lines = [line("a", "first question"), line("b", "second question")];
const batch = async ({ client }: Awaited<ReturnType<typeof workload.startup>>) => {
  const { id } = await upload(client, "batch", lines);
  return client.batches.create({ input_file_id: id, endpoint: "/v1/chat/completions", completion_window: "24h" });
};
const endpointOf = async (startup: { id: string }) =>
  (
    await workload.world.rows<{ endpoint_id: string }>("SELECT endpoint_id FROM workload_job WHERE startup_id = $1", [
      startup.id,
    ])
  )[0]?.endpoint_id;

test("credit for anything goes to the cheapest", async () => {
  const startup = await workload.startup();
  await batch(startup);
  expect(await endpointOf(startup)).toBe(cheap.endpointId);
});

test("a batch on credit that is kept for the dear one runs there to its end, and is charged to it", async () => {
  const startup = await workload.startup(0n);
  await workload.world.fund(startup, 10n * NANO, { accelerators: ["A100"], workloads: ["BATCH"] });
  const made = await batch(startup);
  expect(await endpointOf(startup)).toBe(dear.endpointId);
  await workload.look();
  dear.reference.training!.work(lines.length);
  await workload.look();
  expect((await startup.client.batches.retrieve(made.id)).status).toBe("completed");
  const { captured_nano_credit: captured } = await jobOf(workload, startup);
  const charges = await chargesOf(workload, startup);
  expect(charges.reduce((sum, charge) => sum + BigInt(charge.charge_nano_credit), 0n)).toBe(BigInt(captured));
  expect(await workload.world.services.ledger.balance(startup.id)).toMatchObject({
    heldNanoCredit: 0n,
    spentNanoCredit: BigInt(captured),
  });
});

test("a training goes on credit for the cheap one when what is kept for the dear one does not cover it, and otherwise nowhere", async () => {
  const startup = await workload.startup(0n);
  const { id } = await upload(startup.client, "fine-tune", [example("what is a rack?")]);
  const train = () => startup.client.fineTuning.jobs.create({ training_file: id, model: MODEL });
  await workload.world.fund(startup, 10n, { accelerators: ["A100"] });
  await expect(train()).rejects.toMatchObject({ status: 402, code: "insufficient_credits", error: { available: "0" } });
  await workload.world.fund(startup, 10n * NANO, { accelerators: ["H100"] });
  await train();
  expect(await endpointOf(startup)).toBe(cheap.endpointId);
});
