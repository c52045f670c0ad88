/** A statement can be worked out again from what is stored, and whatever was changed afterwards shows; on PostgreSQL. */
import { StatementLine } from "../../entities/statement-line";
import { closePeriod } from "../../src/ledger/periods";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { monthRevenue } from "../../src/pricing/revenue";
import { GPU_HOUR_NANOS } from "../../src/pricing/tier";
import { viewerOf } from "../accounts/a-world";
import { faultsInTheBooks } from "../ledger/books";
import { DAY_MS, HOUR_MS, StatementWorld } from "./a-month";

let world: StatementWorld;

beforeAll(async () => {
  world = await StatementWorld.open({ holdbackPpm: 100_000n });
});
afterEach(async () => {
  expect(await faultsInTheBooks(world.money.db)).toEqual([]);
});
afterAll(() => world?.close());

const months = ["2026-03", "2026-04", "2026-05", "2026-06", "2026-07", "2026-08", "2026-09"];
const startOf = (period: string) => new Date(`${period}-01T00:00:00Z`);
const inMonth = (period: string) => world.money.clock.moveTo(new Date(startOf(period).getTime() + 9 * DAY_MS));
/** Six hours into the month after. */
const closed = async (period: string) => {
  world.money.clock.moveTo(new Date(startOf(months[months.indexOf(period) + 1]!).getTime() + 6 * HOUR_MS));
  await world.statements.advance();
};
const statementOf = async (providerId: string, period: string) =>
  (await world.statements.page(world.operator, {}, { providerId, period })).rows[0]!;
const replayOf = async (id: string) => (await world.statements.replay(world.operator, id)).replay;
const sql = (text: string, values: unknown[] = []) => world.money.db.source.query(text, values);

test("what was kept back is paid with the statement of the second month after, and both replay", async () => {
  const providerId = await world.money.provider();
  inMonth("2026-03");
  await world.earn({ providerId, gpuSeconds: 36_000 });
  await closed("2026-03");
  const first = await statementOf(providerId, "2026-03");
  expect(first.totalNanoUsd).toBe(19_125_000_000n);
  expect(await world.balance(`holdback:${providerId}`)).toBe(2_125_000_000n);
  await closed("2026-04");
  // Nothing was earned, and nothing came free.
  expect(await statementOf(providerId, "2026-04")).toBeUndefined();
  await closed("2026-05");
  const third = await statementOf(providerId, "2026-05");
  const lines = (await world.statements.lines(world.operator, {}, { statementId: third.id })).rows;
  expect(lines.map(({ kind, amountNanoUsd }) => [kind, amountNanoUsd])).toEqual([
    ["HOLDBACK", -212_500_000n],
    ["HOLDBACK_RELEASE", 2_125_000_000n],
  ]);
  expect(await world.balance(`holdback:${providerId}`)).toBe(212_500_000n);
  for (const { id } of [first, third]) expect(await replayOf(id)).toMatchObject({ matches: true });
});

test("a month under two cards, one of them graduated, at two fixings, with a claim, replays to the last nano-dollar", async () => {
  inMonth("2026-06");
  const providerId = await world.money.provider();
  const second = { ...viewerOf("OPERATOR", world.operator.organisationId), keyId: newId() };
  const proposal = await world.pricing.rateCards.propose(world.operator, {
    providerId,
    effectiveAt: new Date(world.money.clock.nowMs()),
    reason: "graduated",
    baseSharePpm: 853_337n,
    tierReading: "GRADUATED",
    premiumReading: "RELATIVE",
    redemptionFactorPpm: null,
    tiers: [
      { upToGpuHours: 3n, premiumPpm: 0n },
      { upToGpuHours: null, premiumPpm: 31_111n },
    ],
  });
  await world.pricing.rateCards.approve(second, proposal.id);
  const card = await world.pricing.rateCard(undefined, providerId);
  expect(card.id).toBe(proposal.id);
  const standard = world.slowQuote;
  const dearer = { id: newId(), priceNanoUsd: 3_141_592_653n, hour: new Date("2026-06-10T13:00:00Z") };
  await sql(
    `INSERT INTO fixing (id, accelerator, region, hour, price_nano_usd, flags, components, created_at)
     VALUES ($1, 'H100', 'eu-west', $2, $3, '{}', '[]', $2)`,
    [dearer.id, dearer.hour, dearer.priceNanoUsd.toString()],
  );
  const quote = { ...standard, card, fixingId: dearer.id, fixingNanoUsdPerGpuHour: dearer.priceNanoUsd };
  for (const gpuSeconds of [7_201, 11, 3]) await world.earn({ providerId, gpuSeconds });
  for (const gpuSeconds of [3_600, 12_345, 1]) await world.earn({ providerId, gpuSeconds, quote });
  const claimId = await aPaidClaim(providerId, "2026-06", 77_777n);
  await closed("2026-06");
  const { id, totalNanoUsd } = await statementOf(providerId, "2026-06");
  const { totalNanoUsd: earned } = monthRevenue([
    { card: standard.card, fixingNanoUsdPerGpuHour: standard.fixingNanoUsdPerGpuHour, gpuNanos: 7_215n * NANO },
    { card, fixingNanoUsdPerGpuHour: dearer.priceNanoUsd, gpuNanos: 15_946n * NANO },
  ]);
  // The first three hours of the month are at the base share, whichever card the rest is under.
  expect(7_215n * NANO < 3n * GPU_HOUR_NANOS).toBe(true);
  const before = earned + 77_777n;
  expect(totalNanoUsd).toBe(before - (before * 100_000n) / 1_000_000n);
  const { rows } = await world.statements.lines(world.operator, {}, { statementId: id, kind: "CLAIM" });
  expect(rows).toMatchObject([{ sourceId: claimId, amountNanoUsd: 77_777n }]);
  expect(await replayOf(id)).toMatchObject({ matches: true, requests: 6, statedNanoUsd: totalNanoUsd });
});

test("a line, a usage record or a fixing that was changed past every guard shows in the replay, and where", async () => {
  inMonth("2026-07");
  const providerId = await world.money.provider();
  await world.earn({ providerId, gpuSeconds: 3_600 });
  const requestId = await world.earn({ providerId, gpuSeconds: 36, changes: { region: "ap-east" } });
  await closed("2026-07");
  const { id } = await statementOf(providerId, "2026-07");
  expect(await replayOf(id)).toMatchObject({ matches: true });
  const lines = await world.money.db.source.getRepository(StatementLine).findBy({ statementId: id, kind: "ACCRUAL" });
  const small = lines.find(({ region }) => region === "ap-east")!;
  const tampered = async (table: string, change: string, back: string) => {
    await unguarded(table, change);
    const replay = await replayOf(id);
    await unguarded(table, back);
    expect(await replayOf(id)).toMatchObject({ matches: true });
    return { ...replay, lines: replay.lines.filter((line) => line.statedNanoUsd !== line.replayedNanoUsd) };
  };
  const line = await tampered(
    "statement_line",
    `UPDATE statement_line SET amount_nano_usd = amount_nano_usd + 1 WHERE id = '${small.id}'`,
    `UPDATE statement_line SET amount_nano_usd = amount_nano_usd - 1 WHERE id = '${small.id}'`,
  );
  expect(line).toMatchObject({ matches: false, lines: [{ lineId: small.id, kind: "ACCRUAL" }] });
  const usage = await tampered(
    "usage_record",
    `UPDATE usage_record SET gpu_nanos = gpu_nanos * 2 WHERE id = '${requestId}'`,
    `UPDATE usage_record SET gpu_nanos = gpu_nanos / 2 WHERE id = '${requestId}'`,
  );
  expect(usage.lines).toMatchObject([{ lineId: small.id }, { kind: "HOLDBACK" }]);
  const share = await tampered(
    "usage_record",
    `UPDATE usage_record SET accrual_share_ppm = 850001 WHERE id = '${requestId}'`,
    `UPDATE usage_record SET accrual_share_ppm = 850000 WHERE id = '${requestId}'`,
  );
  expect(share.matches).toBe(false);
  expect(share.lines.map(({ lineId }) => lineId)).toContain(small.id);
  const fixing = await tampered(
    "fixing",
    `UPDATE fixing SET price_nano_usd = price_nano_usd * 2 WHERE id = '${small.fixingId}'`,
    `UPDATE fixing SET price_nano_usd = price_nano_usd / 2 WHERE id = '${small.fixingId}'`,
  );
  expect(fixing.lines.length).toBeGreaterThanOrEqual(2);
});

test("a request that was accrued at no share of its card is made good by the true-up, and the replay names its line", async () => {
  inMonth("2026-08");
  const providerId = await world.money.provider();
  const { card, ...quote } = world.slowQuote;
  await world.earn({ providerId, gpuSeconds: 3_600, quote: { ...quote, card: { ...card, baseSharePpm: 860_000n } } });
  await closed("2026-08");
  const { id, totalNanoUsd } = await statementOf(providerId, "2026-08");
  expect(totalNanoUsd).toBe((2_125_000_000n * 9n) / 10n);
  const replay = await replayOf(id);
  expect(replay.matches).toBe(false);
  expect(replay.lines[0]).toMatchObject({ kind: "ACCRUAL", statedNanoUsd: 2_150_000_000n, replayedNanoUsd: 0n });
});

test("a worker that dies between closing a month and drafting its statements leaves nothing out: the next one drafts them", async () => {
  inMonth("2026-09");
  const providers = [await world.money.provider(), await world.money.provider()];
  for (const providerId of providers) await world.earn({ providerId, gpuSeconds: 60 });
  world.money.clock.moveTo("2026-10-01T07:00:00Z");
  await transaction(world.money.db, (tx) => closePeriod(tx, "2026-09", null, world.money.clock.now()));
  for (const providerId of providers) expect(await world.stateOf(providerId, "2026-09")).toBeUndefined();
  await world.statements.advance();
  for (const providerId of providers) expect(await world.stateOf(providerId, "2026-09")).toBe("IN_REVIEW");
});

/** As a superuser with bad intent: row triggers off, privileges back. */
async function unguarded(table: string, change: string): Promise<void> {
  await sql(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
  await sql(`GRANT UPDATE ON ${table} TO CURRENT_USER`);
  await sql(change);
  await sql(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
}

/** As an operator's decision leaves it: booked to the month's payable. */
async function aPaidClaim(providerId: string, period: string, amountNanoUsd: bigint): Promise<string> {
  const [id, endpointId, offeringId] = [newId(), newId(), newId()];
  await sql(
    `INSERT INTO endpoint (id, provider_id, name, base_url, ca_pem, accelerator, region, zone, gpu_count, slots, sla_tier, kind, tenancy, state, created_at, version)
     VALUES ($1, $2, 'e', $3, '', 'H100', 'eu-west', 'z', 8, 8, 'STANDARD', 'INFERENCE', 'SHARED', 'LIVE', now(), 1)`,
    [endpointId, providerId, `https://${endpointId}.example/v1`],
  );
  await sql(
    `INSERT INTO offering SELECT (jsonb_populate_record(NULL::offering, jsonb_build_object('id', $1::text, 'endpoint_id', $2::text, 'model', 'm',
       'upstream_model', 'm', 'architecture', 'a', 'context_length', 1, 'max_output_tokens', 1, 'prefill_tokens_per_gpu_second', 1,
       'decode_tokens_per_gpu_second', 1, 'state', 'LIVE', 'created_at', now(), 'version', 1))).*`,
    [offeringId, endpointId],
  );
  const claim = {
    id,
    provider_id: providerId,
    endpoint_id: endpointId,
    offering_id: offeringId,
    request_id: newId(),
    attempt: 1,
    attempted_at: world.money.clock.now(),
    claimed_prompt_tokens: 1,
    claimed_completion_tokens: 1,
    fixing_id: world.money.quote.fixingId,
    share_ppm: 850_000,
    claimed_nano_usd: Number(amountNanoUsd),
    bound_nano_usd: Number(amountNanoUsd),
    bounded_by: "CLAIM",
    amount_nano_usd: Number(amountNanoUsd),
    state: "PAID",
    submitted_at: world.money.clock.now(),
    decided_at: world.money.clock.now(),
    decision: "allowed",
    period,
    version: 2,
  };
  await sql("INSERT INTO provider_claim SELECT (jsonb_populate_record(NULL::provider_claim, $1)).*", [
    JSON.stringify(claim),
  ]);
  const posting = {
    id: newId(),
    code: "CLAIM_PAID" as const,
    debit: "expense:claims",
    credit: `payable:${providerId}:${period}`,
  };
  await transaction(world.money.db, (tx) =>
    world.money.ledger.post(tx, {
      groupId: id,
      bookedAt: world.money.clock.now(),
      postings: [{ ...posting, amountNano: amountNanoUsd }],
    }),
  );
  return id;
}
