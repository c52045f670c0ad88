/** A provider's statements as the months leave them, one in each state, and its rate cards; written past every door. */
import { CreditNote } from "../../entities/credit-note";
import { PricingTierRow } from "../../entities/pricing-tier";
import { RateCardRow } from "../../entities/rate-card";
import { Statement } from "../../entities/statement";
import { StatementDispute } from "../../entities/statement-dispute";
import { StatementLine } from "../../entities/statement-line";
import { encodeId } from "../../schema/node";
import type { Database } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { dueAt, endOf } from "../../src/statements/period";

const DAY_MS = 86_400_000;

/** Of nothing, so that it matches a ledger in which nothing was booked. */
export async function aStatement(
  db: Database,
  providerId: string,
  changes: Partial<Statement> = {},
): Promise<Statement> {
  const period = changes.period ?? "2100-01";
  const statement: Statement = {
    id: newId(),
    providerId,
    period,
    state: "IN_REVIEW",
    totalNanoUsd: 0n,
    draftedAt: endOf(period),
    reviewEndsAt: new Date(Date.now() + 300 * DAY_MS),
    approvedAt: null,
    approvedBy: null,
    finalisedAt: null,
    dueAt: dueAt(period),
    version: 1,
    ...changes,
  };
  await db.source.getRepository(Statement).insert(statement);
  return statement;
}

export async function aLine(db: Database, statementId: string, reason = "a line"): Promise<string> {
  const id = newId();
  const amount = { kind: "TRUE_UP" as const, amountNanoUsd: 0n, requests: 0, gpuNanos: 0n };
  await db.source.getRepository(StatementLine).insert({ id, statementId, ...amount, reason, createdAt: new Date() });
  return id;
}

export async function aDisputed(db: Database, providerId: string, period: string, reason = "an objection") {
  const { id: statementId } = await aStatement(db, providerId, { period, state: "DISPUTED" });
  const dispute = { id: newId(), statementId, lineId: await aLine(db, statementId), providerId, reason };
  const opened = { state: "OPEN" as const, openedAt: new Date(), openedBy: newId() };
  await db.source.getRepository(StatementDispute).insert({ ...dispute, ...opened });
  return dispute.id;
}

export async function aFinal(db: Database, providerId: string, period: string): Promise<string> {
  const { id } = await aStatement(db, providerId, { period, state: "FINAL", finalisedAt: new Date() });
  return id;
}

/** Negotiated; proposed by somebody who is not asked again. */
export async function aRateCard(db: Database, providerId: string, changes: Partial<RateCardRow> = {}): Promise<string> {
  const id = newId();
  const approvedAt = new Date();
  await db.source.getRepository(RateCardRow).insert({
    id,
    providerId,
    version: 1,
    state: "APPROVED",
    effectiveAt: new Date(Date.now() + 300 * DAY_MS),
    baseSharePpm: 850_000n,
    tierReading: "VOLUME",
    premiumReading: "RELATIVE",
    redemptionFactorPpm: 1_350_000n,
    reason: "negotiated",
    proposedAt: approvedAt,
    proposedBy: newId(),
    approvedAt,
    approvedBy: newId(),
    retiredAt: null,
    retiredBy: null,
    ...changes,
  });
  const tier = { rateCardId: id, position: 1, upToGpuHours: null, premiumPpm: 0n, negotiated: false };
  await db.source.getRepository(PricingTierRow).insert(tier);
  return id;
}

const proposed = { state: "PROPOSED" as const, approvedAt: null, approvedBy: null };
export const aProposal = (db: Database, providerId: string, version = 1): Promise<string> =>
  aRateCard(db, providerId, { ...proposed, version, reason: "proposed" });

/** Global ids, each to be tried on its own: what one mutation ends, another does not need. */
export async function plantStatements(db: Database, providerId: string, name: string, year = "2100") {
  const inReview = await aStatement(db, providerId, { period: `${year}-01` });
  const line = await aLine(db, inReview.id, `${name} is told why`);
  const { id: statement } = await aStatement(db, providerId, { period: `${year}-02` });
  const { id: reviewed } = await aStatement(db, providerId, { period: `${year}-03`, reviewEndsAt: new Date(0) });
  const dispute = await aDisputed(db, providerId, `${year}-04`, `${name} objects`);
  const settled = await aFinal(db, providerId, `${year}-05`);
  const creditNote = newId();
  const note = { amountNanoUsd: 5n, remainingNanoUsd: 0n, reason: `${name} was right`, createdAt: new Date() };
  await db.source
    .getRepository(CreditNote)
    .insert({ id: creditNote, providerId, statementId: settled, ...note, createdBy: newId() });
  const version = 2 * (Number(year) - 2_100);
  const rateCard = await aRateCard(db, providerId, { version: version + 1, reason: `${name} negotiated` });
  const proposal = await aProposal(db, providerId, version + 2);
  return {
    statement: encodeId("Statement", statement),
    statementLine: encodeId("StatementLine", line),
    reviewed: encodeId("Statement", reviewed),
    dispute: encodeId("StatementDispute", dispute),
    settled: encodeId("Statement", settled),
    creditNote: encodeId("CreditNote", creditNote),
    rateCard: encodeId("RateCard", rateCard),
    proposal: encodeId("RateCard", proposal),
  };
}
