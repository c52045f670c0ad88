/** Accruals on PostgreSQL: what the ledger owes per provider and month, beside what was used in it. */
import type { Viewer } from "../../src/accounts/viewer";
import { Accruals } from "../../src/payouts/accruals";
import { newId } from "../../src/platform/ids";
import { cursorOf } from "../../src/platform/page";
import { openWorld, refusal, type World } from "../accounts/a-world";

let world: World;
let accruals: Accruals;
let provider: Viewer;
let other: Viewer;

/** What a settlement leaves: the payable account and one usage record, in the ledger's own shape. */
async function settled(owner: Viewer, period: string, accruals: readonly bigint[]): Promise<void> {
  const total = accruals.reduce((sum, accrual) => sum + accrual, 0n);
  await world.db.source.query(
    `INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, period, limited, credits_posted, created_at)
     VALUES (gen_random_uuid(), $1, 'USD', 'PROVIDER_PAYABLE', $2, $3, false, $4, now())`,
    [`payable:${owner.organisationId}:${period}`, owner.organisationId, period, total.toString()],
  );
  for (const accrual of accruals) {
    await world.db.source.query(
      `INSERT INTO usage_record (id, startup_id, api_key_id, provider_id, endpoint_id, offering_id, fixing_id, rate_card_id, model,
         accelerator, region, period, outcome, prompt_tokens, completion_tokens, usage_bounded, gpu_nanos, charge_nano_credit,
         accrual_nano_usd, spread_nano_usd, accrual_share_ppm, attempts, streamed, duration_ms, completed_at,
         held_nano_credit, workload, segment)
       VALUES ($1, $1, $1, $2, $1, $1, $1, $1, 'm', 'H100', 'eu-north', $3, 'COMPLETED', 1, 1, false, 3600000000000, 1, $4, 0, 850000, 1, true, 1, now(), 1, 'INFERENCE', 'UNSPECIFIED')`,
      [newId(), owner.organisationId, period, accrual.toString()],
    );
  }
}

beforeAll(async () => {
  world = await openWorld();
  accruals = new Accruals(world);
  [provider, other] = [await world.a("PROVIDER"), await world.a("PROVIDER")];
  await settled(provider, "2025-12", [5n]);
  await settled(provider, "2026-01", [700n, 1_000n]);
  await settled(provider, "2025-11", [3n]);
  // A settlement that came too late leaves the month's account behind, with nothing in it.
  await settled(provider, "2025-10", []);
  await settled(other, "2026-01", [9n]);
});
afterAll(() => world.close());

test("an accrual is what the ledger owes for the month, with the usage that it is for and when it is due", async () => {
  const [accrual] = (await accruals.page(provider, {}, { period: "2026-01" })).rows;
  expect(accrual).toEqual({
    id: expect.any(String),
    providerId: provider.organisationId,
    period: "2026-01",
    accruedNanoUsd: 1_700n,
    requests: 2,
    gpuNanos: 7_200_000_000_000n,
    dueAt: new Date("2026-03-03T00:00:00Z"),
  });
});

test("pages go from the newest month to the oldest and back, without loss or repeat", async () => {
  const all = (await accruals.page(provider, {})).rows;
  expect(all.map(({ period, requests }) => [period, requests])).toEqual([
    ["2026-01", 2],
    ["2025-12", 1],
    ["2025-11", 1],
  ]);
  const first = await accruals.page(provider, { first: 2 });
  expect([first.rows, first.hasNextPage, first.hasPreviousPage]).toEqual([all.slice(0, 2), true, false]);
  const rest = await accruals.page(provider, { first: 2, after: cursorOf(all[1]!.id) });
  expect([rest.rows, rest.hasNextPage, rest.hasPreviousPage]).toEqual([all.slice(2), false, true]);
  const back = await accruals.page(provider, { last: 1, before: cursorOf(all[2]!.id) });
  expect([back.rows, back.hasNextPage, back.hasPreviousPage]).toEqual([all.slice(1, 2), true, true]);
  expect((await accruals.page(world.operator, {})).rows).toHaveLength(4);
});

test("a provider sees its own, an operator all, others nothing", async () => {
  const { organisationId } = provider;
  expect((await accruals.page(other, {})).rows.map(({ accruedNanoUsd }) => accruedNanoUsd)).toEqual([9n]);
  expect((await accruals.page(world.operator, {}, { providerId: organisationId })).rows).toHaveLength(3);
  expect(await refusal(accruals.page(other, {}, { providerId: organisationId }))).toBe("NOT_FOUND");
  expect(await refusal(accruals.page(await world.a("STARTUP"), {}))).toBe("FORBIDDEN");
  expect(await refusal(accruals.page(await world.a("CAPITAL_PARTNER"), {}))).toBe("FORBIDDEN");
  expect(await refusal(accruals.page(null, {}))).toBe("UNAUTHENTICATED");
  expect(await refusal(accruals.page(provider, {}, { period: "January" }))).toBe("BAD_USER_INPUT period");
  expect(await refusal(accruals.page(provider, { first: 0 }))).toBe("BAD_USER_INPUT first");
});
