/** A drawdown: dollars in, one credit lot out, if limit, covenants and coverage allow it; in one transaction, once per key. */
import { type EntityManager, In } from "typeorm";
import { Accelerator } from "../../entities/accelerator";
import { CreditLot } from "../../entities/credit-lot";
import { Drawdown } from "../../entities/drawdown";
import { Facility } from "../../entities/facility";
import { claimKey } from "../accounts/idempotency";
import { owns, type Viewer } from "../accounts/viewer";
import { made, recordAct } from "../audit/audit";
import type { Ledger } from "../ledger/ledger";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { existingId } from "../platform/input";
import { transaction } from "../platform/transaction";
import { type CreditCost, checkCoverage } from "./coverage";
import { type LotConditions, NO_CONDITIONS } from "./drawdown-input";
import { checkConcentration, checkLimit, creditFor, expiryOf, splitFee } from "./facility-rules";
import { readPositions, readWorstCost } from "./positions";

export interface DrawdownResult {
  readonly drawdown: Drawdown;
  readonly lot: CreditLot;
}

interface Wish {
  readonly facilityId: string;
  readonly startupId: string;
  readonly amountNanoUsd: bigint;
  readonly conditions: LotConditions;
}

interface Booking extends Wish {
  readonly drawdownId: string;
  readonly lotId: string;
  readonly at: Date;
}

interface Rooms {
  readonly db: Database;
  readonly ledger: Ledger;
  readonly clock: Clock;
}

/** `first`: it was this call that drew. Errors: those of the door but for the viewer's. */
export async function draw(
  { db, ledger, clock }: Rooms,
  viewer: Viewer,
  key: string,
  wish: Wish,
): Promise<{ first: boolean; result: DrawdownResult }> {
  const ids = { drawdownId: newId(), lotId: newId() };
  const at = clock.now();
  const claim = { organisationId: viewer.organisationId, key, operation: "draw", result: ids, at, input: textOf(wish) };
  // Before the transaction: within it this would take a second connection, and draws would wait for those of each other.
  const cost = await readWorstCost(db, at);
  return transaction(db, async (tx) => {
    const earlier = await claimKey(tx, claim);
    if (earlier !== null) return { first: false, result: await drawnBefore(tx, earlier) };
    const facility = await lockedFacility(tx, viewer, wish.facilityId, "facilityId");
    await check(tx, facility, wish, cost);
    const expiresAt = expiryOf(facility.tenorDays, at, wish.conditions.expiresAt);
    const booking = { ...wish, ...ids, at, conditions: { ...wish.conditions, expiresAt } };
    const result = await book(tx, ledger, facility, booking);
    await recordAct(tx, viewer, {
      at,
      action: "drawdown.create",
      subjectType: "Drawdown",
      subjectId: ids.drawdownId,
      organisationId: facility.capitalPartnerId,
      change: {
        ...made(result.drawdown, "facilityId", "startupId", "fundedNanoUsd", "originationFeeNanoUsd"),
        ...made(result.lot, "priority", "expiresAt", "accelerators", "workloads"),
      },
    });
    return { first: true, result };
  });
}

/** Locked until commit: parallel draws see what the one before left of the limit. Errors: NOT_FOUND. */
export async function lockedFacility(tx: EntityManager, viewer: Viewer, id: string, field: string): Promise<Facility> {
  const facility = await tx.findOne(Facility, {
    where: { id: existingId(id, "facility") },
    lock: { mode: "pessimistic_write" },
  });
  if (facility === null || !owns(viewer, facility.capitalPartnerId)) throw notFound("facility", field);
  return facility;
}

/** Errors: STATE_CONFLICT, NOT_FOUND, BAD_USER_INPUT, FACILITY_LIMIT_EXCEEDED, COVENANT_BREACHED, COVERAGE_BELOW_FLOOR. */
async function check(tx: EntityManager, facility: Facility, wish: Wish, cost: CreditCost): Promise<void> {
  const { startupId, amountNanoUsd, conditions } = wish;
  if (facility.state !== "OPEN") throw new DomainError("STATE_CONFLICT", `The facility is ${facility.state}.`);
  await requireStartup(tx, startupId);
  if (conditions.accelerators !== null) await requireAccelerators(tx, conditions.accelerators);
  checkLimit(facility, amountNanoUsd);
  const [row]: { drawn: string }[] = await tx.query(
    "SELECT coalesce(sum(funded_nano_usd), 0) AS drawn FROM drawdown WHERE facility_id = $1 AND startup_id = $2",
    [facility.id, startupId],
  );
  checkConcentration(facility, BigInt(row!.drawn), amountNanoUsd);
  await requireUnblocked(tx, facility.id, startupId);
  const [position] = await readPositions(tx, { facilityIds: [facility.id] });
  checkCoverage(position!, facility, cost, amountNanoUsd);
}

async function book(
  tx: EntityManager,
  ledger: Ledger,
  facility: Facility,
  { drawdownId, lotId, startupId, amountNanoUsd, conditions, at }: Booking,
): Promise<DrawdownResult> {
  const { id: facilityId, multiplierPpm } = facility;
  const creditNanoCredit = creditFor(amountNanoUsd, multiplierPpm);
  const { feeNanoUsd: originationFeeNanoUsd } = splitFee(amountNanoUsd, facility.originationFeePpm);
  const moved = { drawnNanoUsd: facility.drawnNanoUsd + amountNanoUsd, version: facility.version + 1 };
  await tx.update(Facility, { id: facilityId }, moved);
  const parties = { facilityId, startupId };
  const dollars = { fundedNanoUsd: amountNanoUsd, originationFeeNanoUsd };
  const drawdown: Drawdown = { id: drawdownId, ...parties, ...dollars, drawnAt: at };
  // Copies: TypeORM writes columns that have a default back into what it is given, as text.
  await tx.insert(Drawdown, { ...drawdown });
  const { accountId } = await ledger.issueLot(tx, {
    groupId: drawdownId,
    lotId,
    ...parties,
    ...dollars,
    creditNanoCredit,
    multiplierPpm,
    ...conditions,
    bookedAt: at,
  });
  const issued = { issuedNanoCredit: creditNanoCredit, multiplierPpm, ...conditions, issuedAt: at };
  const lot: CreditLot = { id: lotId, drawdownId, ...parties, accountId, ...issued };
  await tx.insert(CreditLot, { ...lot });
  return { drawdown, lot };
}

/** What the key stands for; what was left out leaves no trace, so that keys from before there were conditions still fit. */
function textOf({ facilityId, startupId, amountNanoUsd, conditions }: Wish): Record<string, string | bigint> {
  const { priority, expiresAt, accelerators, workloads } = conditions;
  return {
    facilityId,
    startupId,
    amountNanoUsd,
    ...(priority === NO_CONDITIONS.priority ? {} : { priority: `${priority}` }),
    ...(expiresAt === null ? {} : { expiresAt: expiresAt.toISOString() }),
    ...(accelerators === null ? {} : { accelerators: accelerators.join() }),
    ...(workloads === null ? {} : { workloads: workloads.join() }),
  };
}

async function requireStartup(tx: EntityManager, id: string): Promise<void> {
  // Before its first drawdown a startup is not yet among those that the partner may read of.
  const [row]: { known: boolean }[] = await tx.query("SELECT is_organisation($1, 'STARTUP') AS known", [
    existingId(id, "startup"),
  ]);
  if (!row?.known) throw notFound("startup", "startupId");
}

/** From here to the commit the ledger is ours: nothing is blocked, spent or expired in between. Errors: STATE_CONFLICT. */
async function requireUnblocked(tx: EntityManager, facilityId: string, startupId: string): Promise<void> {
  const [row]: { block: string | null }[] = await tx.query("SELECT ledger_block_against($1, $2) AS block", [
    facilityId,
    startupId,
  ]);
  if (row?.block == null) return;
  throw new DomainError("STATE_CONFLICT", "The facility or the startup's wallet is blocked: lift the block first.");
}

async function requireAccelerators(tx: EntityManager, codes: readonly string[]): Promise<void> {
  const known = new Set((await tx.findBy(Accelerator, { code: In([...codes]) })).map(({ code }) => code));
  const unknown = codes.find((code) => !known.has(code));
  if (unknown === undefined) return;
  const text = `accelerators: ${JSON.stringify(unknown)} is unknown`;
  throw new DomainError("BAD_USER_INPUT", text, { field: "accelerators" });
}

async function drawnBefore(tx: EntityManager, ids: Record<string, string>): Promise<DrawdownResult> {
  const { drawdownId, lotId } = ids as { drawdownId: string; lotId: string };
  return {
    drawdown: await tx.findOneByOrFail(Drawdown, { id: drawdownId }),
    lot: await tx.findOneByOrFail(CreditLot, { id: lotId }),
  };
}
