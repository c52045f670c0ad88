/** Facilities, drawdowns and lots on PostgreSQL and the real ledger: limits and keys under parallel use, sums after it. */
import type { Facility } from "../../entities/facility";
import type { Viewer } from "../../src/accounts/viewer";
import { Outbox } from "../../src/events/outbox";
import { Funding } from "../../src/funding/funding";
import { Ledger } from "../../src/ledger/ledger";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { openWorld, refusal, viewerOf, type World } from "../accounts/a-world";

let world: World;
let ledger: Ledger;
let funding: Funding;
let partner: Viewer;
let startup: Viewer;
let keys = 0;

beforeAll(async () => {
  world = await openWorld();
  const { db, clock, bus } = world;
  ledger = new Ledger({ db, clock });
  funding = new Funding({ db, ledger, bus, clock, outbox: new Outbox(db, bus, clock) });
  [partner, startup] = [await world.a("CAPITAL_PARTNER"), await world.a("STARTUP")];
});
afterAll(() => world.close());

const usd = (amount: number) => BigInt(amount) * NANO;
const aKey = () => `key-${++keys}`;
const aFacility = (limit = 700, as = partner): Promise<Facility> =>
  funding.openFacility(as, { name: "Series A", limitNanoUsd: usd(limit), multiplierPpm: 1_400_000n });
const draw = (facility: Facility, key = aKey(), amount = 100, by = partner, startupId = startup.organisationId) =>
  funding.draw(by, { facilityId: facility.id, startupId, amountNanoUsd: usd(amount) }, key);

/** Per ledger: debits and credits over all accounts, posted and pending, and what the transfers add up to. */
async function ledgerSums() {
  return world.db.source.query(`
    SELECT a.ledger, sum(a.debits_posted) AS debits, sum(a.credits_posted) AS credits,
           sum(a.debits_pending) - sum(a.credits_pending) AS pending,
           (SELECT sum(t.amount) FROM transfer t JOIN ledger_account d ON d.id = t.debit_account_id WHERE d.ledger = a.ledger) AS moved
      FROM ledger_account a GROUP BY a.ledger ORDER BY a.ledger`);
}

test("a drawdown becomes one lot of amount × multiplier, and the startup's balance grows by it", async () => {
  const facility = await aFacility();
  const poor = await world.a("STARTUP");
  const heard = await world.published("balance.changed", async () => {
    const { drawdown, lot } = await draw(facility, aKey(), 100, partner, poor.organisationId);
    expect(drawdown).toMatchObject({
      facilityId: facility.id,
      fundedNanoUsd: usd(100),
      startupId: poor.organisationId,
    });
    expect(lot).toMatchObject({ drawdownId: drawdown.id, issuedNanoCredit: usd(140), multiplierPpm: 1_400_000n });
    expect((await ledger.lotBalances([lot.accountId])).get(lot.accountId)?.availableNanoCredit).toBe(usd(140));
    expect(await funding.lotsByIds([lot.id, "junk"])).toEqual([expect.objectContaining(lot)]);
  });
  expect(heard).toBe(1);
  expect(await ledger.balance(poor.organisationId)).toMatchObject({ issuedNanoCredit: usd(140), heldNanoCredit: 0n });
  expect((await ledger.facilityBalances([facility.id])).get(facility.id)).toMatchObject({
    fundedNanoUsd: usd(100),
    backingNanoUsd: usd(100),
    issuedNanoCredit: usd(140),
  });
});

test("twenty parallel draws on a limit that fits seven draw exactly seven", async () => {
  const facility = await aFacility(750);
  const ends = await Promise.all(Array.from({ length: 20 }, () => refusal(draw(facility))));
  expect(ends.filter((end) => end === "nothing")).toHaveLength(7);
  expect(ends.filter((end) => end === "FACILITY_LIMIT_EXCEEDED amount")).toHaveLength(13);
  const [after] = await funding.facilitiesByIds([facility.id]);
  expect([after?.drawnNanoUsd, after?.version]).toEqual([usd(700), 8]);
  expect((await funding.lots(partner, {}, { facilityId: facility.id })).rows).toHaveLength(7);
  expect(await refusal(draw(facility, aKey(), 51))).toBe("FACILITY_LIMIT_EXCEEDED amount");
  expect(await refusal(draw(facility, aKey(), 50))).toBe("nothing");
});

test("the same key in parallel draws once, and all get the same drawdown and lot", async () => {
  const facility = await aFacility();
  const key = aKey();
  let results: Awaited<ReturnType<typeof draw>>[] = [];
  const heard = await world.published("balance.changed", async () => {
    results = await world.atOnce(
      "drawdown",
      Array.from({ length: 8 }, () => () => draw(facility, key)),
    );
  });
  expect(new Set(results.map(({ drawdown, lot }) => `${drawdown.id} ${lot.id}`)).size).toBe(1);
  expect(results.every(({ lot }) => lot.issuedNanoCredit === usd(140))).toBe(true);
  expect(heard).toBe(1);
  expect((await funding.facilitiesByIds([facility.id]))[0]?.drawnNanoUsd).toBe(usd(100));
});

test("a key that came with another input is refused, and another organisation may use the same key", async () => {
  const facility = await aFacility();
  const key = aKey();
  await draw(facility, key);
  expect(await refusal(draw(facility, key, 101))).toBe("IDEMPOTENCY_KEY_REUSED key");
  expect(await refusal(draw(await aFacility(), key))).toBe("IDEMPOTENCY_KEY_REUSED key");
  expect(await refusal(draw(facility, key, 100, world.operator))).toBe("nothing");
});

test("a draw that was refused does not use up its key", async () => {
  const facility = await aFacility(100);
  const key = aKey();
  expect(await refusal(draw(facility, key, 101))).toBe("FACILITY_LIMIT_EXCEEDED amount");
  expect(await refusal(draw(facility, key, 100))).toBe("nothing");
  expect(await refusal(draw(facility, key, 100))).toBe("nothing");
});

test("who may draw what for whom", async () => {
  const facility = await aFacility();
  const rival = await world.a("CAPITAL_PARTNER");
  const refusals = await Promise.all([
    refusal(funding.draw(null, { facilityId: facility.id, startupId: startup.organisationId, amountNanoUsd: 1n }, "k")),
    refusal(draw(facility, aKey(), 1, startup)),
    refusal(draw(facility, aKey(), 1, rival)),
    refusal(draw(facility, aKey(), 1, viewerOf("CAPITAL_PARTNER", partner.organisationId, ["READ"]))),
    refusal(draw(facility, aKey(), 1, partner, rival.organisationId)),
    refusal(draw(facility, aKey(), 1, partner, newId())),
    refusal(draw({ ...facility, id: newId() })),
    refusal(draw(facility, "")),
    refusal(draw(facility, "a key")),
    refusal(draw(facility, aKey(), 0)),
  ]);
  expect(refusals).toEqual([
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND facilityId",
    "FORBIDDEN",
    "NOT_FOUND startupId",
    "NOT_FOUND startupId",
    "NOT_FOUND facilityId",
    "IDEMPOTENCY_KEY_REQUIRED",
    "BAD_USER_INPUT key",
    "BAD_USER_INPUT amount",
  ]);
  await world.db.source.query("UPDATE facility SET state = 'CLOSED' WHERE id = $1", [facility.id]);
  expect(await refusal(draw(facility))).toBe("STATE_CONFLICT");
});

test("facilities are opened by capital partners for themselves or by an operator for one", async () => {
  const open = (as: Viewer, changes: object = {}) =>
    refusal(funding.openFacility(as, { name: "F", limitNanoUsd: usd(1), multiplierPpm: 1_300_000n, ...changes }));
  expect(await open(startup)).toBe("FORBIDDEN");
  expect(await open(world.operator)).toBe("BAD_USER_INPUT capitalPartnerId");
  expect(await open(world.operator, { capitalPartnerId: startup.organisationId })).toBe("NOT_FOUND capitalPartnerId");
  expect(await open(world.operator, { capitalPartnerId: partner.organisationId })).toBe("nothing");
  expect(await open(partner, { multiplierPpm: 1_600_000n })).toBe("MULTIPLIER_OUT_OF_BOUNDS multiplier");
  expect(await open(partner, { limitNanoUsd: 0n })).toBe("BAD_USER_INPUT limit");
  expect(await open(partner, { name: "" })).toBe("BAD_USER_INPUT name");
});

test("a startup sees its lots, a capital partner those of its facilities, an operator all, a provider none", async () => {
  const [rival, other] = [await world.a("CAPITAL_PARTNER"), await world.a("STARTUP")];
  const theirs = await aFacility(700, rival);
  const { lot } = await draw(theirs, aKey(), 10, rival, other.organisationId);
  const lots = async (...question: Parameters<Funding["lots"]>) =>
    (await funding.lots(...question)).rows.map(({ id }) => id);
  expect(await lots(other, {})).toEqual([lot.id]);
  expect(await lots(rival, {}, { startupId: other.organisationId })).toEqual([lot.id]);
  expect(await lots(partner, {}, { startupId: other.organisationId })).toEqual([]);
  expect(await lots(partner, {}, { facilityId: theirs.id })).toEqual([]);
  expect(await lots(startup, {}, { facilityId: theirs.id })).toEqual([]);
  expect(await lots(world.operator, {}, { facilityId: theirs.id })).toEqual([lot.id]);
  expect(await refusal(lots(startup, {}, { startupId: other.organisationId }))).toBe("NOT_FOUND");
  expect(await refusal(lots(await world.a("PROVIDER"), {}))).toBe("FORBIDDEN");
  expect((await funding.facilities(rival, {})).rows.map(({ id }) => id)).toEqual([theirs.id]);
  expect(await refusal(funding.facilities(rival, {}, { capitalPartnerId: partner.organisationId }))).toBe("NOT_FOUND");
  expect(await refusal(funding.facilities(startup, {}))).toBe("FORBIDDEN");
});

test("after all that, in each ledger debits equal credits and the transfers explain every counter", async () => {
  const sums = await ledgerSums();
  expect(sums.map((row: { ledger: string }) => row.ledger)).toEqual(["CRD", "USD"]);
  for (const row of sums) {
    expect(BigInt(row.debits)).toBeGreaterThan(0n);
    expect([row.credits, row.moved, row.pending]).toEqual([row.debits, row.debits, "0"]);
  }
  const [drawn] = await world.db.source.query(`
    SELECT (SELECT sum(drawn_nano_usd) FROM facility) AS drawn, (SELECT sum(funded_nano_usd) FROM drawdown) AS funded,
           (SELECT sum(credits_posted) FROM ledger_account WHERE kind = 'FACILITY_BACKING') AS backing`);
  expect([drawn.funded, drawn.backing]).toEqual([drawn.drawn, drawn.drawn]);
});
