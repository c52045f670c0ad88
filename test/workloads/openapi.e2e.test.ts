/** The routes of files and jobs answer as `/openapi.json` says, from a file's coming in to its going. */
import Ajv from "ajv/dist/2020";
import { openApiDocument } from "../../src/relay/openapi/document";
import type { Paths } from "../../src/relay/openapi/shapes";
import { example, line, MODEL, openWorkloadWorld, upload, type WorkloadWorld } from "./a-workload-world";

let workload: WorkloadWorld;

beforeAll(async () => {
  workload = await openWorkloadWorld();
});
afterAll(async () => {
  await workload?.world.stop();
});

const paths: Paths = openApiDocument.paths;
const ajv = new Ajv({ strict: false, allErrors: true }).addSchema(openApiDocument, "doc");
const escaped = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");

test("every route of files and jobs answers as it is described", async () => {
  const { client, secret } = await workload.startup();
  const asked = new Set<string>();
  const ask = async (method: "get" | "post" | "delete", path: string, id = "", body?: object, status = 200) => {
    asked.add(`${method} ${path}`);
    const answer = await fetch(workload.world.relay.url + path.replace("{id}", id), {
      method: method.toUpperCase(),
      headers: { authorization: `Bearer ${secret}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    expect([path, answer.status, answer.status === status ? "" : text]).toEqual([path, status, ""]);
    const type = answer.headers.get("content-type")!;
    const place = ["paths", path, method, "responses", String(status), "content", type, "schema"];
    const check = ajv.getSchema(`doc#/${place.map(escaped).join("/")}`)!;
    const value = type === "application/json" ? JSON.parse(text) : text;
    expect([path, check(value) ? [] : check.errors]).toEqual([path, []]);
    return value;
  };
  const batchFile = (await upload(client, "batch", [line("a", "one")])).id;
  asked.add("post /v1/files");
  const trainingFile = (await upload(client, "fine-tune", [example("one")])).id;
  await ask("get", "/v1/files");
  await ask("get", "/v1/files/{id}", batchFile);
  await ask("get", "/v1/files/{id}/content", batchFile);
  const batch = { input_file_id: batchFile, endpoint: "/v1/chat/completions", completion_window: "24h" };
  const jobs = [
    { base: "/v1/batches", body: batch, lists: [] },
    {
      base: "/v1/fine_tuning/jobs",
      body: { training_file: trainingFile, model: MODEL },
      lists: ["events", "checkpoints"],
    },
  ];
  for (const { base, body, lists } of jobs) {
    const { id } = await ask("post", base, "", body);
    await workload.look();
    await workload.work(12);
    await ask("get", base);
    await ask("get", `${base}/{id}`, id);
    for (const list of lists) expect((await ask("get", `${base}/{id}/${list}`, id)).data.length).toBeGreaterThan(0);
    await ask("post", `${base}/{id}/cancel`, id, undefined, 409);
    const cancelled = await ask("post", base, "", { ...body, metadata: { again: "yes" } });
    await ask("post", `${base}/{id}/cancel`, cancelled.id);
    await ask("get", `${base}/{id}`, `${id.slice(0, -12)}${"f".repeat(12)}`, undefined, 404);
    await ask("post", base, "", {}, 400);
  }
  await workload.look();
  await ask("delete", "/v1/files/{id}", batchFile);
  await ask("delete", "/v1/files/{id}", batchFile, undefined, 404);
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { tags }]) =>
      ["Files", "Jobs"].includes(tags[0]!) ? [`${method} ${path}`] : [],
    ),
  );
  expect([...asked].sort()).toEqual(described.sort());
});
