/** A month of usage becomes a statement that adds up three ways, is reviewed, and is owed; on PostgreSQL. */

import { CreditNote } from "../../entities/credit-note";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { providerRevenue } from "../../src/pricing/revenue";
import { GPU_HOUR_NANOS } from "../../src/pricing/tier";
import { refusal } from "../accounts/a-world";
import { faultsInTheBooks } from "../ledger/books";
import { DAY_MS, HOUR_MS, StatementWorld } from "./a-month";

let world: StatementWorld;

beforeAll(async () => {
  world = await StatementWorld.open();
});
afterEach(async () => {
  expect(await faultsInTheBooks(world.money.db)).toEqual([]);
});
afterAll(() => world?.close());

let month = 2;
/** Each test earns in a month of its own, and leaves it closed. */
function aMonth(): { period: string; end: Date } {
  month += 1;
  const [year, number] = [2026 + Math.floor((month - 1) / 12), ((month - 1) % 12) + 1];
  const period = `${year}-${String(number).padStart(2, "0")}`;
  world.money.clock.moveTo(new Date(Date.UTC(year, number - 1, 10, 12)));
  return { period, end: new Date(Date.UTC(year, number)) };
}
const close = async (end: Date, hours = 6) => {
  world.money.clock.moveTo(new Date(end.getTime() + hours * HOUR_MS));
  await world.statements.advance();
};
const statementOf = async (providerId: string, period: string) => {
  const { rows } = await world.statements.page(world.operator, {}, { providerId, period });
  expect(rows).toHaveLength(1);
  return rows[0]!;
};
const linesOf = async (id: string) =>
  (await world.statements.lines(world.operator, { first: 100 }, { statementId: id })).rows;
const payable = (providerId: string, period: string) => world.balance(`payable:${providerId}:${period}`);

test("a month of usage at one fixing is a statement over exactly what the calculator says, after the rounding of its requests", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  // Crosses the first edge at 10,000 hours: what came before it was accrued at the base share.
  for (const hours of [4_000, 5_999, 2_000]) await world.earn({ providerId, gpuSeconds: hours * 3_600 + 1 });
  await world.earn({ providerId, gpuSeconds: 7 });
  const accrued = await payable(providerId, period);
  await close(end, 5.99);
  expect((await world.statements.page(world.operator, {}, { providerId })).rows).toEqual([]);
  await close(end);
  const statement = await statementOf(providerId, period);
  const { card, fixingNanoUsdPerGpuHour } = world.slowQuote;
  const expected = providerRevenue(card, fixingNanoUsdPerGpuHour, 11_999n * GPU_HOUR_NANOS + 10n * NANO);
  expect(statement).toMatchObject({ state: "IN_REVIEW", totalNanoUsd: expected.totalNanoUsd, version: 2 });
  expect(statement.dueAt).toEqual(new Date(end.getTime() + 30 * DAY_MS));
  const lines = await linesOf(statement.id);
  expect(lines.map(({ kind }) => kind)).toEqual(["TRUE_UP", "ACCRUAL", "ACCRUAL"]);
  expect(lines[0]!.amountNanoUsd).toBe(expected.totalNanoUsd - accrued);
  expect(lines.reduce((sum, { requests }) => sum + requests, 0)).toBe(4);
  expect(await payable(providerId, period)).toBe(expected.totalNanoUsd);
});

test("silence for three days is approval: one transfer makes the total owed, and nothing of it can be changed any more", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  await world.earn({ providerId, gpuSeconds: 3_600 });
  await close(end);
  const { id, totalNanoUsd } = await statementOf(providerId, period);
  world.money.clock.advanceMs(3 * DAY_MS - 1);
  await world.statements.advance();
  expect(await world.stateOf(providerId, period)).toBe("IN_REVIEW");
  world.money.clock.advanceMs(1);
  await world.statements.advance();
  await world.statements.advance();
  expect(await statementOf(providerId, period)).toMatchObject({ state: "FINAL", finalisedAt: world.money.clock.now() });
  expect([await payable(providerId, period), await world.balance(`statement:${id}`)]).toEqual([0n, totalNanoUsd]);
  const { source } = world.money.db;
  await expect(source.query("UPDATE statement SET total_nano_usd = 0 WHERE id = $1", [id])).rejects.toThrow(
    "never changes",
  );
  await expect(source.query("DELETE FROM statement WHERE id = $1", [id])).rejects.toThrow();
  await expect(
    source.query("UPDATE statement_line SET amount_nano_usd = 0 WHERE statement_id = $1", [id]),
  ).rejects.toThrow("never changed");
  await expect(
    source.query(
      "INSERT INTO statement_line (id, statement_id, kind, amount_nano_usd, requests, gpu_nanos, created_at) VALUES ($1, $2, 'TRUE_UP', 1, 0, 0, now())",
      [newId(), id],
    ),
  ).rejects.toThrow("before it is final");
  const due = (at: Date) => transaction(world.money.db, (tx) => world.statements.dueForPayout(tx, at));
  const fallsDue = new Date(end.getTime() + 30 * DAY_MS);
  const own = (rows: Awaited<ReturnType<typeof due>>) => rows.filter((row) => row.providerId === providerId);
  expect(own(await due(new Date(fallsDue.getTime() - 1)))).toEqual([]);
  expect(own(await due(fallsDue))).toEqual([{ statementId: id, providerId, period, totalNanoUsd, dueAt: fallsDue }]);
});

test("a provider's approval makes its statement final at once, once", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  await world.earn({ providerId, gpuSeconds: 3_600 });
  await close(end);
  const { id, totalNanoUsd } = await statementOf(providerId, period);
  const viewer = world.viewer(providerId);
  const stranger = world.viewer(await world.money.provider());
  expect(await refusal(world.statements.approve(stranger, id, "k1"))).toMatch("NOT_FOUND");
  expect(await refusal(world.statements.finalise(world.operator, id, "k1"))).toBe("STATE_CONFLICT");
  const [one, two] = await Promise.all([
    world.statements.approve(viewer, id, "k1"),
    world.statements.approve(viewer, id, "k1"),
  ]);
  expect([one.state, two.state]).toEqual(["FINAL", "FINAL"]);
  expect(await refusal(world.statements.approve(viewer, id, "k2"))).toBe("STATE_CONFLICT");
  expect(await world.balance(`statement:${id}`)).toBe(totalNanoUsd);
});

test("a disputed line keeps a statement from becoming final; an upheld one adds a credit note, a dismissed one nothing", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  const viewer = world.viewer(providerId);
  await world.earn({ providerId, gpuSeconds: 3_600 });
  await world.earn({ providerId, gpuSeconds: 60, changes: { region: "ap-east" } });
  await close(end);
  const { id, totalNanoUsd } = await statementOf(providerId, period);
  const [first, second] = (await linesOf(id)).filter(({ kind }) => kind === "ACCRUAL");
  const dispute = await world.statements.dispute(viewer, { lineId: first!.id, reason: "We delivered more." });
  expect(await refusal(world.statements.dispute(viewer, { lineId: first!.id, reason: "Again." }))).toBe(
    "STATE_CONFLICT",
  );
  const other = await world.statements.dispute(viewer, { lineId: second!.id, reason: "And here." });
  const stranger = world.viewer(await world.money.provider());
  expect(await refusal(world.statements.dispute(stranger, { lineId: second!.id, reason: "Mine." }))).toMatch(
    "NOT_FOUND",
  );
  world.money.clock.advanceMs(10 * DAY_MS);
  await world.statements.advance();
  expect(await world.stateOf(providerId, period)).toBe("DISPUTED");
  expect(await refusal(world.statements.approve(viewer, id, "k3"))).toBe("STATE_CONFLICT");

  const answer = (disputeId: string, outcome: "UPHELD" | "DISMISSED", creditNanoUsd: bigint | null) => ({
    disputeId,
    outcome,
    answer: "Looked at the evidence.",
    creditNanoUsd,
  });
  const resolve = (input: ReturnType<typeof answer>, key: string, by = world.operator) =>
    world.statements.resolve(by, input, key);
  expect(await refusal(resolve(answer(dispute.id, "UPHELD", 5n), "k4", viewer))).toBe("FORBIDDEN");
  expect(await refusal(resolve(answer(dispute.id, "UPHELD", null), "k4"))).toBe("BAD_USER_INPUT credit");
  expect(await refusal(resolve(answer(dispute.id, "DISMISSED", 5n), "k4"))).toBe("BAD_USER_INPUT credit");
  expect(await refusal(resolve(answer(dispute.id, "UPHELD", -totalNanoUsd - 1n), "k4"))).toBe("BAD_USER_INPUT credit");
  await resolve(answer(dispute.id, "UPHELD", 5n * NANO), "k5");
  await resolve(answer(dispute.id, "UPHELD", 5n * NANO), "k5");
  expect(await world.stateOf(providerId, period)).toBe("DISPUTED");
  expect(await resolve(answer(other.id, "DISMISSED", null), "k6")).toMatchObject({
    state: "DISMISSED",
    creditNanoUsd: null,
  });
  const after = await statementOf(providerId, period);
  expect(after).toMatchObject({ state: "IN_REVIEW", totalNanoUsd: totalNanoUsd + 5n * NANO });
  expect(after.reviewEndsAt).toEqual(new Date(world.money.clock.nowMs() + 3 * DAY_MS));
  expect((await linesOf(id))[0]).toMatchObject({ kind: "CREDIT_NOTE", amountNanoUsd: 5n * NANO, sourceId: dispute.id });
  world.money.clock.advanceMs(3 * DAY_MS);
  await world.statements.advance();
  expect(await world.balance(`statement:${id}`)).toBe(totalNanoUsd + 5n * NANO);
  expect((await world.statements.replay(viewer, id)).replay.matches).toBe(true);
});

test("usage that the ledger did not accrue is a mismatch with its figures, and the draft stays one until it is gone", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  const requestId = await world.earn({ providerId, gpuSeconds: 3_600 });
  const source = world.money.db.source;
  const stray = newId();
  await source.query(
    `INSERT INTO usage_record SELECT (jsonb_populate_record(u, jsonb_build_object('id', $2::text))).* FROM usage_record u WHERE id = $1`,
    [requestId, stray],
  );
  await close(end);
  expect(await world.stateOf(providerId, period)).toBe("DRAFT");
  expect((await world.statements.page(world.viewer(providerId), {}, { period })).rows).toEqual([]);
  expect(world.logged.at(-1)).toMatch(/does not add up: usage 4\.25 in 2 requests.*total 4\.25, ledger 2\.125 USD/);
  await source.query("ALTER TABLE usage_record DISABLE TRIGGER USER");
  await source.query("GRANT DELETE ON usage_record TO CURRENT_USER");
  await source.query("DELETE FROM usage_record WHERE id = $1", [stray]);
  await source.query("ALTER TABLE usage_record ENABLE TRIGGER USER");
});

test("an endpoint that missed its thirty days pays into the reserve, one that kept them pays nothing, and a replay says the same", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  const [bad, good] = [await anEndpoint(providerId), await anEndpoint(providerId)];
  for (const endpointId of [bad, good]) await world.earn({ providerId, gpuSeconds: 36_000, changes: { endpointId } });
  await minutes(bad, end, { good: 2_990, bad: 20 });
  await minutes(good, end, { good: 2_990, bad: 10 });
  const reserve = await world.balance("reserve:sla");
  await close(end);
  const statement = await statementOf(providerId, period);
  const [line, ...others] = (await linesOf(statement.id)).filter(({ kind }) => kind === "SLA_ADJUSTMENT");
  expect(others).toEqual([]);
  expect(line).toMatchObject({
    amountNanoUsd: -2_125_000_000n,
    sharePpm: 100_000n,
    evidence: {
      endpointId: bad,
      targetPpm: 995_000,
      eligibleMinutes: 3_010,
      badMinutes: 20,
      accruedNanoUsd: "21250000000",
    },
  });
  expect((await world.balance("reserve:sla")) - reserve).toBe(2_125_000_000n);
  expect(statement.totalNanoUsd).toBe(40_375_000_000n);
  expect((await world.statements.replay(world.operator, statement.id)).replay).toMatchObject({
    matches: true,
    replayedNanoUsd: 40_375_000_000n,
    requests: 2,
  });
});

test("a correction of a final statement goes on the next one, and what a month cannot give back waits", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  await world.earn({ providerId, gpuSeconds: 3_600 });
  await close(end);
  const { id, totalNanoUsd } = await statementOf(providerId, period);
  const note = { statementId: id, amountNanoUsd: -3n * NANO, reason: "Counted twice." };
  expect(await refusal(world.statements.correct(world.operator, note, "n1"))).toBe("STATE_CONFLICT");
  await world.statements.approve(world.viewer(providerId), id, "n2");
  const made = await world.statements.correct(world.operator, note, "n3");
  expect((await world.statements.correct(world.operator, note, "n3")).id).toBe(made.id);
  expect((await statementOf(providerId, period)).totalNanoUsd).toBe(totalNanoUsd);

  const next = aMonth();
  await world.earn({ providerId, gpuSeconds: 3_600 });
  await close(next.end);
  const emptied = await statementOf(providerId, next.period);
  expect(emptied.totalNanoUsd).toBe(0n);
  world.money.clock.advanceMs(3 * DAY_MS);
  await world.statements.advance();
  expect(await world.stateOf(providerId, next.period)).toBe("FINAL");
  const left = await world.money.db.source.getRepository(CreditNote).findOneByOrFail({ id: made.id });
  expect(left.remainingNanoUsd).toBe(-3n * NANO + 2_125_000_000n);

  const third = aMonth();
  await world.earn({ providerId, gpuSeconds: 3_600 });
  await close(third.end);
  expect((await statementOf(providerId, third.period)).totalNanoUsd).toBe(2n * 2_125_000_000n - 3n * NANO);
  for (const { period } of [next, third]) {
    const { id } = await statementOf(providerId, period);
    expect((await world.statements.replay(world.operator, id)).replay.matches).toBe(true);
  }
});

test("an operator closes months in their order, once they are over, once per key", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  await world.earn({ providerId, gpuSeconds: 3_600 });
  world.money.clock.moveTo(new Date(end.getTime() - 1));
  expect(await refusal(world.statements.closePeriod(world.operator, period, "c1"))).toBe("STATE_CONFLICT period");
  world.money.clock.moveTo(end);
  expect(await refusal(world.statements.closePeriod(world.viewer(providerId), period, "c1"))).toBe("FORBIDDEN");
  expect(await refusal(world.statements.closePeriod(world.operator, "2026-13", "c1"))).toBe("BAD_USER_INPUT period");
  expect(await refusal(world.statements.closePeriod(world.operator, period, ""))).toBe("IDEMPOTENCY_KEY_REQUIRED");
  expect(await world.statements.closePeriod(world.operator, period, "c1")).toMatchObject({ period, closedAt: end });
  expect(await world.statements.closePeriod(world.operator, period, "c1")).toMatchObject({ period, closedAt: end });
  expect(await refusal(world.statements.closePeriod(world.operator, period, "c2"))).toBe("STATE_CONFLICT period");
  expect(await world.stateOf(providerId, period)).toBe("IN_REVIEW");
});

test("workers that close the same month at once draft every statement once", async () => {
  const { period, end } = aMonth();
  const providers = await Promise.all([1, 2, 3].map(() => world.money.provider()));
  for (const providerId of providers) await world.earn({ providerId, gpuSeconds: 3_600 });
  world.money.clock.moveTo(new Date(end.getTime() + 6 * HOUR_MS));
  await Promise.all([1, 2, 3, 4].map(() => world.statements.advance()));
  for (const providerId of providers) {
    expect((await statementOf(providerId, period)).state).toBe("IN_REVIEW");
    expect(await payable(providerId, period)).toBe(2_125_000_000n);
  }
});

test("the exported file has every line and their total, and runs nothing in a spreadsheet", async () => {
  const { period, end } = aMonth();
  const providerId = await world.money.provider();
  const viewer = world.viewer(providerId);
  await world.earn({ providerId, gpuSeconds: 3_600 });
  await close(end);
  const { id } = await statementOf(providerId, period);
  const [line] = await linesOf(id);
  const { id: disputeId } = await world.statements.dispute(viewer, { lineId: line!.id, reason: "Too little." });
  await world.statements.resolve(
    world.operator,
    { disputeId, outcome: "UPHELD", answer: '=HYPERLINK("x"), sorry', creditNanoUsd: 1n },
    "v1",
  );
  const rows = (await world.statements.csvOf({ id, period })).split("\r\n");
  expect(rows[0]).toBe(
    "period_utc,kind,accelerator,region,client_segment,workload,fixing_hour_utc,spot_usd_per_gpu_hour,share,requests,gpu_hours,amount_usd,reason",
  );
  expect(rows[1]).toBe(
    `${period},ACCRUAL,H100,eu-west,UNSPECIFIED,INFERENCE,2026-03-10T12:00:00.000Z,2.5,0.85,1,1,2.125,`,
  );
  expect(rows[2]).toBe(`${period},CREDIT_NOTE,,,,,,,,0,0,0.000000001,"'=HYPERLINK(""x""), sorry"`);
  expect(rows[3]).toBe(`${period},TOTAL,,,,,,,,,,2.125000001,`);
  const names = await world.money.db.source.query("SELECT name FROM organisation WHERE kind = 'STARTUP'");
  for (const { name } of names) expect(rows.join()).not.toContain(name);
});

async function anEndpoint(providerId: string): Promise<string> {
  const id = newId();
  await world.money.db.source.query(
    `INSERT INTO endpoint (id, provider_id, name, base_url, ca_pem, accelerator, region, zone, gpu_count, slots, sla_tier, kind, tenancy, state, created_at, version)
     VALUES ($1, $2, 'e', $4, '', 'H100', 'eu-west', $3, 8, 8, 'STANDARD', 'INFERENCE', 'SHARED', 'LIVE', now(), 1)`,
    [id, providerId, `zone-${id}`, `https://${id}.example/v1`],
  );
  return id;
}

/** The last ones before `end`; a hundred requests in each, all failed in the bad ones. */
async function minutes(endpointId: string, end: Date, count: { good: number; bad: number }): Promise<void> {
  await world.money.db.source.query(
    `INSERT INTO sla_minute (endpoint_id, minute, requests, failed)
     SELECT $1, $2::timestamptz - n * interval '1 minute', 100, CASE WHEN n <= $3 THEN 100 ELSE 0 END
       FROM generate_series(1, $3::int + $4::int) AS n`,
    [endpointId, end, count.bad, count.good],
  );
}
