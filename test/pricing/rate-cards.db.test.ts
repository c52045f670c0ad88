/** Negotiated rate cards on PostgreSQL: two people, from an instant on, never insolvent, nobody else's business. */
import { RateCardRow } from "../../entities/rate-card";
import type { Viewer } from "../../src/accounts/viewer";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { Pricing } from "../../src/pricing/pricing";
import type { NewRateCard } from "../../src/pricing/rate-card-book";
import { providerRevenue } from "../../src/pricing/revenue";
import { GPU_HOUR_NANOS } from "../../src/pricing/tier";
import { openWorld, refusal, type World } from "../accounts/a-world";

let world: World;
let pricing: Pricing;
let provider: Viewer;
/** Another person of the same operator. */
let second: Viewer;

beforeAll(async () => {
  world = await openWorld("2026-01-15T12:30:00Z");
  provider = await world.a("PROVIDER");
  second = { ...world.operator, keyId: newId(), memberId: null };
});
beforeEach(async () => {
  await world.db.source.query(
    "DELETE FROM pricing_tier WHERE rate_card_id IN (SELECT id FROM rate_card WHERE proposed_by IS NOT NULL)",
  );
  await world.db.source.query("DELETE FROM rate_card WHERE proposed_by IS NOT NULL");
  pricing = new Pricing(world);
});
afterAll(() => world.close());

const later = (ms: number) => new Date(world.clock.nowMs() + ms);
const terms = (changes: Partial<NewRateCard> = {}): NewRateCard => ({
  providerId: provider.organisationId,
  effectiveAt: later(60_000),
  reason: "300,000 GPU-hours a month, two years",
  baseSharePpm: 850_000n,
  tierReading: "VOLUME",
  premiumReading: "POINTS",
  redemptionFactorPpm: null,
  tiers: [
    { upToGpuHours: 200_000n, premiumPpm: 40_000n },
    { upToGpuHours: null, premiumPpm: 50_000n },
  ],
  ...changes,
});
const propose = (changes: Partial<NewRateCard> = {}) => pricing.rateCards.propose(world.operator, terms(changes));
const inForce = async (providerId: string | null, at?: Date) => (await pricing.rateCard(at, providerId)).id;

test("a card that a second person approved holds from its instant on, for its provider alone, and is followed, never changed", async () => {
  const standard = await inForce(null);
  const card = await propose();
  expect(card).toMatchObject({ state: "PROPOSED", version: 1, redemptionFactorPpm: 1_350_000n, approvedAt: null });
  const approved = await pricing.rateCards.approve(second, card.id);
  expect(approved).toMatchObject({ state: "APPROVED", approvedBy: second.keyId, approvedAt: world.clock.now() });
  expect(await inForce(provider.organisationId)).toBe(standard);
  world.clock.advanceMs(60_000);
  expect(await inForce(provider.organisationId)).toBe(card.id);
  expect(await inForce((await world.a("PROVIDER")).organisationId)).toBe(standard);
  expect(await inForce(null)).toBe(standard);
  const choose = await pricing.rateCards.choose(world.clock.now());
  expect([choose(provider.organisationId).id, choose(newId()).id]).toEqual([card.id, standard]);

  const next = await propose({ baseSharePpm: 840_000n, effectiveAt: later(60_000) });
  expect(next.version).toBe(2);
  await pricing.rateCards.approve(second, next.id);
  world.clock.advanceMs(60_000);
  expect(await inForce(provider.organisationId)).toBe(next.id);
  expect(await inForce(provider.organisationId, later(-1))).toBe(card.id);
  const change = world.db.source.getRepository(RateCardRow).update({ id: card.id }, { baseSharePpm: 1n });
  await expect(change).rejects.toThrow("never change");
});

test("whoever proposed a card cannot approve it, and the database says the same", async () => {
  const { id } = await propose();
  expect(await refusal(pricing.rateCards.approve(world.operator, id))).toBe("SECOND_PERSON_REQUIRED");
  const bothHands = world.db.source.query(
    "UPDATE rate_card SET state = 'APPROVED', approved_at = now(), approved_by = proposed_by WHERE id = $1",
    [id],
  );
  await expect(bothHands).rejects.toThrow("rate_card_four_eyes_check");
  expect((await pricing.rateCards.approve(second, id)).state).toBe("APPROVED");
  expect(await refusal(pricing.rateCards.approve(second, id))).toBe("STATE_CONFLICT");
});

test("a worst share that full use of a facility could not pay is refused with the figures, to the last part per million", async () => {
  const at = (premiumPpm: bigint) => propose({ tiers: [{ upToGpuHours: null, premiumPpm }] });
  const refused = await pricing.rateCards.approve(second, (await at(50_001n)).id).catch((error: Error) => error);
  expect(refused).toMatchObject({
    code: "RATE_CARD_INSOLVENT",
    message:
      "At a worst share of 0.900001 a dollar that became 1.5 of credit owes providers 1.000001 dollars, redeemed at 1.35; no share may exceed 0.9.",
    details: {
      worstSharePpm: 900_001n,
      multiplierPpm: 1_500_000n,
      redemptionFactorPpm: 1_350_000n,
      sharePpmMax: 900_000n,
    },
  });
  expect((await pricing.rateCards.approve(second, (await at(50_000n)).id)).state).toBe("APPROVED");
});

test("credit that was issued with a fee raises what a card has to bear", async () => {
  await world.db.source.query(
    `INSERT INTO ledger_account (id, name, ledger, kind, lot_id, multiplier_ppm, issued_nano_credit, priority, limited, created_at)
     VALUES (gen_random_uuid(), 'wallet:x:lot:y', 'CRD', 'WALLET_LOT', gen_random_uuid(), 1546392, 1, 100, true, now())`,
  );
  try {
    const { id } = await propose({ tiers: [{ upToGpuHours: null, premiumPpm: 50_000n }] });
    expect(await refusal(pricing.rateCards.approve(second, id))).toBe("RATE_CARD_INSOLVENT id");
  } finally {
    await world.db.source.query("DELETE FROM ledger_account WHERE name = 'wallet:x:lot:y'");
  }
});

test("no card begins in the past, neither when it is proposed nor when it is approved", async () => {
  expect(await refusal(propose({ effectiveAt: later(-1) }))).toBe("BAD_USER_INPUT effectiveAt");
  const { id } = await propose({ effectiveAt: later(0) });
  world.clock.advanceMs(1);
  expect(await refusal(pricing.rateCards.approve(second, id))).toBe("STATE_CONFLICT");
});

test("a retired card gives way to the one before it, then to the standard one; the standard one stays", async () => {
  const standard = await inForce(null);
  const [first, next] = [await propose(), await propose()];
  for (const { id } of [first, next]) await pricing.rateCards.approve(second, id);
  world.clock.advanceMs(60_001);
  expect(await inForce(provider.organisationId)).toBe(next.id);
  await pricing.rateCards.retire(world.operator, next.id);
  expect(await inForce(provider.organisationId)).toBe(first.id);
  await pricing.rateCards.retire(world.operator, first.id);
  expect(await inForce(provider.organisationId)).toBe(standard);
  expect(await inForce(provider.organisationId, later(-1))).toBe(next.id);
  expect(await refusal(pricing.rateCards.retire(world.operator, standard))).toBe("STATE_CONFLICT");
  expect(await refusal(pricing.rateCards.retire(world.operator, first.id))).toBe("STATE_CONFLICT");
});

test("terms have to make sense", async () => {
  const tiers = (...edges: (bigint | null)[]) => ({
    tiers: edges.map((upToGpuHours) => ({ upToGpuHours, premiumPpm: 0n })),
  });
  expect(await refusal(propose({ tiers: [] }))).toBe("BAD_USER_INPUT tiers");
  expect(await refusal(propose(tiers(10n)))).toBe("BAD_USER_INPUT tiers.0.upToGpuHours");
  expect(await refusal(propose(tiers(10n, 10n, null)))).toBe("BAD_USER_INPUT tiers.1.upToGpuHours");
  expect(await refusal(propose(tiers(null, null)))).toBe("BAD_USER_INPUT tiers.0.upToGpuHours");
  expect(await refusal(propose({ tiers: [{ upToGpuHours: null, premiumPpm: -850_000n }] }))).toBe(
    "BAD_USER_INPUT tiers.0.premium",
  );
  expect(await refusal(propose({ baseSharePpm: 0n }))).toBe("BAD_USER_INPUT baseShare");
  expect(await refusal(propose({ redemptionFactorPpm: 999_999n }))).toBe("BAD_USER_INPUT redemptionFactor");
  expect(await refusal(propose({ reason: " " }))).toBe("BAD_USER_INPUT reason");
  expect(await refusal(propose({ providerId: newId() }))).toBe("NOT_FOUND providerId");
});

test("only operators negotiate; a provider sees its own cards and the standard one, never a proposal or another's", async () => {
  const { id } = await propose();
  expect(await refusal(pricing.rateCards.propose(provider, terms()))).toBe("FORBIDDEN");
  expect(await refusal(pricing.rateCards.approve(provider, id))).toBe("FORBIDDEN");
  expect(await refusal(pricing.rateCards.retire(null, id))).toBe("UNAUTHENTICATED");
  const seen = async (viewer: Viewer) =>
    (await pricing.rateCards.page(viewer, {})).rows.map(({ providerId, state }) => [providerId, state]);
  expect(await seen(provider)).toEqual([[null, "APPROVED"]]);
  await pricing.rateCards.approve(second, id);
  expect(await seen(provider)).toEqual([
    [provider.organisationId, "APPROVED"],
    [null, "APPROVED"],
  ]);
  expect(await seen(await world.a("PROVIDER"))).toEqual([[null, "APPROVED"]]);
  expect(await seen(world.operator)).toHaveLength(2);
  expect(await refusal(pricing.rateCards.page(await world.a("STARTUP"), {}))).toBe("FORBIDDEN");
});

test("a provider's own estimate is by its own card, everybody else's by the standard one", async () => {
  const observed = {
    accelerator: "H100",
    region: "eu-north",
    source: "board",
    priceNanoUsd: 2n * NANO,
    confidencePpm: 900_000n,
  };
  const { id } = await propose({ effectiveAt: later(0) });
  await pricing.rateCards.approve(second, id);
  await pricing.recordSpotPrices(world.operator, [{ ...observed, observedAt: world.clock.now() }]);
  const question = { accelerator: "H100", region: null, monthlyGpuHours: 300_000n };
  const own = await pricing.revenueEstimate(question, provider);
  expect(own.card.id).toBe(id);
  expect(own.totalNanoUsd).toBe(540_000n * NANO);
  expect(own.totalNanoUsd).toBe(providerRevenue(own.card, 2n * NANO, 300_000n * GPU_HOUR_NANOS).totalNanoUsd);
  expect((await pricing.revenueEstimate(question)).totalNanoUsd).toBe(530_400n * NANO);
});
