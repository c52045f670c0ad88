/** What becomes of a job whose worker, whose provider or whose hold is lost: nothing is charged twice, nothing is left held. */

import {
  chargesOf,
  expectSound,
  jobOf,
  line,
  manyGpus,
  openWorkloadWorld,
  upload,
  type WorkloadWorld,
} from "./a-workload-world";
import { metricsText } from "./metrics-text";

let workload: WorkloadWorld;

beforeAll(async () => {
  workload = await openWorkloadWorld({
    providers: [manyGpus],
    relays: 2,
    environment: {
      WORKLOAD_SILENCE_MS: "3600000",
      WORKLOAD_STALL_MS: "7200000",
      UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "400",
    },
  });
});
afterEach(async () => {
  workload.floor.fault = {};
  workload.provider.reference.setBehaviour({ mode: "normal" });
  workload.world.clock.shiftMs = 0;
});
afterAll(async () => {
  await workload?.world.stop();
});

const lines = [line("a", "one"), line("b", "two"), line("c", "three")];
type Startup = Awaited<ReturnType<WorkloadWorld["startup"]>>;
const create = async ({ client }: Startup) => {
  const { id } = await upload(client, "batch", lines);
  return client.batches.create({ input_file_id: id, endpoint: "/v1/chat/completions", completion_window: "24h" });
};
const balance = (startup: { id: string }) => workload.world.services.ledger.balance(startup.id);
const set = (startup: { id: string }, columns: string) =>
  workload.world.rows(`UPDATE workload_job SET ${columns} WHERE startup_id = $1`, [startup.id]);

test("another worker goes on where one was lost, between any two of its steps", async () => {
  const startup = await workload.startup();
  const made = await create(startup);
  const [one, two] = workload.world.relays.map(({ services }) => services.workloads);
  await one!.pollToEnd();
  // It died when the provider had taken the job, before that was written down.
  await set(startup, "state = 'QUEUED', upstream_job_id = NULL, submitted_at = NULL, next_poll_at = created_at");
  const jobsBefore = workload.floor.numbers().jobs;
  await two!.pollToEnd();
  expect(workload.floor.numbers().jobs).toBe(jobsBefore);
  workload.floor.work(1);
  await set(startup, "next_poll_at = created_at");
  await one!.pollToEnd();
  workload.floor.work(2);
  await set(startup, "next_poll_at = created_at");
  await two!.pollToEnd();
  expect(await startup.client.batches.retrieve(made.id)).toMatchObject({
    status: "completed",
    request_counts: { completed: 3, failed: 0 },
  });
  expect(await chargesOf(workload, startup)).toHaveLength(2);
  await expectSound(workload);
});

test("two workers that look at once charge it once", async () => {
  const startup = await workload.startup();
  await create(startup);
  await workload.look();
  workload.floor.work(3);
  await set(startup, "next_poll_at = created_at");
  await Promise.all(workload.world.relays.map(({ services }) => services.workloads.pollToEnd()));
  await workload.look();
  expect(await jobOf(workload, startup)).toMatchObject({ state: "SUCCEEDED", stage_count: 1 });
  expect(await chargesOf(workload, startup)).toHaveLength(1);
  await expectSound(workload);
});

test("a provider that is away for a while is waited for", async () => {
  const startup = await workload.startup();
  const made = await create(startup);
  await workload.look();
  workload.provider.reference.setBehaviour({ mode: "fail", status: 503 });
  for (let look = 0; look < 4; look++) await workload.look();
  expect((await startup.client.batches.retrieve(made.id)).status).toBe("in_progress");
  workload.provider.reference.setBehaviour({ mode: "normal" });
  await workload.work(3);
  expect((await startup.client.batches.retrieve(made.id)).status).toBe("completed");
  await expectSound(workload);
});

test("a provider that stays away ends the job: what was answered before is charged, the rest is free", async () => {
  const startup = await workload.startup();
  const made = await create(startup);
  await workload.look();
  await workload.work(1);
  workload.provider.reference.setBehaviour({ mode: "fail", status: 503 });
  for (let look = 0; look < 3; look++) await workload.look();
  expect((await startup.client.batches.retrieve(made.id)).status).toBe("in_progress");
  workload.world.clock.shiftMs = 3_600_000;
  await workload.look();
  const failed = await startup.client.batches.retrieve(made.id);
  expect(failed).toMatchObject({ status: "failed", errors: { data: [{ code: "provider_silent" }] } });
  const [charge, ...more] = await chargesOf(workload, startup);
  expect(more).toEqual([]);
  expect(await balance(startup)).toMatchObject({
    heldNanoCredit: 0n,
    spentNanoCredit: BigInt(charge!.charge_nano_credit),
  });
  expect(await jobOf(workload, startup)).toMatchObject({ uncaptured: false });
});

test("a job that stands still for too long is stopped at its provider and ended", async () => {
  const startup = await workload.startup();
  const made = await create(startup);
  await workload.look();
  workload.floor.fault = { stalls: true };
  await workload.work(1);
  // Relay tokens of a moved clock are no good: the job's own times are moved instead.
  await set(
    startup,
    "progress_at = progress_at - interval '3 hours', submitted_at = submitted_at - interval '3 hours'",
  );
  await workload.look();
  expect(await startup.client.batches.retrieve(made.id)).toMatchObject({
    status: "failed",
    errors: { data: [{ code: "no_progress" }] },
  });
  expect(workload.floor.states().at(-1)).toBe("cancelled");
  expect(await balance(startup)).toMatchObject({ heldNanoCredit: 0n, spentNanoCredit: 0n });
  await expectSound(workload);
});

test("a batch whose day is over expires with what it has", async () => {
  const startup = await workload.startup();
  const made = await create(startup);
  await workload.look();
  workload.floor.work(2);
  await set(startup, "ends_by = created_at");
  await workload.look();
  const expired = await startup.client.batches.retrieve(made.id);
  expect(expired).toMatchObject({ status: "expired", request_counts: { completed: 2, failed: 1 } });
  expect(await chargesOf(workload, startup)).toMatchObject([{ outcome: "PARTIAL" }]);
  expect((await balance(startup)).heldNanoCredit).toBe(0n);
  await expectSound(workload);
});

test("a provider that refuses the job leaves nothing held", async () => {
  const startup = await workload.startup();
  const made = await create(startup);
  workload.provider.reference.setBehaviour({ mode: "fail", status: 400 });
  await workload.look();
  expect(await startup.client.batches.retrieve(made.id)).toMatchObject({
    status: "failed",
    errors: { data: [{ code: "provider_refused" }] },
  });
  expect(await balance(startup)).toMatchObject({ heldNanoCredit: 0n, spentNanoCredit: 0n });
  expect(await jobOf(workload, startup)).toMatchObject({ uncaptured: false });
  await expectSound(workload);
});

test("a job whose hold was taken from under it ends, and an alarm tells of it", async () => {
  const startup = await workload.startup();
  await create(startup);
  await workload.look();
  const { services } = workload.world;
  const alarms = metricsText(services.workloads);
  const [job] = await workload.world.rows<{ hold_id: string }>(
    "SELECT hold_id FROM workload_job WHERE startup_id = $1",
    [startup.id],
  );
  await services.metering.release(job!.hold_id, startup.id);
  expect((await services.reconciliation.run()).faults).toEqual([expect.stringContaining("runs without a hold")]);
  await workload.work(3);
  expect(await jobOf(workload, startup)).toMatchObject({ state: "FAILED", failure: "HOLD_LOST", uncaptured: true });
  expect(await alarms()).toContain('exergy_workload_jobs_uncaptured_total{kind="BATCH"} 1');
  expect(workload.world.logged.some((text) => text.includes("a job ended without a capture"))).toBe(true);
  await expectSound(workload);
});

test("a batch that ends well without one answered line is free, and an alarm tells of it", async () => {
  const startup = await workload.startup();
  const made = await create(startup);
  await workload.look();
  workload.floor.fault = { refusesLines: true };
  await workload.work(3);
  const done = await startup.client.batches.retrieve(made.id);
  expect(done).toMatchObject({
    status: "completed",
    output_file_id: null,
    request_counts: { completed: 0, failed: 3 },
  });
  const text = await (await startup.client.files.content(done.error_file_id!)).text();
  // What the provider says of its errors could name it.
  expect(text).not.toContain("company");
  expect(await jobOf(workload, startup)).toMatchObject({ uncaptured: true, captured_nano_credit: "0" });
  expect(await balance(startup)).toMatchObject({ heldNanoCredit: 0n, spentNanoCredit: 0n });
  await expectSound(workload);
});
