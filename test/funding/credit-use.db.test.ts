/** What lenders see of spending: every charge counted once where it was spent, and how long the rest will last. */
import fc from "fast-check";
import { Catalog } from "../../src/catalog/catalog";
import { indexesOnly, rollUp } from "../../src/funding/credit-use";
import type { UseFilter } from "../../src/funding/exposure";
import { transaction } from "../../src/platform/transaction";
import { viewerOf } from "../accounts/a-world";
import { anEndpoint } from "../catalog/an-endpoint";
import { aFund, type Fund, usd } from "./a-fund";
import { acting } from "./a-lender";

const HOUR_MS = 3_600_000;
let fund: Fund;
beforeEach(async () => {
  fund = await aFund();
});
afterEach(() => fund.close());

const use = (by: "STARTUP" | "PROVIDER_SEGMENT" | "ACCELERATOR", filter: UseFilter = {}, as = fund.partner) =>
  acting(as, () => fund.funding.exposure.use(as, by, filter));

/** An endpoint in eu-west with this promise. */
async function endpointOf(slaTier: "STANDARD" | "PREMIUM"): Promise<string> {
  const { db, bus, clock, providerId } = fund.world;
  const catalog = new Catalog({ db, bus, clock, egress: { allowLoopback: true, ownHosts: [] } });
  const input = await anEndpoint({ slaTier, region: "eu-west" });
  return (await catalog.registerEndpoint(viewerOf("PROVIDER", providerId), input)).id;
}

test("spending is told apart by startup, by accelerator, and by region and service level, without a provider's name", async () => {
  const facility = await fund.facility();
  const [{ lot: one }, { lot: two }] = [await fund.draw(facility, usd(100)), await fund.draw(facility, usd(100))];
  const [standard, premium] = [await endpointOf("STANDARD"), await endpointOf("PREMIUM")];
  await fund.spend(one.startupId, usd(3), { endpointId: standard });
  await fund.spend(one.startupId, usd(2), { endpointId: premium, accelerator: "H200" });
  await fund.spend(two.startupId, usd(1), { endpointId: premium });
  expect(await use("STARTUP")).toEqual([]);
  expect(await fund.funding.sumUpUse()).toBeGreaterThan(0);
  const row = { startupId: null, accelerator: null, region: null, slaTier: null };
  expect(await use("STARTUP")).toEqual([
    { ...row, startupId: one.startupId, requests: 2n, spentNanoCredit: usd(5) },
    { ...row, startupId: two.startupId, requests: 1n, spentNanoCredit: usd(1) },
  ]);
  expect(await use("ACCELERATOR")).toEqual([
    { ...row, accelerator: "H100", requests: 2n, spentNanoCredit: usd(4) },
    { ...row, accelerator: "H200", requests: 1n, spentNanoCredit: usd(2) },
  ]);
  expect(await use("PROVIDER_SEGMENT")).toEqual([
    { ...row, region: "eu-west", slaTier: "PREMIUM", requests: 2n, spentNanoCredit: usd(3) },
    { ...row, region: "eu-west", slaTier: "STANDARD", requests: 1n, spentNanoCredit: usd(3) },
  ]);
});

test("a request that two lots of two facilities pay for counts once with each, and once where one facility has both lots", async () => {
  const [first, second] = [await fund.facility(), await fund.facility()];
  const { lot } = await fund.draw(first, usd(1), { priority: 1 });
  const { startupId } = lot;
  await fund.draw(first, usd(1), { startupId, priority: 2 });
  await fund.draw(second, usd(1), { startupId, priority: 3 });
  await fund.spend(startupId, usd(3));
  await fund.funding.sumUpUse();
  const of = async (facilityId: string) => (await use("STARTUP", { facilityId }))[0];
  expect(await of(first.id)).toMatchObject({ requests: 1n, spentNanoCredit: usd(2.7) });
  expect(await of(second.id)).toMatchObject({ requests: 1n, spentNanoCredit: usd(0.3) });
});

test("summing up again, or by several workers at once, counts nothing twice", async () => {
  const facility = await fund.facility();
  const { lot } = await fund.draw(facility, usd(100));
  for (let n = 0; n < 5; n++) await fund.spend(lot.startupId, usd(1));
  await Promise.all(Array.from({ length: 4 }, () => fund.funding.sumUpUse()));
  expect(await fund.funding.sumUpUse()).toBe(0);
  expect(await use("STARTUP")).toMatchObject([{ requests: 5n, spentNanoCredit: usd(5) }]);
});

test("however spending and summing up take turns, the sums are what the ledger says was spent", async () => {
  const facility = await fund.facility({ limitNanoUsd: usd(1_000_000) });
  const { lot } = await fund.draw(facility, usd(1_000));
  const acts = fc.array(fc.oneof(fc.bigInt({ min: 1n, max: usd(2) }), fc.constant("sum" as const)), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(acts, async (steps) => {
      for (const step of steps) await (step === "sum" ? fund.funding.sumUpUse() : fund.spend(lot.startupId, step));
      await fund.funding.sumUpUse();
      const told = (await use("STARTUP")).reduce((sum, { spentNanoCredit }) => sum + spentNanoCredit, 0n);
      expect(told).toBe((await fund.world.ledger.balance(lot.startupId)).spentNanoCredit);
    }),
    { numRuns: 8 },
  );
});

test("an hour is chosen by its beginning, and another's facilities show nothing", async () => {
  const { clock } = fund.world;
  const { lot } = await fund.draw(await fund.facility(), usd(100));
  const start = clock.now();
  await fund.spend(lot.startupId, usd(1));
  clock.advanceMs(HOUR_MS);
  await fund.spend(lot.startupId, usd(2));
  await fund.funding.sumUpUse();
  const spent = async (filter: UseFilter) => (await use("STARTUP", filter))[0]?.spentNanoCredit ?? 0n;
  const next = new Date(start.getTime() + HOUR_MS);
  expect(await spent({ from: start })).toBe(usd(3));
  expect(await spent({ from: next })).toBe(usd(2));
  expect(await spent({ to: next })).toBe(usd(1));
  expect(await use("STARTUP", {}, fund.rival)).toEqual([]);
  expect(await use("STARTUP", {}, fund.operator)).toHaveLength(1);
  await expect(use("STARTUP", { from: next, to: start })).rejects.toMatchObject({ code: "BAD_USER_INPUT" });
  await expect(use("STARTUP", { capitalPartnerId: fund.partner.organisationId }, fund.rival)).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
});

test("the position adds its facilities up, and says how long credit lasts and what expires before", async () => {
  const { clock } = fund.world;
  const [first, second] = [await fund.facility(), await fund.facility({ originationFeePpm: 10_000n })];
  const { lot } = await fund.draw(first, usd(100));
  await fund.draw(second, usd(50), { expiresAt: new Date(clock.nowMs() + 20 * 24 * HOUR_MS) });
  const position = () => acting(fund.partner, () => fund.funding.exposure.capitalPosition(fund.partner));
  expect((await position()).runwayTenthDays).toBeNull();
  for (let day = 0; day < 7; day++) {
    await fund.spend(lot.startupId, usd(2));
    if (day < 6) clock.advanceMs(24 * HOUR_MS);
  }
  await fund.funding.sumUpUse();
  expect(await position()).toMatchObject({
    facilities: 2,
    limitNanoUsd: usd(2_000),
    drawnNanoUsd: usd(150),
    fundedNanoUsd: usd(150),
    issuedNanoCredit: usd(202.5),
    availableNanoCredit: usd(188.5),
    spentNanoCredit: usd(14),
    expiringNanoCredit: usd(67.5),
    spentLastWeekNanoCredit: usd(14),
    // 188.50 at 2 a day.
    runwayTenthDays: 942n,
  });
  expect((await position()).coverage.facilityId).toBeNull();
  clock.advanceMs(4 * 24 * HOUR_MS);
  expect((await position()).spentLastWeekNanoCredit).toBe(usd(6));
  const own = await acting(fund.rival, () => fund.funding.exposure.capitalPosition(fund.rival));
  expect([own.facilities, own.fundedNanoUsd]).toEqual([0, 0n]);
});

test("what was spent is looked up transfer by transfer, also before the newest rows are in any statistics", async () => {
  const facility = await fund.facility();
  const { lot } = await fund.draw(facility, usd(100));
  await fund.spend(lot.startupId, usd(1), {});
  const plan = await transaction(fund.world.db, async (tx) => {
    await tx.query(indexesOnly);
    return (await tx.query(`EXPLAIN ${rollUp}`)) as { "QUERY PLAN": string }[];
  });
  const lines = plan.map((row) => row["QUERY PLAN"]);
  for (const table of ["usage_record", "ledger_account", "endpoint"]) {
    const scans = lines.filter((line) => / Scan .*on /.test(line) && line.includes(` on ${table} `));
    expect(scans.length).toBeGreaterThan(0);
    for (const scan of scans) expect(scan).toMatch(/Index Scan/);
  }
  // Joined by hash or in a loop without a key, a batch would be compared with all there ever was.
  expect(lines.join("\n")).not.toMatch(/Join Filter|Hash Cond/);
});
