/** Payouts by file, on PostgreSQL: one file per run, none twice after a crash, and an operator who tells what became of them. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Viewer } from "../../src/accounts/viewer";
import { Pain001FileRail } from "../../src/payouts/rails/pain-001-file";
import type { PaymentBatch, PayoutRail, Submission } from "../../src/payouts/rails/rail";
import { newId } from "../../src/platform/ids";
import { refusal } from "../accounts/a-world";
import { openPayoutWorld, type PayoutWorld } from "./a-payout-world";
import { at, readXml, textAt } from "./xml";

const USD = 1_000_000_000n;
const debtor = { name: "Exergy Trust", iban: "DE89370400440532013000", bic: "COBADEFFXXX" };

/** Writes the file and is killed before anybody hears of it. */
class DyingRail implements PayoutRail {
  readonly kind = "PAIN_001";
  readonly resumesAfterMs: number;
  constructor(private readonly rail: Pain001FileRail) {
    this.resumesAfterMs = rail.resumesAfterMs;
  }
  async submit(batch: PaymentBatch): Promise<Submission[]> {
    await this.rail.submit(batch);
    throw new Error("killed");
  }
}

let home: string;
let rail: Pain001FileRail;
let world: PayoutWorld;
let provider: Viewer;
let other: Viewer;

const files = async () => (await readdir(home)).sort();
const read = async (name: string) => readXml(await readFile(join(home, name), "utf8"));
const newest = async (viewer: Viewer) => (await world.payouts.page(viewer, { first: 1 })).rows[0]!;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "exergy-files-"));
  rail = new Pain001FileRail(home, debtor);
  world = await openPayoutWorld(rail);
  [provider, other] = [await world.provider("0000000001"), await world.provider("0000000002")];
  world.clock.moveTo("2026-04-10T12:00:00Z");
});
afterAll(async () => {
  await world.close();
  await rm(home, { recursive: true, force: true });
});

test("one run writes one file with everything that is due, and the next one none", async () => {
  await world.statement(provider, "2025-10", 12n * USD + 345_678_901n);
  await world.statement(other, "2025-10", 7n * USD);
  await world.payouts.runDue();
  await world.payouts.runDue();
  const [name, ...more] = await files();
  expect(more).toEqual([]);
  const payments = at(await read(name!), "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf");
  expect(payments.map((payment) => textAt(payment, "Amt/InstdAmt"))).toEqual(["12.34", "7.00"]);
  const { id } = await newest(provider);
  expect(textAt(payments[0]!, "PmtId/EndToEndId")).toBe(`${id.replaceAll("-", "")}-1`);
  expect(await world.payouts.attemptsByPayoutIds([id])).toMatchObject([{ reference: name, rail: "PAIN_001" }]);
  // Nor is it written again, whole or in part, when its run would be dead by now had it not said that it was done.
  const text = await readFile(join(home, name!), "utf8");
  world.clock.advanceMs(rail.resumesAfterMs);
  await world.payouts.runDue();
  expect([await files(), await readFile(join(home, name!), "utf8")]).toEqual([[name], text]);
});

test("an operator tells what became of it, once per key, in whatever order", async () => {
  const [operator] = world.operators;
  const { id } = await newest(provider);
  const key = newId();
  const tell = (outcome: "SETTLED" | "RETURNED" | "IN_TRANSIT", by = key, reason?: string) =>
    world.payouts.acts.confirm(operator, { id, outcome, reason }, by);
  expect((await tell("SETTLED")).state).toBe("SETTLED");
  expect((await tell("SETTLED")).state).toBe("SETTLED");
  expect(await refusal(tell("RETURNED"))).toBe("IDEMPOTENCY_KEY_REUSED key");
  expect(await refusal(tell("SETTLED", newId()))).toBe("STATE_CONFLICT");
  expect(await refusal(tell("IN_TRANSIT", newId()))).toBe("STATE_CONFLICT");
  expect((await tell("RETURNED", newId(), "account closed")).state).toBe("RETURNED");
  expect(await world.payouts.attemptsByPayoutIds([id])).toMatchObject([
    { state: "RETURNED", returnCode: "MS03", returnReason: "account closed" },
  ]);
});

test("what was written down and not noted as written is written again as the same file, by the next run but one", async () => {
  const before = await files();
  await world.statement(provider, "2025-11", 3n * USD);
  await expect(world.another(new DyingRail(rail)).runDue()).rejects.toThrow("killed");
  const [name] = (await files()).filter((file) => !before.includes(file));
  const text = await readFile(join(home, name!), "utf8");
  await rm(join(home, name!));
  // What falls due meanwhile is no part of it.
  await world.statement(other, "2025-11", 4n * USD);
  await world.payouts.runDue();
  const [second] = (await files()).filter((file) => !before.includes(file));
  expect(second).not.toBe(name);
  world.clock.advanceMs(rail.resumesAfterMs);
  await world.payouts.runDue();
  expect(await files()).toEqual([...before, name, second].sort());
  expect(await readFile(join(home, name!), "utf8")).toBe(text);
  const paid = await Promise.all((await files()).map(read));
  const ids = paid
    .flatMap((root) => at(root, "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/PmtId/EndToEndId"))
    .map(({ text }) => text);
  expect(new Set(ids).size).toBe(ids.length);
});

test("what nobody has handed over yet cannot be told of", async () => {
  await world.statement(provider, "2025-12", 3n * USD);
  await expect(world.another(new DyingRail(rail)).runDue()).rejects.toThrow("killed");
  const { id } = await newest(provider);
  const told = world.payouts.acts.confirm(world.operator, { id, outcome: "SETTLED" }, newId());
  expect(await refusal(told)).toBe("STATE_CONFLICT");
});

test("an export has a row for each line, and no cell of it is a formula", async () => {
  const evil = await world.provider();
  await world.db.source.query("UPDATE organisation SET name = $2 WHERE id = $1", [
    evil.organisationId,
    '=HYPERLINK("http://x","y")',
  ]);
  world.clock.moveTo("2026-05-10T12:00:00Z");
  await world.statement(evil, "2026-01", 3n * USD, (tx, statementId) =>
    tx.query(
      `INSERT INTO statement_line (id, statement_id, kind, amount_nano_usd, accelerator, region, requests, gpu_nanos, created_at)
       SELECT gen_random_uuid(), $1, 'TRUE_UP', amount, 'H100', region, 0, 3600000000000, now()
         FROM (VALUES (-1500000000, '@region'), (4500000000, '+1,"2"')) AS l(amount, region)`,
      [statementId],
    ),
  );
  await world.payouts.runDue();
  await world.payouts.acts.confirm(
    world.operator,
    { id: (await newest(evil)).id, outcome: "RETURNED", code: "AC04", reason: "-1+1 closed" },
    newId(),
  );
  const { csv, rows, fileName } = await world.payouts.export(evil, { period: "2026-01" });
  expect([rows, fileName]).toEqual([2, "payouts-2026-01.csv"]);
  const [header, ...lines] = csv.split("\r\n").slice(0, -1);
  expect(header!.split(",")).toHaveLength(22);
  for (const line of lines) {
    expect(line).toContain(`"'=HYPERLINK(""http://x"",""y"")"`);
    expect(line).toContain(",'-1+1 closed,3,0,0,TRUE_UP,H100,");
  }
  const ends = [",TRUE_UP,H100,'@region,,,,1,-1.5", `,TRUE_UP,H100,"'+1,""2""",,,,1,4.5`];
  for (const end of ends) expect(lines.filter((line) => line.endsWith(end))).toHaveLength(1);
  expect((await world.payouts.export(provider, { period: "2026-01" })).rows).toBe(0);
});
