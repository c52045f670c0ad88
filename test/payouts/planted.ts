/** A provider's payouts and bank accounts as months leave them; what comes before them is written past every door. */

import { Payout } from "../../entities/payout";
import { PayoutAccount } from "../../entities/payout-account";
import { PayoutAttempt } from "../../entities/payout-attempt";
import type { PayoutState } from "../../schema/enums";
import { encodeId } from "../../schema/node";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { viewerOf } from "../accounts/a-world";
import type { TestApi } from "../api/an-api";
import { aFinal } from "../statements/planted";
import { anIban } from "./a-payout-world";

export const PLANTED_NANO_USD = 12_340_000_000n;

/** Waits to be confirmed by somebody else than whoever it was. */
export async function aProposedAccount(api: TestApi, providerId: string, holder = "A holder"): Promise<string> {
  const somebody = viewerOf("PROVIDER", providerId);
  const fields = { holder, iban: anIban("0000000042"), bic: "COBADEFFXXX", country: "DE" };
  return (await api.services.payouts.accounts.propose(somebody, fields)).id;
}

/** Confirmed, and cooled long since; one that waits goes on waiting. */
export async function aUsableAccount(api: TestApi, providerId: string, holder?: string): Promise<string> {
  const accounts = api.db.source.getRepository(PayoutAccount);
  const waiting = await accounts.findOneBy({ providerId, state: "PROPOSED" });
  const at = new Date("2026-01-01T00:00:00Z");
  if (waiting) await accounts.update({ id: waiting.id }, { state: "CANCELLED", cancelledAt: at });
  const id = await aProposedAccount(api, providerId, holder);
  const change = { state: "CONFIRMED" as const, confirmedBy: newId(), confirmedAt: at, usableFrom: at };
  await accounts.update({ id }, change);
  if (waiting) await accounts.update({ id: waiting.id }, { state: "PROPOSED", cancelledAt: null });
  return id;
}

/** Of a final statement; SUBMITTED: in a file that a bank has, RETURNED: and back, both with the money where it then is. */
export async function aPayout(
  api: TestApi,
  providerId: string,
  {
    period,
    state,
    accountId,
  }: { period: string; state: PayoutState & ("SCHEDULED" | "SUBMITTED" | "RETURNED"); accountId: string },
): Promise<string> {
  const [statementId, id, at] = [await aFinal(api.db, providerId, period), newId(), new Date()];
  const { ledger } = api.services;
  const attempt = state === "SCHEDULED" ? 0 : 1;
  await transaction(api.db, async (tx) => {
    const name = `statement:${statementId}`;
    await ledger.openAccount(tx, {
      name,
      ledger: "USD",
      kind: "STATEMENT_PAYABLE",
      organisationId: providerId,
      limited: true,
    });
    const amountNano = PLANTED_NANO_USD;
    const owed = { id: newId(), code: "STATEMENT" as const, debit: "expense:claims", credit: name, amountNano };
    const sent = { id: newId(), code: "PAYOUT" as const, debit: name, credit: "payout:in-transit", amountNano };
    const postings = state === "SUBMITTED" ? [owed, sent] : [owed];
    await ledger.post(tx, { groupId: statementId, bookedAt: at, postings });
    const figures = { amountNanoUsd: amountNano, carriedInNanoUsd: 0n, remainderNanoUsd: 0n };
    const times = { dueAt: at, scheduledAt: at, frozenAt: null, frozenReason: null, carriedToId: null };
    await tx.insert(Payout, { id, statementId, providerId, period, state, attempt, ...figures, ...times, version: 1 });
    if (attempt === 0) return;
    await tx.insert(PayoutAttempt, {
      id: newId(),
      payoutId: id,
      number: 1,
      key: `${statementId}-1`,
      rail: "PAIN_001",
      accountId,
      amountNanoUsd: amountNano,
      state: state === "RETURNED" ? "RETURNED" : "SUBMITTED",
      runId: newId(),
      submittedAt: at,
      batchId: newId(),
      batchedAt: at,
      acceptedAt: at,
      reference: "a file",
      returnedAt: state === "RETURNED" ? at : null,
    });
  });
  return id;
}

/** Global ids: a payout in a file, and an account that waits while payouts go to another. */
export async function plantPayouts(api: TestApi, providerId: string, name: string, year = "2100") {
  const payout = await plantPayout(api, providerId, name, year);
  const proposed = await aProposedAccount(api, providerId, `${name} holder`);
  return { payout: encodeId("Payout", payout), payoutAccount: encodeId("PayoutAccount", proposed) };
}

/** To an account of its own. */
export async function plantPayout(api: TestApi, providerId: string, name: string, year: string): Promise<string> {
  const accountId = await aUsableAccount(api, providerId, `${name} holder`);
  return aPayout(api, providerId, { period: `${year}-06`, state: "SUBMITTED", accountId });
}
