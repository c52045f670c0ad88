/** Whatever is issued, held, captured, voided, expired or repeated, in whatever batches: the SQL agrees with a reference in memory. */
import fc from "fast-check";
import { mulDivHalfEven, PPM } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { countersByName, countOf, faultsInTheBooks } from "./books";
import {
  aHold,
  anIssue,
  aResolution,
  type HoldPlan,
  holdOf,
  MULTIPLIERS,
  type ResolutionPlan,
  resolutionOf,
  STARTUPS,
} from "./plans";
import { type HoldRequest, type HoldResolution, ReferenceBooks, type ReferenceFacility } from "./reference-books";

const PERIOD = "2026-03";

let database: TestDatabase;
let world: MoneyWorld;
let startups: string[];
let providers: string[];

interface Real {
  facilities: ReferenceFacility[];
  /** What the last batch was, for a repeat. */
  batch: { resolutions: HoldResolution[]; holds: HoldRequest[] };
}

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  startups = await Promise.all(Array.from({ length: STARTUPS }, () => world.startup()));
  providers = [world.providerId, await world.provider()];
});

afterAll(async () => {
  await world?.close();
  await database?.drop();
});

async function issue(model: ReferenceBooks, real: Real, startup: number, facilityIndex: number, fundedNanoUsd: bigint) {
  const [facility, startupId] = [real.facilities[facilityIndex]!, startups[startup]!];
  const lot = await world.lot({ startupId, facilityId: facility.id, fundedNanoUsd });
  expect(lot.creditNanoCredit).toBe(mulDivHalfEven(fundedNanoUsd, facility.multiplierPpm, PPM));
  const name = `wallet:${startupId}:lot:${lot.lotId}`;
  model.issue({ accountId: lot.accountId, name, startupId, facility, issued: lot.creditNanoCredit }, fundedNanoUsd);
}

async function commit({ resolutions, holds }: Real["batch"]) {
  const at = world.clock.now();
  const expiresAt = new Date(at.getTime() + 60_000);
  const settled = resolutions.map(({ charge, accrual, ...item }) => ({
    ...item,
    at,
    charge: `${charge}`,
    accrual: `${accrual}`,
    period: PERIOD,
  }));
  const usages = resolutions.map((_, index) => ({ ord: index + 1, ...aUsage }));
  const asked = holds.map((hold) => ({
    ...hold,
    amount: `${hold.amount}`,
    rateCardId: world.quote.card.id,
    placedAt: at,
    expiresAt,
  }));
  const values = [settled, usages, asked].map((items) => JSON.stringify(items));
  const rows = await world.db.query<{ answer: { resolutions: unknown; holds: unknown } }>(
    { name: "model-commit", text: "SELECT metering_commit($1, $2, $3) AS answer" },
    values,
  );
  return rows[0]!.answer;
}

const aUsage = {
  ...{
    apiKeyId: newId(),
    endpointId: newId(),
    offeringId: newId(),
    fixingId: newId(),
    model: "m",
    accelerator: "H100",
    region: "r",
  },
  ...{
    outcome: "COMPLETED",
    promptTokens: 1,
    completionTokens: 1,
    usageBounded: false,
    gpuNanos: "1",
    accrualSharePpm: "850000",
  },
  ...{ attempts: 1, streamed: true, ttftMs: null, durationMs: 1 },
};

/** Every counter that the reference knows, as the ledger should have it. */
function expectedCounters(model: ReferenceBooks, facilities: readonly ReferenceFacility[]) {
  const account = (creditsPosted: bigint, debitsPosted: bigint, debitsPending = 0n, creditsPending = 0n) => ({
    creditsPosted,
    debitsPosted,
    debitsPending,
    creditsPending,
  });
  const expected = new Map(model.lots.map((lot) => [lot.name, account(lot.issued, lot.spent, lot.held)]));
  let funded = 0n;
  for (const facility of facilities) {
    const lots = model.lots.filter((lot) => lot.facility === facility);
    const sum = (of: "issued" | "held" | "spent") => lots.reduce((total, lot) => total + lot[of], 0n);
    funded += facility.fundedNanoUsd;
    expected.set(`facility:${facility.id}:backing`, account(facility.fundedNanoUsd, facility.releasedNanoUsd));
    expected.set(`facility:${facility.id}:issuance`, account(0n, sum("issued")));
    expected.set(`facility:${facility.id}:redeemed`, account(sum("spent"), 0n, 0n, sum("held")));
  }
  expected.set("cash:trust", account(0n, funded));
  for (const [providerId, accrued] of model.accrued)
    if (accrued > 0n) expected.set(`payable:${providerId}:${PERIOD}`, account(accrued, 0n));
  return expected;
}

async function expectAgreement(model: ReferenceBooks, real: Real) {
  const counters = await countersByName(world.db);
  const revenue = counters.get("revenue:spread")!;
  expect(revenue.creditsPosted - revenue.debitsPosted).toBe(model.spread);
  counters.delete("revenue:spread");
  // A settlement that came too late may have opened its provider's account of the month and booked nothing on it.
  for (const [name, account] of counters)
    if (/^payable:/.test(name) && account.creditsPosted === 0n) counters.delete(name);
  expect(counters).toEqual(expectedCounters(model, real.facilities));
  const total = (prefix: RegExp, of: "creditsPosted" | "debitsPosted") =>
    [...counters].reduce((sum, [name, account]) => (prefix.test(name) ? sum + account[of] : sum), 0n);
  // What backing released is what providers earned and what the platform kept, to the nano.
  expect(total(/^payable:/, "creditsPosted") + model.spread).toBe(total(/:backing$/, "debitsPosted"));
}

class Issue implements fc.AsyncCommand<ReferenceBooks, Real> {
  constructor(
    readonly startup: number,
    readonly facility: number,
    readonly fundedNanoUsd: bigint,
  ) {}
  check = () => true;
  async run(model: ReferenceBooks, real: Real) {
    await issue(model, real, this.startup, this.facility, this.fundedNanoUsd);
    await expectAgreement(model, real);
  }
  toString = () => `issue(${this.startup}, ${this.facility}, ${this.fundedNanoUsd})`;
}

class Batch implements fc.AsyncCommand<ReferenceBooks, Real> {
  constructor(
    readonly resolutions: readonly ResolutionPlan[],
    readonly holds: readonly HoldPlan[],
  ) {}
  check = () => true;
  async run(model: ReferenceBooks, real: Real) {
    const resolutions = this.resolutions.map((plan) => resolutionOf(providers, model, plan));
    const expectedResolutions = model.resolve(resolutions);
    const holds: HoldRequest[] = [];
    for (const plan of this.holds) holds.push(holdOf(startups, model, holds, plan));
    const expectedHolds = model.place(holds);
    real.batch = { resolutions, holds };
    expect(await commit(real.batch)).toEqual({ resolutions: expectedResolutions, holds: expectedHolds });
    await expectAgreement(model, real);
  }
  toString = () => `batch(${fc.stringify(this.resolutions)}, ${fc.stringify(this.holds)})`;
}

class Repeat implements fc.AsyncCommand<ReferenceBooks, Real> {
  check = () => true;
  async run(model: ReferenceBooks, real: Real) {
    const [transfers, known] = [await countOf(world.db, "transfer"), model.holds.size];
    const expected = { resolutions: model.resolve(real.batch.resolutions), holds: model.place(real.batch.holds) };
    expect(await commit(real.batch)).toEqual(expected);
    // A hold that was refused for want of credit may fit since another lot was issued; nothing else may happen.
    if (model.holds.size === known) expect(await countOf(world.db, "transfer")).toBe(transfers);
    await expectAgreement(model, real);
  }
  toString = () => "repeat()";
}

/** Empties the books of the run before. */
async function freshBooks(): Promise<Real> {
  await world.db.source.query(`
    TRUNCATE transfer, hold, usage_record, credit_lot, drawdown;
    DELETE FROM ledger_account WHERE kind NOT IN ('CASH_TRUST', 'REVENUE_SPREAD');
    UPDATE ledger_account SET debits_posted = 0, credits_posted = 0;`);
  const facilities: ReferenceFacility[] = [];
  for (const multiplierPpm of MULTIPLIERS) {
    facilities.push({ id: await world.facility(multiplierPpm), multiplierPpm, fundedNanoUsd: 0n, releasedNanoUsd: 0n });
  }
  return { facilities, batch: { resolutions: [], holds: [] } };
}

async function expectBooksAndDoorAgree(model: ReferenceBooks, real: Real) {
  expect(await faultsInTheBooks(world.db)).toEqual([]);
  for (const startupId of startups) {
    const balance = await world.ledger.balance(startupId);
    expect(balance.availableNanoCredit).toBe(model.available(startupId));
    expect(balance.availableNanoCredit + balance.heldNanoCredit + balance.spentNanoCredit).toBe(
      balance.issuedNanoCredit,
    );
  }
  const facilities = await world.ledger.facilityBalances(real.facilities.map((facility) => facility.id));
  for (const { id, fundedNanoUsd, releasedNanoUsd } of real.facilities) {
    expect(facilities.get(id)).toMatchObject({ fundedNanoUsd, backingNanoUsd: fundedNanoUsd - releasedNanoUsd });
    expect(fundedNanoUsd - releasedNanoUsd >= 0n).toBe(true);
  }
}

const commands = fc.commands<ReferenceBooks, Real, true>(
  [
    anIssue.map(({ startup, facility, funded }) => new Issue(startup, facility, funded)),
    fc
      .tuple(fc.array(aResolution, { maxLength: 6 }), fc.array(aHold, { maxLength: 8 }))
      .map(([r, h]) => new Batch(r, h)),
    fc
      .tuple(fc.array(aResolution, { maxLength: 2 }), fc.array(aHold, { minLength: 1, maxLength: 4 }))
      .map(([r, h]) => new Batch(r, h)),
    fc.constant(new Repeat()),
  ] as never,
  { maxCommands: 40, size: "max" },
);

test("balances, charges, accruals and spread equal the reference after every command", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anIssue, { minLength: 3, maxLength: 7 }), commands, async (lots, steps) => {
      const real = await freshBooks();
      const model = new ReferenceBooks();
      for (const { startup, facility, funded } of lots) await issue(model, real, startup, facility, funded);
      await fc.asyncModelRun(() => ({ model, real }), steps as never);
      await expectBooksAndDoorAgree(model, real);
    }),
    { numRuns: 100, endOnFailure: false },
  );
}, 120_000);
