/** Nothing is lent past a block: not from a blocked facility, not into a blocked wallet, not at the very same time. */
import type { Viewer } from "../../src/accounts/viewer";
import type { DomainError } from "../../src/platform/errors";
import { aFund, type Fund, usd } from "./a-fund";
import { aLender, type Lender } from "./a-lender";

let fund: Fund;
let lender: Lender;
let official: Viewer;

beforeAll(async () => {
  fund = await aFund();
  lender = await aLender(fund.world);
  official = fund.operator;
});
afterAll(() => fund?.close());

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "DRAWN",
    (error: DomainError) => error.code,
  );

test("a facility that is blocked lends nothing until the block is lifted", async () => {
  const facility = await fund.facility();
  const { lot } = await fund.draw(facility, usd(10));
  const block = await lender.block({ facilityId: facility.id });
  expect(await codeOf(fund.draw(facility, usd(10)))).toBe("STATE_CONFLICT");
  expect(await codeOf(fund.draw(await fund.facility(), usd(10)))).toBe("DRAWN");
  await lender.lift(block.id);
  expect(await codeOf(fund.draw(facility, usd(10)))).toBe("DRAWN");
  // A lot or a part that is blocked says nothing about what else is lent.
  await lender.block({ lotId: lot.id });
  await lender.block({ facilityId: facility.id }, { amount: 5n });
  expect(await codeOf(fund.draw(facility, usd(10)))).toBe("DRAWN");
});

test("a wallet that is blocked is lent nothing more by whoever blocked it, and by nobody when an operator did", async () => {
  const [facility, startupId] = [await fund.facility(), await fund.world.startup()];
  await fund.draw(facility, usd(10), { startupId });
  const own = await lender.block({ startupId });
  expect(await codeOf(fund.draw(facility, usd(10), { startupId }))).toBe("STATE_CONFLICT");
  expect(await codeOf(fund.draw(await fund.facility(), usd(10), { startupId }))).toBe("STATE_CONFLICT");
  expect(await codeOf(fund.draw(facility, usd(10)))).toBe("DRAWN");
  await fund.world.db.source.query("UPDATE block SET capital_partner_id = $1 WHERE id = $2", [
    fund.rival.organisationId,
    own.id,
  ]);
  expect(await codeOf(fund.draw(facility, usd(10), { startupId }))).toBe("DRAWN");
  const all = await lender.block({ startupId }, { by: official });
  expect(await codeOf(fund.draw(facility, usd(10), { startupId }))).toBe("STATE_CONFLICT");
  await lender.lift(all.id, official);
  expect(await codeOf(fund.draw(facility, usd(10), { startupId }))).toBe("DRAWN");
});

test("of drawdowns that race with a block, each is refused or its lot is frozen", async () => {
  for (let round = 0; round < 5; round++) {
    const [facility, startupId] = [await fund.facility(), await fund.world.startup()];
    await fund.draw(facility, usd(1), { startupId });
    const draws = [1, 2, 3, 4, 5, 6].map(() => codeOf(fund.draw(facility, usd(1), { startupId })));
    const [target] = [round % 2 === 0 ? { facilityId: facility.id } : { startupId }];
    const block = await lender.block(target);
    const codes = await Promise.all(draws);
    expect(block.state).toBe("ACTIVE");
    const lots: { frozen: number }[] = await fund.world.db.source.query(
      "SELECT frozen FROM ledger_account WHERE kind = 'WALLET_LOT' AND organisation_id = $1",
      [startupId],
    );
    expect(lots).toHaveLength(1 + codes.filter((code) => code === "DRAWN").length);
    expect(lots.filter(({ frozen }) => frozen !== 1)).toEqual([]);
    expect(codes.filter((code) => code !== "DRAWN" && code !== "STATE_CONFLICT")).toEqual([]);
  }
});
