import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signRoll } from "../../src/platform/process-roll";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "exergy-roll-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("of several who use a directory the last to leave, and no other, does what is left to do", async () => {
  const [first, second] = [await signRoll(directory), await signRoll(directory)];
  const done: string[] = [];
  expect(await first.leave(async () => void done.push("first"))).toBe(false);
  expect(await second.leave(async () => void done.push("second"))).toBe(true);
  expect(done).toEqual(["second"]);
  expect(readdirSync(directory)).toEqual([]);
});

test("a process that was killed does not count, nor does a later one with its number", async () => {
  const entry = await signRoll(directory);
  writeFileSync(join(directory, "4194305-12345-1"), ""); // Above the largest process number of Linux.
  writeFileSync(join(directory, `${process.pid}-1-1`), "");
  writeFileSync(join(directory, "4194305-12345-2.leaving"), "");
  expect(await entry.leave(async () => {})).toBe(true);
  expect(readdirSync(directory)).toEqual([]);
});

test("a newcomer waits until the last one has left, so that it does not get what is being taken down", async () => {
  const order: string[] = [];
  const leaver = await signRoll(directory);
  let finish = () => {};
  const leaving = leaver.leave(async () => {
    order.push("taking down");
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    order.push("down");
  });
  const coming = signRoll(directory).then(() => order.push("in"));
  expect(order).toEqual(["taking down"]);
  finish();
  await Promise.all([leaving, coming]);
  expect(order).toEqual(["taking down", "down", "in"]);
});

test("whoever fails to take it down is off the roll all the same", async () => {
  const entry = await signRoll(directory);
  await expect(entry.leave(() => Promise.reject(new Error("stuck")))).rejects.toThrow("stuck");
  expect(readdirSync(directory)).toEqual([]);
});
