/** The monthly servicing fee on the real ledger: what is booked where, and never twice. */
import { ServicingFee } from "../../entities/servicing-fee";
import { aFund, type Fund, usd } from "./a-fund";
import { acting, aLender } from "./a-lender";

let fund: Fund;
beforeEach(async () => {
  fund = await aFund();
});
afterEach(() => fund.close());

const fees = () => fund.world.db.source.getRepository(ServicingFee).find({ order: { period: "ASC" } });
const balanceOf = async (name: string): Promise<bigint> => {
  const [row] = await fund.world.db.source.query(
    "SELECT credits_posted - debits_posted AS balance FROM ledger_account WHERE name = $1",
    [name],
  );
  return BigInt(row?.balance ?? 0);
};

test("each month that has ended is charged on the dollars that were outstanding, as a debt of the facility", async () => {
  const { clock } = fund.world;
  const facility = await fund.facility({ servicingFeePpm: 12_000n });
  await fund.draw(facility, usd(365));
  clock.moveTo("2026-04-01T00:00:00Z");
  expect(await fund.funding.chargeServicing()).toBe(1);
  clock.moveTo("2026-06-15T00:00:00Z");
  expect(await fund.funding.chargeServicing()).toBe(2);
  // 21.5 of 31 days from 10 March at noon, then whole months; 0.012 USD a day.
  expect((await fees()).map(({ period, amountNanoUsd }) => [period, amountNanoUsd])).toEqual([
    ["2026-03", 258_000_000n],
    ["2026-04", 360_000_000n],
    ["2026-05", 372_000_000n],
  ]);
  expect(await balanceOf(`facility:${facility.id}:fees`)).toBe(-usd(0.99));
  expect(await balanceOf("revenue:servicing")).toBe(usd(0.99));
  const [row] = await fund.world.db.source.query(
    "SELECT booked_at FROM transfer WHERE code = 'SERVICING_FEE' ORDER BY seq",
  );
  expect(row.booked_at).toEqual(new Date("2026-04-01T00:00:00Z"));
});

test("however many workers charge at once, a month is charged once", async () => {
  await fund.draw(await fund.facility({ servicingFeePpm: 10_000n }), usd(100));
  await fund.draw(await fund.facility({ servicingFeePpm: 20_000n }), usd(100));
  fund.world.clock.moveTo("2026-05-01T00:00:00Z");
  const charged = await Promise.all(Array.from({ length: 4 }, () => fund.funding.chargeServicing()));
  expect(charged.reduce((sum, count) => sum + count)).toBe(4);
  expect(await fund.funding.chargeServicing()).toBe(0);
  const [{ count }] = await fund.world.db.source.query(
    "SELECT count(*)::int AS count FROM transfer WHERE code = 'SERVICING_FEE'",
  );
  expect(count).toBe(4);
});

test("a facility without a fee, or without a dollar drawn, owes nothing", async () => {
  await fund.draw(await fund.facility(), usd(100));
  await fund.facility({ servicingFeePpm: 10_000n });
  fund.world.clock.moveTo("2026-04-02T00:00:00Z");
  await fund.funding.chargeServicing();
  expect((await fees()).map(({ amountNanoUsd, transferId }) => [amountNanoUsd, transferId])).toEqual([[0n, null]]);
  expect(await balanceOf("revenue:servicing")).toBe(0n);
});

test("a month whose successor's books are closed is charged in the first one that is open", async () => {
  const { clock, db } = fund.world;
  await fund.draw(await fund.facility({ servicingFeePpm: 10_000n }), usd(100));
  await db.source.query("INSERT INTO accounting_period (period, closed_at) VALUES ('2026-04', now())");
  clock.moveTo("2026-06-02T00:00:00Z");
  expect(await fund.funding.chargeServicing()).toBe(3);
  const rows = await db.source.query("SELECT DISTINCT booked_at FROM transfer WHERE code = 'SERVICING_FEE' ORDER BY 1");
  expect(rows.map(({ booked_at }: { booked_at: Date }) => booked_at.toISOString().slice(0, 10))).toEqual([
    "2026-05-01",
    "2026-06-01",
  ]);
});

test("dollars that the lender took back after a default are serviced no longer", async () => {
  const { clock } = fund.world;
  const lender = await aLender(fund.world);
  const facility = await fund.facility({ servicingFeePpm: 12_000n });
  const { lot } = await fund.draw(facility, usd(365));
  clock.moveTo("2026-04-01T00:00:00Z");
  const block = await lender.block({ startupId: lot.startupId }, { reason: "DEFAULT" });
  await lender.assign(block.id);
  clock.moveTo("2026-05-01T00:00:00Z");
  await fund.funding.chargeServicing();
  expect((await fees()).map(({ amountNanoUsd }) => amountNanoUsd)).toEqual([258_000_000n, 0n]);
});

test("the lender sees what it was charged, and no other does", async () => {
  const facility = await fund.facility({ servicingFeePpm: 12_000n });
  await fund.draw(facility, usd(365));
  fund.world.clock.moveTo("2026-04-01T00:00:00Z");
  await fund.funding.chargeServicing();
  const seen = (viewer: Fund["partner"]) =>
    acting(viewer, () => fund.funding.exposure.servicingFeesByFacilityIds([facility.id]));
  expect((await seen(fund.partner)).map(({ amountNanoUsd }) => amountNanoUsd)).toEqual([258_000_000n]);
  expect(await seen(fund.rival)).toEqual([]);
});
