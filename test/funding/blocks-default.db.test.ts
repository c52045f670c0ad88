/** After a default the credit is the lender's, with the dollars behind it; nothing is lent beside a block; a crash leaves no half of one. */
import { LedgerAccount } from "../../entities/ledger-account";
import type { DomainError } from "../../src/platform/errors";
import { faultsInTheBooks } from "../ledger/books";
import { Lessee } from "../metering/lessee";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { acting, aLender, type Lender } from "./a-lender";

const PRICE = 937_500n;

let database: TestDatabase;
let world: MoneyWorld;
let lender: Lender;
let relay: Lessee;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  lender = await aLender(world);
});
beforeEach(() => {
  relay = new Lessee(world);
});
afterEach(async () => {
  await relay.metering.drain();
  expect(await faultsInTheBooks(world.db)).toEqual([]);
});
afterAll(async () => {
  await world?.close();
  await database?.drop();
});

const balance = (startupId: string) => world.ledger.balance(startupId);
const refusal = (work: Promise<unknown>): Promise<DomainError> =>
  work.then(
    () => Promise.reject(new Error("was not refused")),
    (error: DomainError) => error,
  );
/** What an account that is credited has, by its name. */
async function amountIn(name: string): Promise<bigint> {
  const account = await world.db.source.getRepository(LedgerAccount).findOneBy({ name });
  return account === null ? 0n : account.creditsPosted - account.debitsPosted;
}
const principal = () => amountIn(`partner:${world.partnerId}:principal`);

describe("assigning a defaulted startup's credit", () => {
  it("moves all that is left to the lender, and its dollars to the principal, rounded down once; what is held follows", async () => {
    const [startupId, facilityId] = [await world.startup(), await world.facility(1_500_000n)];
    const lots = [];
    for (const fundedNanoUsd of [3_000_001n, 2_000_003n])
      lots.push(await world.lot({ startupId, facilityId, fundedNanoUsd }));
    const issued = lots.reduce((sum, lot) => sum + lot.creditNanoCredit, 0n);
    const part = await lender.block({ lotId: lots[1]!.lotId }, { amount: 1_000_001n });
    // Two thirds of a nano-dollar are left over each time: rounded down twice, one would be missing.
    const [charged, voided] = [await relay.hold(startupId, PRICE), await relay.hold(startupId, 1_000_000n)];
    const block = await lender.block({ startupId }, { reason: "DEFAULT" });
    const [before, backing] = [await principal(), (await world.ledger.facilityBalances([facilityId])).get(facilityId)!];

    expect(await lender.assign(block.id)).toMatchObject({ state: "ASSIGNED", endedAt: world.clock.now() });
    const held = PRICE + 1_000_000n;
    expect(await balance(startupId)).toMatchObject({
      availableNanoCredit: 0n,
      blockedNanoCredit: 0n,
      heldNanoCredit: held,
      assignedNanoCredit: issued - held,
    });
    expect(await lender.assign(block.id).catch((error: DomainError) => error.code)).toBe("STATE_CONFLICT");

    await relay.settle(charged);
    await relay.release(voided);
    expect(await lender.blocks.finish()).toBeGreaterThan(0);
    expect(await balance(startupId)).toMatchObject({
      availableNanoCredit: 0n,
      blockedNanoCredit: 0n,
      heldNanoCredit: 0n,
      spentNanoCredit: PRICE,
      assignedNanoCredit: issued - PRICE,
    });
    // However often it was done, the dollars are those of the sum: the first lot paid the charge.
    const left = [lots[0]!.creditNanoCredit - PRICE, lots[1]!.creditNanoCredit];
    const dollars = left.map((credit) => (credit * 1_000_000n) / 1_500_000n);
    expect((await principal()) - before).toBe(dollars[0]! + dollars[1]!);
    const after = (await world.ledger.facilityBalances([facilityId])).get(facilityId)!;
    expect(backing.backingNanoUsd - after.backingNanoUsd).toBe(
      dollars[0]! + dollars[1]! + (PRICE * 1_000_000n) / 1_500_000n,
    );
    expect((await lender.blocks.figures([block.id])).get(block.id)).toEqual({
      lots: 2,
      blockedNanoCredit: 0n,
      assignedNanoCredit: issued - PRICE,
      assignedBackingNanoUsd: dollars[0]! + dollars[1]!,
    });
    // The part that was blocked beside it has nothing left to restore.
    await lender.lift(part.id);
    expect((await balance(startupId)).availableNanoCredit).toBe(0n);
    expect(await lender.blocks.finish()).toBe(0);
  });

  it("is for a whole, standing block for DEFAULT only, and once per key", async () => {
    const [startupId, facilityId] = [await world.startup(), await world.facility()];
    await world.lot({ startupId, facilityId, fundedNanoUsd: 4_000n });
    const risk = await lender.block({ startupId });
    expect(await refusal(lender.assign(risk.id))).toMatchObject({ code: "STATE_CONFLICT" });
    const part = await lender.block({ startupId }, { reason: "DEFAULT", amount: 10n });
    expect(await refusal(lender.assign(part.id))).toMatchObject({ code: "STATE_CONFLICT" });
    const whole = await lender.block({ startupId }, { reason: "DEFAULT" });
    await lender.lift(whole.id);
    expect(await refusal(lender.assign(whole.id))).toMatchObject({ code: "STATE_CONFLICT" });
    const again = await lender.block({ startupId }, { reason: "DEFAULT" });
    const key = `assign-${startupId}`;
    const answers = await Promise.all([1, 2, 3].map(() => lender.assign(again.id, lender.partner, key)));
    expect(answers.map(({ state }) => state)).toEqual(["ASSIGNED", "ASSIGNED", "ASSIGNED"]);
    expect((await balance(startupId)).assignedNanoCredit).toBe(5_000n);
    expect((await refusal(lender.lift(again.id))).code).toBe("STATE_CONFLICT");
  });
});

describe("a process that dies while it places a block", () => {
  it("leaves the credit frozen, and the worker finishes what it began, in its time and once", async () => {
    const startupId = await world.startupWith(1_000n * PRICE);
    await relay.borrow(startupId, PRICE);
    const inFlight = await relay.hold(startupId, PRICE);
    const killed = await aLender(world, { recall: () => Promise.reject(new Error("killed")) });
    await expect(killed.block({ startupId })).rejects.toThrow("killed");
    const [block] = (await lender.blocks.page(lender.partner, {}, { startupId })).rows;
    expect(block).toMatchObject({ state: "PLACING", effectiveAt: null, latencyMs: null });
    expect((await balance(startupId)).availableNanoCredit).toBe(0n);
    const other = new Lessee(world);
    expect((await refusal(other.hold(startupId, 1n))).code).toBe("INSUFFICIENT_CREDITS");
    // Whoever placed it may still be at it.
    expect(await lender.blocks.finish()).toBe(0);
    world.clock.advanceMs(20_000);
    expect(await lender.blocks.finish()).toBe(1);
    const [active] = (await lender.blocks.page(lender.partner, {}, { startupId })).rows;
    expect(active).toMatchObject({ state: "ACTIVE", effectiveAt: world.clock.now(), latencyMs: 20_000 });
    expect((await refusal(relay.hold(startupId, 1n))).code).toBe("INSUFFICIENT_CREDITS");
    expect((await relay.settle(inFlight)).chargedNanoCredit).toBe(PRICE);
    expect(await lender.blocks.finish()).toBe(0);
    await other.metering.drain();
  });

  it("may be asked again with the same key, which goes on where it stopped", async () => {
    const startupId = await world.startupWith(1_000n * PRICE);
    await relay.borrow(startupId, PRICE);
    const killed = await aLender(world, { recall: () => Promise.reject(new Error("killed")) });
    const key = `again-${startupId}`;
    await expect(killed.block({ startupId }, { key, amount: 999n * PRICE })).rejects.toThrow("killed");
    const block = await lender.block({ startupId }, { key, amount: 999n * PRICE });
    expect(block).toMatchObject({ state: "ACTIVE", amountNanoCredit: 999n * PRICE });
    expect(await balance(startupId)).toMatchObject({
      availableNanoCredit: PRICE,
      blockedNanoCredit: 999n * PRICE,
      heldNanoCredit: 0n,
    });
  });

  it("may be lifted before it took effect: then it never does", async () => {
    const startupId = await world.startupWith(1_000n * PRICE);
    const killed = await aLender(world, { recall: () => Promise.reject(new Error("killed")) });
    await expect(killed.block({ startupId })).rejects.toThrow("killed");
    const [block] = (await lender.blocks.page(lender.partner, {}, { startupId })).rows;
    expect((await lender.lift(block!.id)).state).toBe("LIFTED");
    world.clock.advanceMs(20_000);
    expect(await lender.blocks.finish()).toBe(0);
    expect((await balance(startupId)).availableNanoCredit).toBe(1_000n * PRICE);
  });

  it("says that it is PLACING while a process that lives gives nothing back", async () => {
    const startupId = await world.startupWith(1_000n * PRICE);
    const stuck = await aLender(world, { recall: () => Promise.resolve({ outstanding: 1 }) });
    const block = await stuck.block({ startupId });
    expect(block).toMatchObject({ state: "PLACING", effectiveAt: null });
    world.clock.advanceMs(20_000);
    expect(await lender.blocks.finish()).toBe(1);
    expect(await lender.blocks.byIds([block.id])).toMatchObject([{ state: "ACTIVE" }]);
  });
});

describe("PostgreSQL alone", () => {
  it("lets a tenant block, lift and assign nothing that is not a block of its own on lots of its own", async () => {
    const [startupId, facilityId] = [await world.startup(), await world.facility()];
    await world.lot({ startupId, facilityId, fundedNanoUsd: 4_000n });
    const block = await lender.block({ startupId }, { reason: "DEFAULT" });
    const query = (text: string, values: unknown[]) => world.db.source.query(text, values);
    const refused = { code: "42501" };
    const { stranger } = lender;
    const forged = `INSERT INTO block (id, scope, capital_partner_id, facility_id, startup_id, reason, state, placed_by_id, placed_at, version)
                    VALUES ($1, $2, $3, $4, $5, 'DEFAULT', 'PLACING', $3, now(), 1)`;
    const own = stranger.organisationId;
    await acting(stranger, async () => {
      for (const text of [
        "SELECT ledger_place_block($1, now(), 0)",
        "SELECT ledger_settle_block($1, now(), 0)",
        "SELECT ledger_lift_block($1, $1, now())",
        "SELECT ledger_assign_block($1, $1, now())",
      ]) {
        await expect(query(text, [block.id])).rejects.toMatchObject(refused);
      }
      for (const text of ["SELECT block_take($1, 5, now())", "SELECT block_thaw($1)", "SELECT block_freeze($1)"]) {
        await expect(query(text, [block.id])).rejects.toMatchObject(refused);
      }
      await expect(query("SELECT ledger_block_against($1, $2)", [facilityId, startupId])).rejects.toMatchObject(
        refused,
      );
      // Of one's own name, on a facility of another's.
      const [id, wallet] = ["019f0000-0000-7000-8000-000000000001", "019f0000-0000-7000-8000-000000000002"];
      await query(forged, [id, "FACILITY", own, facilityId, null]);
      await expect(query("SELECT ledger_place_block($1, now(), 0)", [id])).rejects.toMatchObject(refused);
      // A wallet is blocked as far as one lent to it: not at all.
      await query(forged, [wallet, "WALLET", own, null, startupId]);
      await query("SELECT ledger_place_block($1, now(), 0)", [wallet]);
      await expect(
        query(forged, ["019f0000-0000-7000-8000-000000000003", "WALLET", null, null, startupId]),
      ).rejects.toMatchObject(refused);
      await expect(query("UPDATE block SET state = 'LIFTED'", [])).rejects.toMatchObject(refused);
      await expect(query("UPDATE block_lot SET blocked_nano_credit = 5", [])).rejects.toMatchObject(refused);
    });
    expect(
      await query("SELECT frozen FROM ledger_account WHERE kind = 'WALLET_LOT' AND facility_id = $1", [facilityId]),
    ).toEqual([{ frozen: 1 }]);
    await query("DELETE FROM block_lot WHERE block_id IN (SELECT id FROM block WHERE placed_by_id = $1)", [own]);
    await query("DELETE FROM block WHERE placed_by_id = $1", [own]);
  });
});
