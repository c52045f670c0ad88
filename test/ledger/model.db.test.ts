/** Whatever is issued, leased, held, captured, returned, swept or repeated, in whatever batches: the SQL agrees with a reference in memory. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { commitArguments, commitText } from "../../src/metering/commit-arguments";
import { itemKinds } from "../../src/metering/commit-items";
import { periodOf } from "../../src/metering/metering";
import { mulDivHalfEven, PPM } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { type Counters, countersOf, faultsInTheBooks } from "./books";
import {
  aBatch,
  anIssue,
  type Batch,
  type BatchPlan,
  type IssuePlan,
  MULTIPLIERS,
  type Parties,
  Past,
  Player,
  PROCESSES,
  STARTUPS,
} from "./plans";
import { type BlockTarget, ReferenceBlocks } from "./reference-blocks";
import { free, ReferenceBooks, type ReferenceFacility, type ReferenceLot } from "./reference-books";

/** CI runs 500; `MODEL_RUNS=10000 npx jest test/ledger/model` a night's worth. */
const RUNS = Number(process.env.MODEL_RUNS ?? 500);
/** As many as 60 in the mean: fast-check draws the length of each run. */
const COMMANDS_MAX = 120;
/** Folding all history again after every run would grow with the square of the runs. */
const FULL_AUDIT_EVERY = 100;

let database: TestDatabase;
let world: MoneyWorld;
let runs = 0;
/** Closing a month is for all runs that follow. */
let firstOpenPeriod = "";

interface Real extends Parties {
  facilities: ReferenceFacility[];
  /** What the last batch was, for a repeat. */
  batch: Batch;
  past: Past;
  /** Accounts that all runs share, as they were before. */
  before: Map<string, Counters>;
  /** Of the model: what blocks, defaults and expiry do. */
  blocks: ReferenceBlocks;
}

/** What the one lender of all runs got back. */
const principal = () => `partner:${world.partnerId}:principal`;

const shared = ["cash:trust", "revenue:spread", "revenue:origination"];

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
});

afterAll(async () => {
  await world?.close();
  await database?.drop();
});

async function issue(model: ReferenceBooks, real: Real, plan: IssuePlan): Promise<void> {
  const { funded: fundedNanoUsd, priority, accelerators, workloads } = plan;
  const [facility, startupId] = [real.facilities[plan.facility]!, real.startups[plan.startup]!];
  const feeNanoUsd = (fundedNanoUsd * plan.feePpm) / PPM;
  const expiresAt = plan.expiresInMs === null ? null : new Date(world.clock.nowMs() + plan.expiresInMs);
  const conditions = { priority, expiresAt, accelerators, workloads };
  const lot = await world.lot({
    startupId,
    facilityId: facility.id,
    fundedNanoUsd,
    originationFeeNanoUsd: feeNanoUsd,
    ...conditions,
  });
  const issued = mulDivHalfEven(fundedNanoUsd, facility.multiplierPpm, PPM);
  expect(lot.creditNanoCredit).toBe(issued);
  const net = fundedNanoUsd - feeNanoUsd;
  const reference: ReferenceLot = {
    ...{ accountId: lot.accountId, lotId: lot.lotId, name: `wallet:${startupId}:lot:${lot.lotId}` },
    ...{ startupId, facility, issued, ...conditions },
    basisPpm: feeNanoUsd === 0n ? facility.multiplierPpm : (issued * PPM + net - 1n) / net,
    ...{ held: 0n, leased: 0n, spent: 0n, blocked: 0n, expired: 0n, assigned: 0n, frozen: 0 },
    turnover: {
      ...{ leased: 0n, returned: 0n, spentOfLease: 0n, blocked: 0n, unblocked: 0n },
      ...{ expiredOfBlocked: 0n, assignedOfBlocked: 0n },
    },
  };
  model.issue(reference, fundedNanoUsd, feeNanoUsd);
}

async function commit(batch: Batch): Promise<Record<string, unknown>> {
  const at = world.clock.now();
  const times = { at, placedAt: at, expiresAt: new Date(at.getTime() + 60_000), ttlMs: 600_000 };
  const rateCardId = world.quote.card.id;
  const items = itemKinds.flatMap((kind) =>
    batch[kind].map((item: object) => {
      const exact = Object.entries(item).map(([name, value]) => [name, typeof value === "bigint" ? `${value}` : value]);
      return { kind, content: { ...Object.fromEntries(exact), ...times, rateCardId, usage: aUsage } };
    }),
  );
  const rows = await world.db.query<{ answer: Record<string, unknown> }>(
    { name: "model-commit", text: commitText },
    commitArguments(items),
  );
  return rows[0]!.answer;
}

const aUsage = {
  ...{ apiKeyId: newId(), endpointId: newId(), offeringId: newId(), fixingId: newId(), model: "m" },
  ...{
    accelerator: "H100",
    region: "r",
    outcome: "COMPLETED",
    promptTokens: 1,
    completionTokens: 1,
    usageBounded: false,
  },
  ...{ gpuNanos: "1", accrualSharePpm: "850000", attempts: 1, streamed: true, ttftMs: null, durationMs: 1 },
};

const account = (creditsPosted: bigint, debitsPosted: bigint, debitsPending = 0n, creditsPending = 0n): Counters => ({
  creditsPosted,
  debitsPosted,
  debitsPending,
  creditsPending,
});

/** Every counter that the reference knows, as the ledger should have it. */
function expectedCounters(model: ReferenceBooks, facilities: readonly ReferenceFacility[]): Map<string, Counters> {
  const expected = new Map<string, Counters>();
  for (const { name, lotId, issued, spent, held, expired, assigned, turnover: t } of model.lots) {
    const loose = spent - t.spentOfLease + (expired - t.expiredOfBlocked) + (assigned - t.assignedOfBlocked);
    expected.set(name, account(issued + t.returned + t.unblocked, t.leased + t.blocked + loose, held));
    const parts: [string, bigint, bigint][] = [
      ["leased", t.leased, t.returned + t.spentOfLease],
      ["blocked", t.blocked, t.unblocked + t.expiredOfBlocked + t.assignedOfBlocked],
      ["breakage", expired, 0n],
      ["assigned", assigned, 0n],
    ];
    for (const [part, came, went] of parts) if (came > 0n) expected.set(`lot:${lotId}:${part}`, account(came, went));
  }
  for (const facility of facilities) {
    const { id, fundedNanoUsd, releasedNanoUsd, feeNanoUsd } = facility;
    const lots = model.lots.filter((lot) => lot.facility === facility);
    const sum = (of: "issued" | "held" | "spent") => lots.reduce((total, lot) => total + lot[of], 0n);
    expected.set(`facility:${id}:backing`, account(fundedNanoUsd, releasedNanoUsd + feeNanoUsd));
    expected.set(`facility:${id}:issuance`, account(0n, sum("issued")));
    expected.set(`facility:${id}:redeemed`, account(sum("spent"), 0n, 0n, sum("held")));
  }
  for (const [payable, accrued] of model.accrued)
    if (accrued > 0n) expected.set(`payable:${payable}`, account(accrued, 0n));
  return expected;
}

/** Names are enough: had the ledger moved any other account, one of these, or the audit of all, would disagree. */
async function expectAgreement(model: ReferenceBooks, real: Real): Promise<void> {
  const expected = expectedCounters(model, real.facilities);
  const counters = await countersOf(world.db, [...expected.keys(), ...shared, principal()]);
  const moved = (name: string) => {
    const [now, before] = [counters, real.before].map((of) => of.get(name) ?? account(0n, 0n)) as [Counters, Counters];
    return now.creditsPosted - before.creditsPosted - (now.debitsPosted - before.debitsPosted);
  };
  const funded = real.facilities.reduce((sum, { fundedNanoUsd }) => sum + fundedNanoUsd, 0n);
  const fees = real.facilities.reduce((sum, { feeNanoUsd }) => sum + feeNanoUsd, 0n);
  expect(Object.fromEntries([...shared, principal()].map((name) => [name, moved(name)]))).toEqual({
    "cash:trust": -funded,
    "revenue:spread": model.spread,
    "revenue:origination": fees,
    [principal()]: real.blocks.principalNanoUsd,
  });
  for (const name of [...shared, principal()]) counters.delete(name);
  // The matcher is a fifth of this test's time: it is asked only to say what differs.
  if (!isDeepStrictEqual(counters, expected)) expect(counters).toEqual(expected);
}

abstract class Step implements fc.AsyncCommand<ReferenceBooks, Real> {
  check = () => true;
  abstract readonly act: (model: ReferenceBooks, real: Real) => Promise<void>;
  async run(model: ReferenceBooks, real: Real): Promise<void> {
    await this.act(model, real);
    await expectAgreement(model, real);
  }
}

class Issue extends Step {
  constructor(readonly plan: IssuePlan) {
    super();
  }
  override act = (model: ReferenceBooks, real: Real) => issue(model, real, this.plan);
  override toString = () => `issue(${fc.stringify(this.plan)})`;
}

class Commit extends Step {
  constructor(readonly plan: BatchPlan) {
    super();
  }
  override act = async (model: ReferenceBooks, real: Real) => {
    const { batch, expected } = new Player(real, model, real.past).play(this.plan);
    real.batch = batch;
    expect(withoutTimes(await commit(batch))).toEqual(expected);
  };
  override toString = () => `commit(${fc.stringify(this.plan)})`;
}

class Repeat extends Step {
  override act = async (model: ReferenceBooks, real: Real) => {
    const { resolutions, captures, returns, grants, holds } = real.batch;
    const known = model.holds.size + model.captures.size + model.granted.size;
    const booked = await lastTransfer();
    const expected = {
      resolutions: model.resolve(resolutions),
      captures: model.capture(captures),
      returns: returns.flatMap((item) => model.giveBack([item])),
      grants: grants.flatMap((item) => model.grant([item])),
      holds: model.place(holds),
    };
    expect(withoutTimes(await commit(real.batch))).toEqual(expected);
    // What was refused for want of credit may fit since; nothing else may happen.
    if (model.holds.size + model.captures.size + model.granted.size === known)
      expect(await lastTransfer()).toBe(booked);
  };
  override toString = () => "repeat()";
}

class Sweep extends Step {
  constructor(readonly process: number) {
    super();
  }
  override act = async (model: ReferenceBooks, real: Real) => {
    const instance = real.processes[this.process]!;
    // As if it had not renewed for its whole time.
    await world.db.source.query("UPDATE lease SET expires_at = '2000-01-01' WHERE instance = $1 AND state = 'ACTIVE'", [
      instance,
    ]);
    await world.db.source.query("SELECT * FROM lease_sweep()");
    model.sweep(instance);
  };
  override toString = () => `sweep(${this.process})`;
}

class Recall extends Step {
  constructor(readonly startup: number) {
    super();
  }
  override act = async (model: ReferenceBooks, real: Real) => {
    const startupId = real.startups[this.startup]!;
    await world.db.source.query("SELECT * FROM lease_recall($1, NULL, NULL)", [startupId]);
    model.recall(startupId);
  };
  override toString = () => `recall(${this.startup})`;
}

class Later extends Step {
  constructor(readonly ms: number) {
    super();
  }
  override act = async () => world.clock.advanceMs(this.ms);
  override toString = () => `later(${this.ms})`;
}

class CloseMonth extends Step {
  override act = async () => {
    const now = world.clock.now();
    const last = periodOf(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 0)));
    await world.db.source.query(
      "INSERT INTO accounting_period (period, closed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      [last, now],
    );
    firstOpenPeriod = periodOf(now);
  };
  override toString = () => "closeMonth()";
}

/** Counting them would take longer with every run. */
async function lastTransfer(): Promise<string> {
  const [{ last }] = await world.db.source.query("SELECT last_value AS last FROM transfer_seq_seq");
  return last;
}

class Block extends Step {
  constructor(
    readonly scope: "facility" | "startup" | "lot",
    readonly index: number,
    readonly sharePpm: bigint | null,
  ) {
    super();
  }
  override act = async (model: ReferenceBooks, real: Real) => {
    const lot = model.lots[this.index % model.lots.length]!;
    const target: BlockTarget =
      this.scope === "lot"
        ? { lotId: lot.lotId }
        : this.scope === "startup"
          ? { startupId: lot.startupId }
          : { facilityId: lot.facility.id };
    const amount = this.sharePpm === null ? null : (free(lot) * this.sharePpm) / PPM + 1n;
    const [id, at] = [newId(), world.clock.now()];
    const { facilityId = null, startupId = null, lotId = null } = target as Record<string, string>;
    await world.db.source.query(
      `INSERT INTO block (id, scope, capital_partner_id, facility_id, startup_id, lot_id, amount_nano_credit, reason, state, placed_by_id, placed_at, version)
       VALUES ($1, $2, $3, $4, $5, $6, $7, 'DEFAULT', 'PLACING', $3, $8, 1)`,
      [id, scopes[this.scope], world.partnerId, facilityId, startupId, lotId, amount?.toString() ?? null, at],
    );
    const [{ answer }] = await world.db.source.query("SELECT ledger_place_block($1, $2, 1) AS answer", [id, at]);
    expect(answer).toEqual(real.blocks.place(id, target, amount));
    if (answer.outcome === "EXCEEDS") await world.db.source.query("DELETE FROM block WHERE id = $1", [id]);
    if (answer.outcome !== "FROZEN") return;
    const [{ settled }] = await world.db.source.query("SELECT ledger_settle_block($1, $2, 1) AS settled", [id, at]);
    expect(settled.outcome).toBe(real.blocks.settle(id));
  };
  override toString = () => `block(${this.scope}, ${this.index}, ${this.sharePpm})`;
}

const scopes = { facility: "FACILITY", startup: "WALLET", lot: "LOT" };

class EndBlock extends Step {
  constructor(
    readonly index: number,
    readonly how: "lift" | "assign",
  ) {
    super();
  }
  override act = async (_: ReferenceBooks, real: Real) => {
    const ids = [...real.blocks.blocks.keys()];
    const id = ids[this.index % Math.max(1, ids.length)];
    if (id === undefined) return;
    const [{ answer }] = await world.db.source.query(`SELECT ledger_${this.how}_block($1, $2, $3) AS answer`, [
      id,
      world.partnerId,
      world.clock.now(),
    ]);
    expect(answer).toEqual(real.blocks[this.how](id));
  };
  override toString = () => `endBlock(${this.index}, ${this.how})`;
}

class Expire extends Step {
  override act = async (_: ReferenceBooks, real: Real) => {
    // Lots of earlier runs expire too: each startup's are told apart.
    const expired: { startup_id: string; credit: string; dollars: string }[] = await world.db.source.query(
      "SELECT * FROM funding_expire_lots($1, 1000000)",
      [world.clock.now()],
    );
    const ours = expired.filter(({ startup_id }) => real.startups.includes(startup_id));
    const total = (of: "credit" | "dollars") => ours.reduce((sum, row) => sum + BigInt(row[of]), 0n);
    expect({ credit: total("credit"), dollars: total("dollars") }).toEqual(real.blocks.expire());
  };
  override toString = () => "expire()";
}

/** Answers carry one instant, which the reference has no business with. */
function withoutTimes(answer: Record<string, unknown>) {
  const grants = (answer.grants as Record<string, unknown>[]).map(({ usableUntil: _, ...grant }) => grant);
  return { ...answer, grants };
}

/** Parties of their own, because history is append-only: what earlier runs booked stays. */
async function freshReal(model: ReferenceBooks): Promise<Real> {
  const several = (count: number, make: () => Promise<string>) => Promise.all(Array.from({ length: count }, make));
  const facilities: ReferenceFacility[] = [];
  for (const multiplierPpm of MULTIPLIERS) {
    const sums = { fundedNanoUsd: 0n, feeNanoUsd: 0n, releasedNanoUsd: 0n };
    facilities.push({ id: await world.facility(multiplierPpm), multiplierPpm, ...sums });
  }
  return {
    startups: await several(STARTUPS, () => world.startup()),
    providers: await several(2, () => world.provider()),
    processes: Array.from({ length: PROCESSES }, newId),
    facilities,
    batch: { resolutions: [], captures: [], returns: [], grants: [], holds: [] },
    past: new Past(),
    before: await countersOf(world.db, [...shared, principal()]),
    blocks: new ReferenceBlocks(model),
  };
}

async function expectDoorAgrees(model: ReferenceBooks, real: Real): Promise<void> {
  for (const startupId of real.startups) {
    const lots = model.lots.filter((lot) => lot.startupId === startupId);
    const sum = (of: (lot: ReferenceLot) => bigint) => lots.reduce((total, lot) => total + of(lot), 0n);
    const { asOf, ...balance } = await world.ledger.balance(startupId);
    const expired = (lot: ReferenceLot) => lot.expiresAt !== null && lot.expiresAt <= asOf;
    const usable = (lot: ReferenceLot) => !expired(lot) && lot.frozen === 0;
    expect(balance).toEqual({
      issuedNanoCredit: sum((lot) => lot.issued),
      availableNanoCredit: sum((lot) => (usable(lot) ? free(lot) : 0n)),
      heldNanoCredit: sum((lot) => lot.held + lot.leased),
      blockedNanoCredit: sum((lot) => lot.blocked + (lot.frozen > 0 ? free(lot) : 0n)),
      spentNanoCredit: sum((lot) => lot.spent),
      expiredNanoCredit: sum((lot) => lot.expired + (expired(lot) && lot.frozen === 0 ? free(lot) : 0n)),
      assignedNanoCredit: sum((lot) => lot.assigned),
    });
  }
  const facilities = await world.ledger.facilityBalances(real.facilities.map(({ id }) => id));
  for (const { id, fundedNanoUsd, feeNanoUsd, releasedNanoUsd } of real.facilities) {
    const backingNanoUsd = fundedNanoUsd - feeNanoUsd - releasedNanoUsd;
    expect(facilities.get(id)).toMatchObject({ fundedNanoUsd, backingNanoUsd });
    expect(backingNanoUsd >= 0n).toBe(true);
  }
}

const steps = fc.commands<ReferenceBooks, Real, true>(
  [
    anIssue.map((plan) => new Issue(plan)),
    aBatch.map((plan) => new Commit(plan)),
    aBatch.map((plan) => new Commit(plan)),
    aBatch.map((plan) => new Commit(plan)),
    fc.constant(new Repeat()),
    fc.nat({ max: PROCESSES - 1 }).map((process) => new Sweep(process)),
    fc.nat({ max: STARTUPS - 1 }).map((startup) => new Recall(startup)),
    fc.constantFrom(1_000, 59_999, 3_600_000).map((ms) => new Later(ms)),
    fc.constant(new CloseMonth()),
    fc
      .tuple(
        fc.constantFrom("facility" as const, "startup" as const, "lot" as const),
        fc.nat({ max: 50 }),
        fc.option(fc.bigInt({ min: 0n, max: 1_500_000n })),
      )
      .map(([scope, index, sharePpm]) => new Block(scope, index, sharePpm)),
    fc.nat({ max: 50 }).map((index) => new EndBlock(index, "lift")),
    fc
      .tuple(fc.nat({ max: 50 }), fc.constantFrom("lift" as const, "lift" as const, "assign" as const))
      .map(([index, how]) => new EndBlock(index, how)),
    fc.constant(new Expire()),
  ] as never,
  { maxCommands: COMMANDS_MAX, size: "max" },
);

test("balances, charges, accruals and spread equal the reference after every command", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anIssue, { minLength: 3, maxLength: 7 }), steps, async (lots, commands) => {
      const model = new ReferenceBooks(
        () => world.clock.now(),
        () => firstOpenPeriod,
      );
      const real = await freshReal(model);
      for (const plan of lots) await issue(model, real, plan);
      await fc.asyncModelRun(() => ({ model, real }), commands as never);
      await expectDoorAgrees(model, real);
      if (++runs % FULL_AUDIT_EVERY === 0) expect(await faultsInTheBooks(world.db)).toEqual([]);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  expect(await faultsInTheBooks(world.db)).toEqual([]);
}, 600_000);
