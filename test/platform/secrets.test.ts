import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSecrets, SecretsUnavailable } from "../../src/platform/secrets";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "exergy-secrets-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test("a secret is made once, for its owner only, and read ever after", async () => {
  const directory = join(home, "a", "b");
  const first = await (await openSecrets(directory)).readOrCreate("key-hash", () => "first");
  const second = await (await openSecrets(directory)).readOrCreate("key-hash", () => "second");
  expect([first, second]).toEqual(["first", "first"]);
  expect(statSync(join(directory, "key-hash")).mode & 0o777).toBe(0o600);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test("of many that race for the first time one wins, and all get its value", async () => {
  const opened = await Promise.all(Array.from({ length: 20 }, () => openSecrets(home)));
  const values = await Promise.all(
    opened.map((secrets, index) => secrets.readOrCreate("race", () => `made by ${index}`)),
  );
  expect(new Set(values).size).toBe(1);
  expect(readFileSync(join(home, "race"), "utf8")).toBe(values[0]);
  expect(readdirSync(home)).toEqual(["race"]);
});

test("a secret whose making fails leaves nothing behind", async () => {
  const secrets = await openSecrets(home);
  await expect(secrets.readOrCreate("key", () => Promise.reject(new Error("no entropy")))).rejects.toThrow(
    "no entropy",
  );
  expect(readdirSync(home)).toEqual([]);
});

test("an emptied file is not replaced in silence, because what was signed with it would be lost", async () => {
  writeFileSync(join(home, "key"), "");
  const secrets = await openSecrets(home);
  await expect(secrets.readOrCreate("key", () => "new")).rejects.toThrow(/is empty: restore it/);
});

test("a file in place of the directory is named, with what to do", async () => {
  writeFileSync(join(home, "plain"), "mine");
  for (const directory of [join(home, "plain"), join(home, "plain", "below")]) {
    const refusal = await openSecrets(directory).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SecretsUnavailable);
    expect((refusal as Error).message).toMatch(/plain.*move it away/);
  }
  expect(readFileSync(join(home, "plain"), "utf8")).toBe("mine");
});

test.each(["../outside", "a/b", "", ".hidden", "UPPER"])("the name %j is refused", async (name) => {
  const secrets = await openSecrets(home);
  await expect(secrets.readOrCreate(name, () => "x")).rejects.toThrow(RangeError);
});
