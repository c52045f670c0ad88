/** Terms and covenants on PostgreSQL: what a fee takes, what is refused with which figures, how a facility ends. */
import { formatNano } from "../../src/money/nano";
import { refusal } from "../accounts/a-world";
import { aFund, type Fund, usd } from "./a-fund";
import { acting } from "./a-lender";

let fund: Fund;
beforeAll(async () => {
  fund = await aFund();
});
afterAll(() => fund.close());

const balances = async (names: readonly string[]): Promise<string[]> => {
  const rows: { name: string; balance: string }[] = await fund.world.db.source.query(
    "SELECT name, credits_posted - debits_posted AS balance FROM ledger_account WHERE name = ANY ($1)",
    [names],
  );
  return names.map((name) => formatNano(BigInt(rows.find((row) => row.name === name)?.balance ?? 0n)));
};

test("the origination fee leaves the backing for revenue, and the lot's cost basis counts what is left", async () => {
  const facility = await fund.facility({ originationFeePpm: 20_000n, multiplierPpm: 1_400_000n });
  const { drawdown, lot } = await fund.draw(facility, usd(100));
  expect([drawdown.fundedNanoUsd, drawdown.originationFeeNanoUsd]).toEqual([usd(100), usd(2)]);
  expect(lot.issuedNanoCredit).toBe(usd(140));
  expect(await balances([`facility:${facility.id}:backing`, "revenue:origination"])).toEqual(["98", "2"]);
  const [account] = await fund.world.db.source.query("SELECT multiplier_ppm FROM ledger_account WHERE id = $1", [
    lot.accountId,
  ]);
  // 140 / 98, rounded up.
  expect(account.multiplier_ppm).toBe("1428572");
});

test("spending a whole lot releases what stood behind it and no more, fee or not", async () => {
  const facility = await fund.facility({ originationFeePpm: 30_000n, multiplierPpm: 1_300_000n });
  const { lot } = await fund.draw(facility, 1_000_003n);
  for (const part of [7n, 333_333n, lot.issuedNanoCredit - 333_340n]) await fund.spend(lot.startupId, part);
  const { backingNanoUsd, spentNanoCredit } = (await fund.world.ledger.facilityBalances([facility.id])).get(
    facility.id,
  )!;
  expect(spentNanoCredit).toBe(lot.issuedNanoCredit);
  // Three roundings, and the millionth that the basis is rounded to.
  expect(backingNanoUsd >= 0n && backingNanoUsd <= 4n).toBe(true);
});

test("issuance that its dollars would not cover is refused with the figures, and nothing of it stays", async () => {
  const covered = await fund.facility({ multiplierPpm: 1_500_000n });
  expect(await refusal(fund.draw(covered, usd(100)))).toBe("nothing");
  const thin = await fund.facility({ multiplierPpm: 1_500_000n, originationFeePpm: 30_000n });
  const startupId = await fund.world.startup();
  await expect(fund.draw(thin, usd(100), { startupId })).rejects.toMatchObject({
    code: "COVERAGE_BELOW_FLOOR",
    message: expect.stringContaining("a coverage of 0.987556, below the floor of 1"),
    details: expect.objectContaining({ coveragePpm: "987556", fittingNanoUsd: "0", coveredMultiplierPpm: "1481334" }),
  });
  expect((await fund.world.ledger.balance(startupId)).issuedNanoCredit).toBe(0n);
  expect((await fund.funding.facilitiesByIds([thin.id]))[0]?.drawnNanoUsd).toBe(0n);
});

test("a floor that the partner set higher is the one that counts", async () => {
  const careful = await fund.facility({ multiplierPpm: 1_350_000n, coverageFloorPpm: 1_140_000n });
  await expect(fund.draw(careful, usd(100))).rejects.toMatchObject({
    code: "COVERAGE_BELOW_FLOOR",
    details: expect.objectContaining({ coveragePpm: "1131221", floorPpm: "1140000" }),
  });
});

test("one startup gets its share of the limit, parallel draws included", async () => {
  const facility = await fund.facility({ startupLimitPpm: 250_000n });
  const startupId = await fund.world.startup();
  const ends = await Promise.all(Array.from({ length: 8 }, () => refusal(fund.draw(facility, usd(50), { startupId }))));
  expect(ends.filter((end) => end === "nothing")).toHaveLength(5);
  expect(ends.filter((end) => end === "COVENANT_BREACHED amount")).toHaveLength(3);
  expect(await refusal(fund.draw(facility, usd(250)))).toBe("nothing");
});

test("a lot carries what its drawdown says of its use, into the ledger too", async () => {
  const { clock, db } = fund.world;
  const facility = await fund.facility({ tenorDays: 90 });
  const plain = await fund.draw(facility, usd(1));
  expect(plain.lot).toMatchObject({ priority: 100, accelerators: null, workloads: null });
  expect(plain.lot.expiresAt?.getTime()).toBe(clock.nowMs() + 90 * 86_400_000);
  const expiresAt = new Date(clock.nowMs() + 86_400_000);
  const conditions = {
    priority: 7,
    expiresAt,
    accelerators: ["H200", "H100", "H100"],
    workloads: ["INFERENCE" as const],
  };
  const { lot } = await fund.draw(facility, usd(1), conditions);
  const [account] = await db.source.query(
    "SELECT priority, expires_at, accelerators, workloads FROM ledger_account WHERE id = $1",
    [lot.accountId],
  );
  expect(account).toEqual({
    priority: 7,
    expires_at: expiresAt,
    accelerators: ["H100", "H200"],
    workloads: ["INFERENCE"],
  });
  expect((await fund.funding.lotsByIds([lot.id]))[0]).toEqual(lot);
});

test("conditions that nothing could meet are refused", async () => {
  const facility = await fund.facility({ tenorDays: 10 });
  const draw = (options: object) => refusal(fund.draw(facility, usd(1), options));
  const { clock } = fund.world;
  expect(await draw({ accelerators: ["H100", "ABACUS"] })).toBe("BAD_USER_INPUT accelerators");
  expect(await draw({ accelerators: [] })).toBe("BAD_USER_INPUT accelerators");
  expect(await draw({ workloads: ["MINING"] })).toBe("BAD_USER_INPUT workloads.0");
  expect(await draw({ priority: 1_001 })).toBe("BAD_USER_INPUT priority");
  expect(await draw({ expiresAt: clock.now() })).toBe("BAD_USER_INPUT expiresAt");
  expect(await draw({ expiresAt: new Date(clock.nowMs() + 11 * 86_400_000) })).toBe("BAD_USER_INPUT expiresAt");
});

test("a key that comes again with other conditions is refused, with the same ones it answers the same lot", async () => {
  const facility = await fund.facility();
  const startupId = await fund.world.startup();
  const draw = (priority: number) =>
    acting(fund.partner, () =>
      fund.funding.draw(
        fund.partner,
        { facilityId: facility.id, startupId, amountNanoUsd: usd(1), priority },
        "the-key",
      ),
    );
  const { lot } = await draw(3);
  expect((await draw(3)).lot).toEqual(lot);
  expect(await refusal(draw(4))).toBe("IDEMPOTENCY_KEY_REUSED key");
});

test("a closed facility gives nothing more, keeps what it gave, and stays closed", async () => {
  const { funding, partner, rival } = fund;
  const facility = await fund.facility();
  const { lot } = await fund.draw(facility, usd(10));
  const close = (by = partner, version?: number) => acting(by, () => funding.closeFacility(by, facility.id, version));
  expect(await refusal(close(rival))).toBe("NOT_FOUND id");
  expect(await refusal(close(partner, 1))).toBe("VERSION_CONFLICT expectedVersion");
  const closed = await close(partner, 2);
  expect([closed.state, closed.closedAt, closed.version]).toEqual(["CLOSED", fund.world.clock.now(), 3]);
  expect(await refusal(fund.draw(facility, usd(10)))).toBe("STATE_CONFLICT");
  expect(await refusal(close())).toBe("STATE_CONFLICT");
  await fund.spend(lot.startupId, usd(1));
  expect((await fund.world.ledger.balance(lot.startupId)).spentNanoCredit).toBe(usd(1));
});

test("the limit goes up and down, but not below what was drawn, nor for anybody else", async () => {
  const { funding, partner, rival } = fund;
  const facility = await fund.facility();
  await fund.draw(facility, usd(100));
  const change = (limit: number, by = partner) =>
    acting(by, () => funding.changeLimit(by, { id: facility.id, limitNanoUsd: usd(limit) }));
  expect(await refusal(change(99.99))).toBe("FACILITY_LIMIT_EXCEEDED limit");
  expect(await refusal(change(500, rival))).toBe("NOT_FOUND id");
  expect((await change(100)).limitNanoUsd).toBe(usd(100));
  expect(await refusal(fund.draw(facility, usd(1)))).toBe("FACILITY_LIMIT_EXCEEDED amount");
  expect(await refusal(change(2_000))).toBe("nothing");
  expect(await refusal(fund.draw(facility, usd(1_900)))).toBe("nothing");
  const [trail] = await fund.world.db.source.query(
    "SELECT change FROM audit_event WHERE subject_id = $1 AND action = 'facility.change-limit' ORDER BY id DESC LIMIT 1",
    [facility.id],
  );
  expect(trail.change).toEqual({ limitNanoUsd: { from: usd(100).toString(), to: usd(2_000).toString() } });
});

test("lots that are about to expire can be listed before they do", async () => {
  const { clock } = fund.world;
  const facility = await fund.facility({ tenorDays: 100 });
  const inDays = (days: number) => new Date(clock.nowMs() + days * 86_400_000);
  const soon = await fund.draw(facility, usd(1), { expiresAt: inDays(5) });
  const later = await fund.draw(facility, usd(1), { expiresAt: inDays(20) });
  const listed = async (before: Date) =>
    (await fund.funding.lots(fund.partner, {}, { facilityId: facility.id, expiringBefore: before })).rows.map(
      ({ id }) => id,
    );
  expect(await listed(inDays(5))).toEqual([]);
  expect(await listed(inDays(6))).toEqual([soon.lot.id]);
  expect(await listed(inDays(50))).toEqual([later.lot.id, soon.lot.id]);
});
