/** The door to statements: a month is closed, told to each provider line by line, reviewed, and then owed. */
import type { EntityManager, ObjectLiteral, SelectQueryBuilder } from "typeorm";
import { AccountingPeriod } from "../../entities/accounting-period";
import { CreditNote } from "../../entities/credit-note";
import { Statement } from "../../entities/statement";
import { StatementDispute } from "../../entities/statement-dispute";
import { StatementLine } from "../../entities/statement-line";
import type { StatementLineKind, StatementState } from "../../schema/enums";
import { type Claim, checkIdempotencyKey, claimKey } from "../accounts/idempotency";
import { organisationScope, owns, requireKind, type Viewer } from "../accounts/viewer";
import { changed, made, recordAct } from "../audit/audit";
import { closePeriod } from "../ledger/periods";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { existingId } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { asSystem } from "../platform/tenancy";
import { transaction } from "../platform/transaction";
import { csvOf } from "./csv";
import { type Answer, answerDispute, type Correction, type NewDispute, openDispute, writeCreditNote } from "./disputes";
import { type DueStatement, dueStatements } from "./due";
import { checkPeriod } from "./period";
import { type CloseDependencies, PeriodClose } from "./period-close";
import { type Replay, replay } from "./replay";
import { finalise, lockedStatement, move } from "./review";

export type { Answer, Correction, NewDispute } from "./disputes";
export type { DueStatement } from "./due";
export type { Replay, ReplayedLine } from "./replay";

export interface StatementFilter {
  readonly providerId?: string | null | undefined;
  readonly period?: string | null | undefined;
  readonly state?: StatementState | null | undefined;
}

export interface LineFilter {
  readonly kind?: StatementLineKind | null | undefined;
}

export class Statements {
  private readonly dependencies: CloseDependencies;
  private readonly closing: PeriodClose;

  constructor(dependencies: CloseDependencies) {
    this.dependencies = dependencies;
    this.closing = new PeriodClose(dependencies);
  }

  /** For the worker: closes months that are over long enough, drafts, opens reviews, makes final what nobody objected to. */
  advance(): Promise<void> {
    return this.closing.advance();
  }

  /** Final, due at `at` or before, and worth something; the oldest first. For the system. */
  dueForPayout(tx: EntityManager, at: Date): Promise<DueStatement[]> {
    return dueStatements(tx, at);
  }

  /** A provider's own from its review on, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page, period). */
  async page(viewer: Viewer | null, page: PageRequest, filter: StatementFilter = {}): Promise<Page<Statement>> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(known, "READ", filter.providerId);
    const query = this.dependencies.db.source.getRepository(Statement).createQueryBuilder("statement");
    if (providerId !== null) query.andWhere("statement.providerId = :providerId", { providerId });
    if (known.kind !== "OPERATOR") query.andWhere("statement.state <> 'DRAFT'");
    if (filter.state != null) query.andWhere("statement.state = :state", { state: filter.state });
    if (filter.period != null) query.andWhere("statement.period = :period", { period: checkPeriod(filter.period) });
    return fetchPage(this.dependencies.db, query, page);
  }

  /** Errors: as `page`. */
  async lines(
    viewer: Viewer | null,
    page: PageRequest,
    filter: LineFilter & { statementId?: string | null } = {},
  ): Promise<Page<StatementLine>> {
    const query = this.dependencies.db.source.getRepository(StatementLine).createQueryBuilder("line");
    this.ownOnly(
      requireKind(viewer, "READ", "PROVIDER", "OPERATOR"),
      query.innerJoin(Statement, "s", "s.id = line.statementId"),
    );
    if (filter.statementId != null) {
      query.andWhere("line.statementId = :id", { id: existingId(filter.statementId, "statement") });
    }
    if (filter.kind != null) query.andWhere("line.kind = :kind", { kind: filter.kind });
    return fetchPage(this.dependencies.db, query, page);
  }

  /** Errors: as `page`. */
  async disputes(viewer: Viewer | null, page: PageRequest): Promise<Page<StatementDispute>> {
    const query = this.dependencies.db.source.getRepository(StatementDispute).createQueryBuilder("dispute");
    this.ownOnly(
      requireKind(viewer, "READ", "PROVIDER", "OPERATOR"),
      query.innerJoin(Statement, "s", "s.id = dispute.statementId"),
    );
    return fetchPage(this.dependencies.db, query, page);
  }

  /** Errors: as `page`. */
  async creditNotes(viewer: Viewer | null, page: PageRequest): Promise<Page<CreditNote>> {
    const query = this.dependencies.db.source.getRepository(CreditNote).createQueryBuilder("note");
    this.ownOnly(
      requireKind(viewer, "READ", "PROVIDER", "OPERATOR"),
      query.innerJoin(Statement, "s", "s.id = note.statementId"),
    );
    return fetchPage(this.dependencies.db, query, page);
  }

  /** Not final yet, oldest first: where the stream of changes starts. Errors: UNAUTHENTICATED, FORBIDDEN. */
  underWay(viewer: Viewer | null): Promise<Statement[]> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const which = "WHERE state = ANY ($2) AND ($1::uuid IS NULL OR provider_id = $1) ORDER BY id";
    const states = known.kind === "OPERATOR" ? ["DRAFT", "IN_REVIEW", "DISPUTED"] : ["IN_REVIEW", "DISPUTED"];
    return readRows(this.dependencies.db, Statement, which, [organisationScope(known, "READ"), states]);
  }

  /** Those of these that the viewer may see, in no order. Errors: UNAUTHENTICATED, FORBIDDEN. */
  async shownByIds(viewer: Viewer | null, ids: readonly string[]): Promise<Statement[]> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    return (await this.byIds(ids)).filter((statement) => this.shows(known, statement));
  }

  /** Loader sources: in no order, unknown ids left out, nobody authorised. */
  byIds(ids: readonly string[]): Promise<Statement[]> {
    return readRows(this.dependencies.db, Statement, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  linesByIds(ids: readonly string[]): Promise<StatementLine[]> {
    return readRows(this.dependencies.db, StatementLine, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  disputesByStatementIds(ids: readonly string[]): Promise<StatementDispute[]> {
    const rest = "WHERE statement_id = ANY ($1) ORDER BY id";
    return readRows(this.dependencies.db, StatementDispute, rest, [ids.filter(isId)]);
  }

  creditNotesByStatementIds(ids: readonly string[]): Promise<CreditNote[]> {
    const rest = "WHERE statement_id = ANY ($1) ORDER BY id";
    return readRows(this.dependencies.db, CreditNote, rest, [ids.filter(isId)]);
  }

  /** Works a statement out again from what is stored. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, STATEMENT_MISMATCH. */
  async replay(viewer: Viewer | null, id: string): Promise<{ statement: Statement; replay: Replay }> {
    const statement = await this.visible(viewer, id);
    const { db, rateCardsByIds } = this.dependencies;
    return { statement, replay: await replay(db, statement, rateCardsByIds) };
  }

  /** All its lines as a file for a spreadsheet; of a statement that its door has shown: nobody is authorised. */
  csvOf(statement: Pick<Statement, "id" | "period">): Promise<string> {
    return csvOf(this.dependencies.db, statement);
  }

  /**
   * Closes an ended month for good and drafts its statements. Errors: UNAUTHENTICATED, FORBIDDEN (operators only),
   * IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, BAD_USER_INPUT, STATE_CONFLICT (not over, closed, an earlier one open).
   */
  async closePeriod(viewer: Viewer | null, input: string, idempotencyKey: string): Promise<AccountingPeriod> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const period = checkPeriod(input);
    await this.once(
      known,
      { operation: "period-close", key: idempotencyKey, input: { period }, result: {} },
      async (tx, at) => {
        await closePeriod(tx, period, personOf(known), at);
        await recordAct(tx, known, {
          at,
          action: "period.close",
          subjectType: "Operator",
          subjectId: known.organisationId,
          organisationId: known.organisationId,
          change: { period: { to: period } },
        });
      },
    );
    // Drafts are the system's own act: what fails here, the worker does a moment later.
    await asSystem(async () => {
      await this.closing.draftMonth(period);
      await this.closing.openReviews();
    });
    return this.dependencies.db.source.manager.findOneByOrFail(AccountingPeriod, { period });
  }

  /**
   * Ends the review of a provider's own statement: it is owed as it stands. Errors: UNAUTHENTICATED, FORBIDDEN,
   * IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, NOT_FOUND, STATE_CONFLICT.
   */
  async approve(viewer: Viewer | null, id: string, idempotencyKey: string): Promise<Statement> {
    const known = requireKind(viewer, "WRITE", "PROVIDER", "OPERATOR");
    const statementId = existingId(id, "statement");
    const claim = { operation: "statement-approve", key: idempotencyKey, input: { statementId }, result: {} };
    await this.once(known, claim, async (tx, at) => {
      const statement = await this.own(tx, known, statementId);
      if (statement.approvedAt !== null) throw new DomainError("STATE_CONFLICT", "The statement is approved already.");
      const approved = { approvedAt: at, approvedBy: personOf(known) };
      const after = await move(tx, statement, "APPROVE", { outbox: this.dependencies.outbox, ...approved });
      await recordAct(
        tx,
        known,
        this.actOn(statement, "statement.approve", at, changed(statement, { approvedAt: after.approvedAt })),
      );
    });
    // Its money is the system's to move: a provider's request may not post to the ledger.
    await asSystem(() => this.closing.finalise(statementId));
    return this.visible(known, statementId, "primary");
  }

  /** Objects to a line of a provider's own statement. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, STATE_CONFLICT. */
  async dispute(viewer: Viewer | null, input: NewDispute): Promise<StatementDispute> {
    const known = requireKind(viewer, "WRITE", "PROVIDER", "OPERATOR");
    const at = this.dependencies.clock.now();
    return transaction(this.dependencies.db, async (tx) => {
      const by = personOf(known);
      const mine = (statement: Statement) => this.shows(known, statement);
      const dispute = await openDispute(tx, input, { outbox: this.dependencies.outbox, at, by, owns: mine });
      const change = made(dispute, "statementId", "lineId", "reason");
      await recordAct(tx, known, {
        at,
        action: "statement.dispute",
        subjectType: "StatementDispute",
        subjectId: dispute.id,
        organisationId: dispute.providerId,
        change,
      });
      return dispute;
    });
  }

  /**
   * Answers a dispute; upheld, with a credit note on the statement. Errors: UNAUTHENTICATED, FORBIDDEN (operators only),
   * IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, NOT_FOUND, BAD_USER_INPUT, STATE_CONFLICT.
   */
  async resolve(viewer: Viewer | null, input: Answer, idempotencyKey: string): Promise<StatementDispute> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const { disputeId, outcome, answer, creditNanoUsd } = input;
    const words = { disputeId, outcome, answer, creditNanoUsd: creditNanoUsd ?? "" };
    const claim = { operation: "dispute-resolve", key: idempotencyKey, input: words, result: {} };
    await this.once(known, claim, async (tx, at) => {
      const { outbox, ledger, reviewDays } = this.dependencies;
      const [dispute] = await answerDispute(tx, input, { outbox, ledger, at, by: personOf(known), reviewDays });
      await recordAct(tx, known, {
        at,
        action: "statement.resolve-dispute",
        subjectType: "StatementDispute",
        subjectId: dispute.id,
        organisationId: dispute.providerId,
        change: made(dispute, "state", "answer", "creditNanoUsd"),
      });
    });
    return this.dependencies.db.source.manager.findOneByOrFail(StatementDispute, { id: disputeId });
  }

  /**
   * Makes a statement final whose review is over; the worker does the same by itself. Errors: UNAUTHENTICATED, FORBIDDEN
   * (operators only), IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, NOT_FOUND, STATE_CONFLICT, STATEMENT_MISMATCH.
   */
  async finalise(viewer: Viewer | null, id: string, idempotencyKey: string): Promise<Statement> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const statementId = existingId(id, "statement");
    const claim = { operation: "statement-finalise", key: idempotencyKey, input: { statementId }, result: {} };
    await this.once(known, claim, async (tx, at) => {
      const { outbox, ledger } = this.dependencies;
      const [before, after] = await finalise(tx, statementId, { outbox, ledger, at });
      const { state, finalisedAt } = after;
      await recordAct(tx, known, this.actOn(before, "statement.finalise", at, changed(before, { state, finalisedAt })));
    });
    return this.visible(known, statementId, "primary");
  }

  /**
   * Corrects a final statement on the provider's next one. Errors: UNAUTHENTICATED, FORBIDDEN (operators only),
   * IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, NOT_FOUND, BAD_USER_INPUT, STATE_CONFLICT (not final).
   */
  async correct(viewer: Viewer | null, input: Correction, idempotencyKey: string): Promise<CreditNote> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const { statementId, amountNanoUsd, reason } = input;
    const claim = {
      operation: "credit-note-create",
      key: idempotencyKey,
      input: { statementId, amountNanoUsd, reason },
      result: { id: newId() },
    };
    const { id } = await this.once(known, claim, async (tx, at) => {
      const note = await writeCreditNote(tx, input, { id: claim.result.id, at, by: personOf(known) });
      await recordAct(tx, known, {
        at,
        action: "credit-note.create",
        subjectType: "CreditNote",
        subjectId: note.id,
        organisationId: note.providerId,
        change: made(note, "statementId", "amountNanoUsd", "reason"),
      });
    });
    return this.dependencies.db.source.manager.findOneByOrFail(CreditNote, { id: id! });
  }

  /** In one transaction, once per key of the viewer's organisation. Answers the ids of the first time. */
  private async once(
    viewer: Viewer,
    claim: Pick<Claim, "operation" | "key" | "input" | "result">,
    work: (tx: EntityManager, at: Date) => Promise<void>,
  ): Promise<Record<string, string>> {
    const key = checkIdempotencyKey(claim.key);
    const at = this.dependencies.clock.now();
    return transaction(this.dependencies.db, async (tx) => {
      const earlier = await claimKey(tx, { ...claim, key, organisationId: viewer.organisationId, at });
      if (earlier !== null) return earlier;
      await work(tx, at);
      return claim.result;
    });
  }

  private shows(viewer: Viewer, { providerId, state }: Statement): boolean {
    return owns(viewer, providerId) && (viewer.kind === "OPERATOR" || state !== "DRAFT");
  }

  /** `query` joins the statement as `s`. */
  private ownOnly<Row extends ObjectLiteral>(viewer: Viewer, query: SelectQueryBuilder<Row>): void {
    if (viewer.kind === "OPERATOR") return;
    query.andWhere("s.providerId = :own AND s.state <> 'DRAFT'", { own: viewer.organisationId });
  }

  private async own(tx: EntityManager, viewer: Viewer, id: string): Promise<Statement> {
    const statement = await lockedStatement(tx, id);
    if (!this.shows(viewer, statement)) throw notFound("statement", "id");
    return statement;
  }

  /** `primary`: what was written a moment ago has to be in it. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND. */
  private async visible(viewer: Viewer | null, id: string, from: "any" | "primary" = "any"): Promise<Statement> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const statementId = existingId(id, "statement");
    const [found] =
      from === "primary"
        ? await this.dependencies.db.source.manager.findBy(Statement, { id: statementId })
        : await this.byIds([statementId]);
    if (found === undefined || !this.shows(known, found)) throw notFound("statement", "id");
    return found;
  }

  private actOn(statement: Statement, action: string, at: Date, change: ReturnType<typeof changed>) {
    const { id: subjectId, providerId: organisationId } = statement;
    return { at, action, subjectType: "Statement" as const, subjectId, organisationId, change };
  }
}

const personOf = (viewer: Viewer): string => viewer.memberId ?? viewer.keyId!;
