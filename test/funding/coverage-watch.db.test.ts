/** Coverage after issuance: when terms move, whoever lent learns of it once, and once that it is over. */
import type { CoverageAlert } from "../../entities/coverage-alert";
import { OutboxEvent } from "../../entities/outbox-event";
import { ALL_FACILITIES } from "../../src/funding/coverage-watch";
import { newId } from "../../src/platform/ids";
import { refusal } from "../accounts/a-world";
import { aFund, type Fund, usd } from "./a-fund";
import { acting } from "./a-lender";

let fund: Fund;
beforeEach(async () => {
  fund = await aFund();
});
afterEach(() => fund.close());

const evaluate = () => fund.funding.coverageWatch.evaluate();
const events = async () =>
  (await fund.world.db.source.getRepository(OutboxEvent).find({ order: { id: "ASC" } }))
    .filter(({ topic }) => topic.startsWith("coverage."))
    .map(({ topic, organisationId, payload }) => ({ topic, organisationId, alertId: payload.alertId }));

/** A card of two people's making that pays some provider up to `sharePpm`; null: retired again. */
async function negotiate(sharePpm: number, effectiveAt = fund.world.clock.now()): Promise<string> {
  const id = newId();
  const { db, providerId } = fund.world;
  await db.source.query(
    `INSERT INTO rate_card (id, provider_id, version, state, effective_at, base_share_ppm, tier_reading, premium_reading,
                            redemption_factor_ppm, reason, proposed_at, proposed_by, approved_at, approved_by)
     VALUES ($1, $2, 1 + (SELECT count(*) FROM rate_card), 'APPROVED', $4, $3, 'VOLUME', 'RELATIVE', 1350000, 'for this test', $5, $6, $5, $7)`,
    [id, providerId, sharePpm, effectiveAt, fund.world.clock.now(), newId(), newId()],
  );
  await db.source.query(
    "INSERT INTO pricing_tier (rate_card_id, position, up_to_gpu_hours, premium_ppm, negotiated) VALUES ($1, 1, NULL, 0, true)",
    [id],
  );
  return id;
}
const retire = (id: string) =>
  fund.world.db.source.query(
    "UPDATE rate_card SET state = 'RETIRED', retired_at = approved_at, retired_by = approved_by WHERE id = $1",
    [id],
  );

test("a dearer rate card opens one alert per facility that it uncovers, and one for all together; its end closes them", async () => {
  const thin = await fund.facility({ multiplierPpm: 1_500_000n });
  const thick = await fund.facility({ multiplierPpm: 1_250_000n });
  await fund.draw(thin, usd(300));
  await fund.draw(thick, usd(10));
  await evaluate();
  expect(await fund.openAlerts()).toEqual([]);

  const card = await negotiate(910_000);
  await evaluate();
  const open = await fund.openAlerts();
  expect(open.map(({ subject }) => subject).sort()).toEqual([ALL_FACILITIES, thin.id].sort());
  expect(open.find(({ subject }) => subject === thin.id)).toMatchObject({
    facilityId: thin.id,
    ratioPpm: 989_010n,
    floorPpm: 1_000_000n,
    backingNanoUsd: usd(300),
    outstandingNanoCredit: usd(450),
    worstCostPpm: 674_075n,
  });
  await evaluate();
  await Promise.all([evaluate(), evaluate()]);
  expect(await fund.openAlerts()).toEqual(open);

  await retire(card);
  await evaluate();
  await evaluate();
  expect(await fund.openAlerts()).toEqual([]);
  const told = (topic: string, { subject, id: alertId }: CoverageAlert) => ({
    topic,
    alertId,
    organisationId: subject === ALL_FACILITIES ? fund.operator.organisationId : fund.partner.organisationId,
  });
  const every = (topic: string) => expect.arrayContaining(open.map((alert) => told(topic, alert)));
  const all = await events();
  expect(all).toHaveLength(4);
  expect(all).toEqual(every("coverage.alert.opened"));
  expect(all).toEqual(every("coverage.alert.closed"));
});

test("a card that is approved for later counts before it holds, and issuance under it is refused already", async () => {
  const facility = await fund.facility({ multiplierPpm: 1_500_000n });
  await fund.draw(facility, usd(10));
  const { clock } = fund.world;
  await negotiate(910_000, new Date(clock.nowMs() + 86_400_000));
  expect(await refusal(fund.draw(facility, usd(10)))).toBe("COVERAGE_BELOW_FLOOR amount");
  await evaluate();
  expect((await fund.openAlerts()).map(({ subject }) => subject)).toContain(facility.id);
});

test("the level of the fixing moves nothing: a fixing ten times as high leaves every ratio where it was", async () => {
  const { db, clock } = fund.world;
  const facility = await fund.facility({ multiplierPpm: 1_500_000n });
  const { lot } = await fund.draw(facility, usd(300));
  const ratio = async () =>
    (await acting(fund.partner, () => fund.funding.exposure.coverages(fund.partner)))[0]?.ratioPpm;
  const before = await ratio();
  expect(before).toBe(1_018_099n);
  await db.source.query(
    "INSERT INTO fixing SELECT $1, accelerator, region, hour + interval '1 hour', price_nano_usd * 10, flags, components, created_at FROM fixing LIMIT 1",
    [newId()],
  );
  clock.advanceMs(3_600_000);
  await evaluate();
  expect([await ratio(), await fund.openAlerts()]).toEqual([before, []]);
  // Nor does spending: each lot releases as it was funded.
  await fund.spend(lot.startupId, usd(3));
  expect(await ratio()).toBe(before);
});

test("a facility whose last credit is gone has nothing left to cover: its alert ends", async () => {
  const facility = await fund.facility({ multiplierPpm: 1_500_000n });
  const expiresAt = new Date(fund.world.clock.nowMs() + 86_400_000);
  await fund.draw(facility, usd(300), { expiresAt });
  await negotiate(910_000);
  await evaluate();
  expect(await fund.openAlerts()).toHaveLength(2);
  fund.world.clock.moveTo(expiresAt);
  await fund.funding.expireLots();
  await evaluate();
  expect(await fund.openAlerts()).toEqual([]);
  const [none] = await acting(fund.partner, () => fund.funding.exposure.coverages(fund.partner, facility.id));
  expect(none).toMatchObject({ ratioPpm: null, covered: true, outstandingNanoCredit: 0n });
});

test("the ratios are told to whoever shows them, and a floor above 1 is the facility's own", async () => {
  const facility = await fund.facility({ multiplierPpm: 1_250_000n, coverageFloorPpm: 1_200_000n });
  await fund.draw(facility, usd(10));
  await negotiate(900_001);
  const ratios: [string, bigint | null][] = [];
  const off = fund.funding.coverageWatch.onEvaluated((told) => void ratios.push(...told));
  await evaluate();
  off();
  await evaluate();
  expect(ratios).toEqual([
    [facility.id, 1_199_998n],
    [ALL_FACILITIES, 1_199_998n],
  ]);
  expect((await fund.openAlerts()).map(({ subject }) => subject)).toEqual([facility.id]);
});

test("a capital partner sees its own coverage and alerts, an operator all and the whole, a stranger nothing", async () => {
  const facility = await fund.facility({ multiplierPpm: 1_500_000n });
  const other = await fund.facility({ multiplierPpm: 1_500_000n }, fund.rival);
  await fund.draw(facility, usd(300));
  await negotiate(910_000);
  await evaluate();
  const { exposure } = fund.funding;
  const coverages = (viewer: Fund["partner"], id?: string) =>
    acting(viewer, async () => (await exposure.coverages(viewer, id)).map(({ facilityId }) => facilityId));
  const alerts = (viewer: Fund["partner"]) =>
    acting(viewer, async () => (await exposure.alerts(viewer, {}, { open: true })).rows.map(({ subject }) => subject));
  expect(await coverages(fund.partner)).toEqual([facility.id]);
  expect(await coverages(fund.rival)).toEqual([other.id]);
  expect(await coverages(fund.operator)).toEqual([null, facility.id, other.id]);
  expect(await coverages(fund.operator, facility.id)).toEqual([facility.id]);
  expect(await refusal(coverages(fund.rival, facility.id))).toBe("NOT_FOUND facilityId");
  expect(await alerts(fund.partner)).toEqual([facility.id]);
  expect(await alerts(fund.rival)).toEqual([]);
  expect((await alerts(fund.operator)).sort()).toEqual([ALL_FACILITIES, facility.id].sort());
});
