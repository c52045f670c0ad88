/** Files that are too large, are no form, are cut off or were forgotten: refused in OpenAI's words, and nothing of them stays. */
import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { until } from "../support/leftovers";
import { openWorkloadWorld, upload, type WorkloadWorld } from "./a-workload-world";

const FILE_BYTES = 3_000_000;
let workload: WorkloadWorld;

beforeAll(async () => {
  workload = await openWorkloadWorld({
    environment: { WORKLOAD_FILE_LIMIT_BYTES: String(FILE_BYTES), WORKLOAD_STORAGE_LIMIT_BYTES: "5000000" },
  });
});
afterEach(() => {
  workload.world.clock.shiftMs = 0;
});
afterAll(async () => {
  await workload?.world.stop();
});

const chunks = async () =>
  (await workload.world.rows<{ count: number }>("SELECT count(*)::int AS count FROM workload_file_chunk"))[0]!.count;

test("a file comes back byte for byte, whatever is in it", async () => {
  const { client } = await workload.startup();
  const content = randomBytes(2_500_000);
  const file = new File([content], "weights ünd größe.jsonl");
  const { id, bytes, filename } = await client.files.create({ file, purpose: "fine-tune" });
  expect([bytes, filename]).toEqual([content.length, "weights ünd größe.jsonl"]);
  const back = Buffer.from(await (await client.files.content(id)).arrayBuffer());
  const digest = createHash("sha256").update(content).digest("hex");
  expect(createHash("sha256").update(back).digest("hex")).toBe(digest);
  expect(await workload.world.rows("SELECT digest FROM workload_file WHERE bytes = $1", [content.length])).toEqual([
    { digest },
  ]);
});

test("a file over the limit is refused, and so is one that is too much with the others", async () => {
  const { client } = await workload.startup();
  const file = (bytes: number) => new File([Buffer.alloc(bytes, "x")], "x.jsonl");
  const create = (bytes: number) => client.files.create({ file: file(bytes), purpose: "fine-tune" });
  await expect(create(FILE_BYTES + 1)).rejects.toMatchObject({ status: 413, code: "body_too_large" });
  await create(FILE_BYTES);
  await expect(create(2_500_000)).rejects.toMatchObject({ status: 413, message: expect.stringContaining("together") });
  await client.files.delete((await client.files.list()).data[0]!.id);
  await create(2_500_000);
});

test.each([
  ["no form", "application/json", "{}", "malformed_body"],
  ["a form without a boundary", "multipart/form-data", "x", "malformed_body"],
  [
    "a form that ends in its middle",
    "multipart/form-data; boundary=b",
    '--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nx',
    "malformed_body",
  ],
  [
    "a form without a file",
    "multipart/form-data; boundary=b",
    '--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b--\r\n',
    "bad_user_input",
  ],
  [
    "a purpose that is none",
    "multipart/form-data; boundary=b",
    '--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nvision\r\n--b--\r\n',
    "bad_user_input",
  ],
])("%s is refused", async (_what, type, body, code) => {
  const { secret, client } = await workload.startup();
  const answer = await fetch(`${workload.world.relay.url}/v1/files`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": type },
    body,
  });
  expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([400, code]);
  expect((await client.files.list()).data).toEqual([]);
});

test("an upload that is cut off is nobody's file, and its bytes are swept away", async () => {
  const { secret, client } = await workload.startup();
  const before = await chunks();
  const socket = connect(Number(new URL(workload.world.relay.url).port), "127.0.0.1");
  const head = `POST /v1/files HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer ${secret}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 2900000\r\n\r\n`;
  socket.write(
    `${head}--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n${"x".repeat(1_500_000)}`,
  );
  await until("a chunk", async () => (await chunks()) > before || undefined);
  socket.destroy();
  await until("the end of the request", async () => workload.world.relay.server.inFlight() === 0 || undefined);
  expect((await client.files.list()).data).toEqual([]);
  // A chunk that was on its way then goes with the sweep.
  workload.world.clock.shiftMs = 2 * 3_600_000;
  await workload.world.services.workloads.sweepFiles();
  expect(await chunks()).toBe(before);
});

test("a file whose time is over is gone, and its bytes with it", async () => {
  const { client } = await workload.startup();
  const { id } = await upload(client, "fine-tune", ["x"]);
  workload.world.clock.shiftMs = 31 * 86_400_000;
  await workload.world.services.workloads.sweepFiles();
  await expect(client.files.retrieve(id)).rejects.toMatchObject({ status: 404 });
  workload.world.clock.shiftMs += 2 * 3_600_000;
  await workload.world.services.workloads.sweepFiles();
  expect(await chunks()).toBe(0);
});
