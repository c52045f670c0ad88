import { createLog, type LogOptions } from "../../src/platform/log";

function capture(options: Omit<LogOptions, "write">) {
  const lines: string[] = [];
  return { log: createLog({ ...options, write: (line) => lines.push(line) }), lines };
}

const secrets = { authorization: "s3cr3t", cookie: "s3cr3t", "x-exergy-relay-token": "s3cr3t" };

test.each([
  ["at the top", { ...secrets, apiKey: "s3cr3t", secret: "s3cr3t", password: "s3cr3t", privateKey: "s3cr3t" }],
  ["in the headers of a request", { req: { headers: secrets } }],
  ["deep in an error", { err: Object.assign(new Error("refused"), { request: { headers: secrets } }) }],
  ["in the bind values of a failed query", { err: Object.assign(new Error("refused"), { parameters: ["s3cr3t"] }) }],
  ["as a prompt", { body: { messages: [{ role: "user", content: "s3cr3t" }], prompt: "s3cr3t" } }],
])("a secret %s does not reach the log", (_where, fields) => {
  for (const pretty of [false, true]) {
    const { log, lines } = capture({ level: "info", pretty });
    log.info(fields, "served");
    expect(lines.join("")).toContain("served");
    expect(lines.join("")).not.toContain("s3cr3t");
  }
});

test("a child log redacts what it was bound to", () => {
  const { log, lines } = capture({ level: "info" });
  log.child({ password: "s3cr3t" }).info("served");
  expect(lines.join("")).not.toContain("s3cr3t");
});

test("an entry is one line of JSON with its level in words and the stack of its error", () => {
  const { log, lines } = capture({ level: "info" });
  log.debug("not this");
  log.warn({ err: new Error("disk"), job: "sweep" }, "job failed");
  expect(lines).toHaveLength(1);
  const entry = JSON.parse(lines[0] ?? "");
  expect(entry).toMatchObject({ level: "warn", msg: "job failed", job: "sweep", err: { message: "disk" } });
  expect(entry.err.stack).toContain("log.test");
  expect(new Date(entry.time).getTime()).not.toBeNaN();
});

test("the pretty form is readable: time, level, message, fields", () => {
  const { log, lines } = capture({ level: "info", pretty: true });
  log.info({ port: 4000, roles: ["api"] }, "listening");
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}listening {2}port=4000 {2}roles=\["api"\]\n$/);
});
