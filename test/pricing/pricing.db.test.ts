/** Fixings, rate cards and the public calculator on PostgreSQL. */

import { PricingTierRow } from "../../entities/pricing-tier";
import { RateCardRow } from "../../entities/rate-card";
import { SpotObservation } from "../../entities/spot-observation";
import { newId } from "../../src/platform/ids";
import { computeFixing } from "../../src/pricing/fixing";
import { type NewObservation, Pricing } from "../../src/pricing/pricing";
import { STANDARD_RATE_CARD_TERMS } from "../../src/pricing/rate-card";
import { providerRevenue } from "../../src/pricing/revenue";
import { GPU_HOUR_NANOS } from "../../src/pricing/tier";
import { openWorld, refusal, type World } from "../accounts/a-world";

let world: World;
let pricing: Pricing;

beforeAll(async () => {
  world = await openWorld("2026-01-15T12:30:00Z");
});
beforeEach(async () => {
  await world.again("fixing", "spot_observation", "provider_claim");
  pricing = new Pricing(world);
});
afterAll(() => world.close());

const usd = (text: string) => BigInt(Math.round(Number(text) * 1e9));
const seen = (priceUsd: string, changes: Partial<NewObservation> = {}): NewObservation => ({
  accelerator: "H100",
  region: "eu-north",
  source: "board one",
  priceNanoUsd: usd(priceUsd),
  confidencePpm: 900_000n,
  observedAt: world.clock.now(),
  ...changes,
});
const record = (...observations: NewObservation[]) => pricing.recordSpotPrices(world.operator, observations);

test("the first observations of a place fix its current hour; later ones of the hour change nothing", async () => {
  const [first] = await record(seen("2.00"), seen("2.10"), seen("2.20"));
  expect(first).toMatchObject({
    accelerator: "H100",
    region: "eu-north",
    hour: new Date("2026-01-15T12:00:00Z"),
    priceNanoUsd: usd("2.10"),
    flags: [],
  });
  expect(first?.components).toHaveLength(3);
  const again = await record(seen("4.00"));
  expect(again.map(({ id, priceNanoUsd }) => [id, priceNanoUsd])).toEqual([[first?.id, usd("2.10")]]);
  expect(await world.db.source.getRepository(SpotObservation).count()).toBe(4);
});

test("the stored components are enough to compute the fixing again", async () => {
  const [fixing] = await record(
    seen("2.00"),
    seen("2.11", { confidencePpm: 333_333n }),
    seen("2.27", { confidencePpm: 1n }),
  );
  const observations = await world.db.source.getRepository(SpotObservation).find();
  const again = computeFixing(observations, { at: fixing!.createdAt, previousNanoUsd: null });
  expect(again?.priceNanoUsd).toBe(fixing?.priceNanoUsd);
  expect(again?.components.map((component) => component.observationId)).toEqual(
    fixing?.components.map((component) => component.observationId),
  );
});

test("each hour every observed place is fixed once, also by processes in parallel, and routing hears of it once", async () => {
  await record(seen("2.00"), seen("3.00", { region: "ap-east" }), seen("1.00", { accelerator: "A100" }));
  world.clock.advanceMs(3_600_000);
  const others = [new Pricing(world), new Pricing(world), pricing];
  let answers: string[][] = [];
  const heard = await world.published("supply.changed", async () => {
    answers = await world.atOnce(
      "fixing",
      others.map((one) => async () => (await one.fixHour()).map(({ id }) => id).toSorted()),
    );
  });
  expect(heard).toBe(1);
  expect(new Set(answers.map(String)).size).toBe(1);
  expect(answers[0]).toHaveLength(3);
  expect(await world.published("supply.changed", () => pricing.fixHour())).toBe(0);
  const [counted] = await world.db.source.query("SELECT count(*)::int AS fixings FROM fixing");
  expect(counted.fixings).toBe(6);
});

test("a jump is guarded against the hour before, and a place without fresh prices stands, flagged", async () => {
  await record(seen("2.00"));
  world.clock.moveTo("2026-01-16T12:40:00Z");
  const [jumped] = await record(seen("9.00"));
  expect([jumped?.priceNanoUsd, jumped?.flags]).toEqual([usd("2.50"), ["JUMP_GUARDED"]]);
  world.clock.moveTo("2026-01-18T00:00:00Z");
  const [stale] = await pricing.fixHour();
  expect([stale?.priceNanoUsd, stale?.flags, stale?.components]).toEqual([usd("2.50"), ["STALE"], []]);
});

test("the latest fixings are the newest of each place", async () => {
  await record(seen("2.00"), seen("1.00", { accelerator: "A100" }), seen("3.00", { region: "ap-east" }));
  world.clock.advanceMs(3_600_000);
  await record(seen("2.20"));
  const latest = (await pricing.latestFixings()).map(
    (row) => `${row.accelerator} ${row.region} ${row.hour.toISOString().slice(11, 13)}`,
  );
  expect(latest).toEqual(["A100 eu-north 12", "H100 ap-east 12", "H100 eu-north 13"]);
  expect(await pricing.fixingsByIds([...(await pricing.latestFixings()).map(({ id }) => id), newId()])).toHaveLength(3);
});

test("only operators record prices, and only plausible ones; everybody with a key reads fixings", async () => {
  const startup = await world.a("STARTUP");
  expect(await refusal(pricing.recordSpotPrices(startup, [seen("2.00")]))).toBe("FORBIDDEN");
  expect(await refusal(pricing.recordSpotPrices(null, [seen("2.00")]))).toBe("UNAUTHENTICATED");
  expect(await refusal(record())).toBe("BAD_USER_INPUT");
  expect(await refusal(record(seen("2.00"), seen("0")))).toBe("BAD_USER_INPUT 1.priceNanoUsd");
  expect(await refusal(record(seen("2000000")))).toBe("BAD_USER_INPUT 0.priceNanoUsd");
  expect(await refusal(record(seen("2.00", { confidencePpm: 1_000_001n })))).toBe("BAD_USER_INPUT 0.confidencePpm");
  expect(await refusal(record(seen("2.00", { accelerator: "TPU" })))).toBe("BAD_USER_INPUT 0.accelerator");
  const tomorrow = new Date(world.clock.nowMs() + 86_400_000);
  expect(await refusal(record(seen("2.00", { observedAt: tomorrow })))).toBe("BAD_USER_INPUT 0.observedAt");
  expect(await world.db.source.getRepository(SpotObservation).count()).toBe(0);

  await record(seen("2.00"));
  expect((await pricing.fixings(startup, {}, { accelerator: "H100", region: "eu-north" })).rows).toHaveLength(1);
  expect((await pricing.fixings(startup, {}, { accelerator: "A100" })).rows).toHaveLength(0);
  expect(await refusal(pricing.fixings(null, {}))).toBe("UNAUTHENTICATED");
});

test("the first rate card in the database is the standard one", async () => {
  expect(await pricing.rateCard()).toMatchObject({ version: 1, ...STANDARD_RATE_CARD_TERMS });
});

test("a new rate card is in force from its instant, is noticed within thirty seconds, and does not change the past", async () => {
  const first = await pricing.rateCard();
  const effectiveAt = new Date(world.clock.nowMs() + 60_000);
  const { tiers, ...card } = { ...first, id: newId(), version: 2, effectiveAt, baseSharePpm: 860_000n };
  await world.db.source.manager.insert(RateCardRow, card);
  await world.db.source.manager.insert(
    PricingTierRow,
    tiers.map((tier) => ({ ...tier, rateCardId: card.id })),
  );
  world.clock.advanceMs(59_999);
  expect((await pricing.rateCard()).version).toBe(1);
  world.clock.advanceMs(1);
  expect(await pricing.rateCard()).toMatchObject({ version: 2, baseSharePpm: 860_000n, tiers: { length: 4 } });
  expect((await pricing.rateCard(new Date(effectiveAt.getTime() - 1))).version).toBe(1);
  await world.db.source.manager.delete(PricingTierRow, { rateCardId: card.id });
  await world.db.source.manager.delete(RateCardRow, { id: card.id });
});

test("the public estimate is what settlement's own function says, at the region's fixing or the mean of all", async () => {
  await record(seen("2.00"), seen("3.00", { region: "ap-east" }));
  const card = await pricing.rateCard();
  for (const monthlyGpuHours of [0n, 10_000n, 10_001n, 50_001n, 1_000_000n]) {
    const there = await pricing.revenueEstimate({ accelerator: "H100", region: "ap-east", monthlyGpuHours });
    expect(there).toEqual({
      ...providerRevenue(card, usd("3.00"), monthlyGpuHours * GPU_HOUR_NANOS),
      accelerator: "H100",
      region: "ap-east",
      monthlyGpuHours,
      fixingNanoUsdPerGpuHour: usd("3.00"),
      card,
    });
    const anywhere = await pricing.revenueEstimate({ accelerator: "H100", region: null, monthlyGpuHours });
    expect(anywhere.totalNanoUsd).toBe(
      providerRevenue(card, usd("2.50"), monthlyGpuHours * GPU_HOUR_NANOS).totalNanoUsd,
    );
  }
});

test("an estimate without a fixing, or for an impossible month, is refused", async () => {
  await record(seen("2.00"));
  const estimate = (accelerator: string, region: string | null, monthlyGpuHours: bigint) =>
    refusal(pricing.revenueEstimate({ accelerator, region, monthlyGpuHours }));
  expect(await estimate("A100", null, 1n)).toBe("NOT_FOUND accelerator");
  expect(await estimate("H100", "nowhere", 1n)).toBe("NOT_FOUND accelerator");
  expect(await estimate("H100", null, -1n)).toBe("BAD_USER_INPUT monthlyGpuHours");
  expect(await estimate("H100", null, 100_000_001n)).toBe("BAD_USER_INPUT monthlyGpuHours");
});
