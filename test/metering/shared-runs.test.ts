/** Who asks before a run starts shares it; who asks after it began gets one of their own, as what it found out may be too old for them. */
import { SharedRuns } from "../../src/metering/shared-runs";

/** Runs that end when a test says so. */
function open() {
  const begun: { key: string; end: (error?: Error) => void }[] = [];
  const runs = new SharedRuns(
    (key) =>
      new Promise<void>((resolve, reject) => {
        begun.push({ key, end: (error) => (error ? reject(error) : resolve()) });
      }),
  );
  return { runs, begun };
}
const aTick = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

test("all who ask at once share one run, per key", async () => {
  const { runs, begun } = open();
  const asked = [runs.run("a"), runs.run("a"), runs.run("b")];
  await aTick();
  expect(begun.map(({ key }) => key)).toEqual(["a", "b"]);
  for (const { end } of begun) end();
  await Promise.all(asked);
});

test("who asks while it runs gets the next one, together with others who do, and not before the first is over", async () => {
  const { runs, begun } = open();
  const first = runs.run("a");
  await aTick();
  const late = [runs.run("a"), runs.run("a")];
  await aTick();
  expect(begun).toHaveLength(1);
  begun[0]!.end();
  await first;
  await aTick();
  expect(begun).toHaveLength(2);
  begun[1]!.end();
  await Promise.all(late);
  const again = runs.run("a");
  await aTick();
  expect(begun).toHaveLength(3);
  begun[2]!.end();
  await again;
});

test("a run that fails fails for those who shared it, and not for those who came later", async () => {
  const { runs, begun } = open();
  const first = runs.run("a");
  await aTick();
  const late = runs.run("a");
  begun[0]!.end(new Error("away"));
  await expect(first).rejects.toThrow("away");
  await aTick();
  begun[1]!.end();
  await late;
});
