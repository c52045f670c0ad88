/** What the mutations of statements answer. */
import { payload } from "../user-error";
import { AccountingPeriodView } from "../views/ledger.view";
import { CreditNoteView, StatementDisputeView, StatementView } from "../views/statements.view";

const oncePerKey = ["IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_KEY_REUSED"] as const;

export const PeriodClose = payload<{ accountingPeriod?: AccountingPeriodView }>(
  "PeriodClose",
  { accountingPeriod: [() => AccountingPeriodView, "The month, closed."] },
  ["BAD_USER_INPUT", "STATE_CONFLICT", ...oncePerKey],
);

export const StatementApprove = payload<{ statement?: StatementView }>(
  "StatementApprove",
  { statement: [() => StatementView, "The statement, approved, and final if it matches the ledger."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", ...oncePerKey],
);

export const StatementDispute = payload<{ dispute?: StatementDisputeView }>(
  "StatementDispute",
  { dispute: [() => StatementDisputeView, "The objection."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT"],
);

export const DisputeResolve = payload<{ dispute?: StatementDisputeView }>(
  "DisputeResolve",
  { dispute: [() => StatementDisputeView, "The objection with its answer."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", ...oncePerKey],
);

export const StatementFinalise = payload<{ statement?: StatementView }>(
  "StatementFinalise",
  { statement: [() => StatementView, "The statement, final."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "STATEMENT_MISMATCH", ...oncePerKey],
);

export const CreditNoteCreate = payload<{ creditNote?: CreditNoteView }>(
  "CreditNoteCreate",
  { creditNote: [() => CreditNoteView, "The correction."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", ...oncePerKey],
);
