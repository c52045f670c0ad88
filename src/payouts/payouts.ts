/** The door to payouts: what is due to providers, how far it is on its way to them, and the run that hands it over. */
import { z } from "zod";
import { Payout } from "../../entities/payout";
import { PayoutAttempt } from "../../entities/payout-attempt";
import type { PayoutState } from "../../schema/enums";
import { checkIdempotencyKey, claimKey } from "../accounts/idempotency";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import { recordAct } from "../audit/audit";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { isId, newId } from "../platform/ids";
import { checked, line } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { asSystem } from "../platform/tenancy";
import { transaction } from "../platform/transaction";
import { checkPeriod } from "../statements/period";
import type { Accruals } from "./accruals";
import type { BankCallbacks } from "./bank-callbacks";
import { type PayoutRules, type PayoutStanding, standingsOf } from "./payability";
import type { PayoutAccounts } from "./payout-accounts";
import type { PayoutActs } from "./payout-acts";
import { exportPayouts, type PayoutExport } from "./payout-export";
import type { PayoutRun, RunResult } from "./payout-run";

export interface PayoutFilter {
  readonly providerId?: string | null | undefined;
  readonly state?: PayoutState | null | undefined;
  readonly period?: string | null | undefined;
}

/** What a run that an operator asked for has handed over. */
export interface RunSummary {
  readonly submitted: number;
  readonly amountNanoUsd: bigint;
}

const noteField = z.object({ note: line(500) });

export interface PayoutsDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly rules: PayoutRules;
  readonly run: PayoutRun;
  readonly acts: PayoutActs;
  readonly accounts: PayoutAccounts;
  readonly accruals: Accruals;
  readonly callbacks: BankCallbacks;
}

export class Payouts {
  readonly acts: PayoutActs;
  readonly accounts: PayoutAccounts;
  readonly accruals: Accruals;
  readonly callbacks: BankCallbacks;

  constructor(private readonly dependencies: PayoutsDependencies) {
    this.acts = dependencies.acts;
    this.accounts = dependencies.accounts;
    this.accruals = dependencies.accruals;
    this.callbacks = dependencies.callbacks;
  }

  /** A provider's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page, period). */
  async page(viewer: Viewer | null, page: PageRequest, filter: PayoutFilter = {}): Promise<Page<Payout>> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(known, "READ", filter.providerId);
    const { state, period } = filter;
    const query = this.dependencies.db.source.getRepository(Payout).createQueryBuilder("payout");
    if (providerId !== null) query.andWhere("payout.providerId = :providerId", { providerId });
    if (state != null) query.andWhere("payout.state = :state", { state });
    if (period != null) query.andWhere("payout.period = :period", { period: checkPeriod(period) });
    return fetchPage(this.dependencies.db, query, page);
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (period, too many rows). */
  export(viewer: Viewer | null, filter: Omit<PayoutFilter, "state"> = {}): Promise<PayoutExport> {
    return exportPayouts(this.dependencies.db, viewer, filter);
  }

  /** Not settled yet, oldest first: where the stream of changes starts. Errors: UNAUTHENTICATED, FORBIDDEN. */
  standing(viewer: Viewer | null): Promise<Payout[]> {
    const providerId = organisationScope(requireKind(viewer, "READ", "PROVIDER", "OPERATOR"), "READ");
    const which = "WHERE state NOT IN ('SETTLED','CARRIED') AND ($1::uuid IS NULL OR provider_id = $1) ORDER BY id";
    return readRows(this.dependencies.db, Payout, which, [providerId]);
  }

  /** Loader sources: in no order, unknown ids left out, nobody authorised. */
  byIds(ids: readonly string[]): Promise<Payout[]> {
    return readRows(this.dependencies.db, Payout, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  attemptsByPayoutIds(ids: readonly string[]): Promise<PayoutAttempt[]> {
    const which = "WHERE payout_id = ANY ($1) ORDER BY number";
    return readRows(this.dependencies.db, PayoutAttempt, which, [ids.filter(isId)]);
  }

  async standings(ids: readonly string[]): Promise<Map<string, PayoutStanding>> {
    const { db, rules, clock } = this.dependencies;
    return standingsOf(db.source.manager, await this.byIds(ids), rules, clock.now());
  }

  /** What is due and free to go, now. For the worker. */
  async runDue(): Promise<RunResult> {
    const result = await this.dependencies.run.run();
    const { faults } = result;
    if (faults.length === 0) return result;
    const [first] = faults;
    const why = first instanceof Error ? first.message : String(first);
    throw new AggregateError(faults, `${faults.length} payout(s) wait for the next run: ${why}`);
  }

  /** The same at an operator's word, once per key. Errors: UNAUTHENTICATED, FORBIDDEN, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED. */
  async runNow(viewer: Viewer | null, note: string | null, idempotencyKey: string): Promise<RunSummary> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const { db, clock, run } = this.dependencies;
    const told = note === null ? null : checked(noteField, { note }).note;
    const at = clock.now();
    const claim = {
      organisationId: known.organisationId,
      key: checkIdempotencyKey(idempotencyKey),
      operation: "payoutRun",
      input: { note: told ?? "" },
      result: { runId: newId() },
      at,
    };
    const { fresh, runId } = await transaction(db, async (tx) => {
      const earlier = await claimKey(tx, claim);
      if (earlier !== null) return { fresh: false, runId: earlier.runId! };
      await recordAct(tx, known, {
        at,
        action: "payout.run",
        subjectType: "Operator",
        subjectId: known.organisationId,
        organisationId: known.organisationId,
        change: { runId: { to: claim.result.runId }, ...(told === null ? {} : { note: { to: told } }) },
      });
      return { fresh: true, runId: claim.result.runId };
    });
    // A run is the system's: it writes down payments of every provider.
    if (fresh) await asSystem(() => run.run(runId));
    return this.summaryOf(runId);
  }

  private async summaryOf(runId: string): Promise<RunSummary> {
    const [row] = await this.dependencies.db.query<{ submitted: number; amount: string }>(
      {
        name: "payouts-run-summary",
        text: "SELECT count(*)::int AS submitted, coalesce(sum(amount_nano_usd), 0) AS amount FROM payout_attempt WHERE run_id = $1",
      },
      [runId],
    );
    return { submitted: row!.submitted, amountNanoUsd: BigInt(row!.amount) };
  }
}
