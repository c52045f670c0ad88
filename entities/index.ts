/** The tables of the DataSource. */
import { Accelerator } from "./accelerator";
import { AccountingPeriod } from "./accounting-period";
import { ApiKey } from "./api-key";
import { AuditEvent } from "./audit-event";
import { BankCallback } from "./bank-callback";
import { Block } from "./block";
import { BlockLot } from "./block-lot";
import { Budget } from "./budget";
import { BudgetAlert } from "./budget-alert";
import { BudgetEpoch } from "./budget-epoch";
import { BudgetPeriodRow } from "./budget-period";
import { CapacityWindow } from "./capacity-window";
import { CoverageAlert } from "./coverage-alert";
import { CreditLot } from "./credit-lot";
import { CreditNote } from "./credit-note";
import { CreditUse } from "./credit-use";
import { CreditUseMark } from "./credit-use-mark";
import { Drawdown } from "./drawdown";
import { Endpoint } from "./endpoint";
import { Entry } from "./entry";
import { Facility } from "./facility";
import { Fixing } from "./fixing";
import { Hold } from "./hold";
import { HoldBudget } from "./hold-budget";
import { IdempotencyKey } from "./idempotency-key";
import { JournalPage } from "./journal-page";
import { KeptAnswer } from "./kept-answer";
import { Lease } from "./lease";
import { LeaseBudget } from "./lease-budget";
import { LeaseSlice } from "./lease-slice";
import { LedgerAccount } from "./ledger-account";
import { Member } from "./member";
import { Offering } from "./offering";
import { Organisation } from "./organisation";
import { OutboxEpoch } from "./outbox-epoch";
import { OutboxEvent } from "./outbox-event";
import { Payout } from "./payout";
import { PayoutAccount } from "./payout-account";
import { PayoutApproval } from "./payout-approval";
import { PayoutAttempt } from "./payout-attempt";
import { PricingTierRow } from "./pricing-tier";
import { Project } from "./project";
import { ProviderClaim } from "./provider-claim";
import { RateCardRow } from "./rate-card";
import { RoutingDecision } from "./routing-decision";
import { ServicingFee } from "./servicing-fee";
import { Session } from "./session";
import { SlaBreach } from "./sla-breach";
import { SlaMinute } from "./sla-minute";
import { SlaTier } from "./sla-tier";
import { SpotObservation } from "./spot-observation";
import { Statement } from "./statement";
import { StatementDispute } from "./statement-dispute";
import { StatementLine } from "./statement-line";
import { TestClock } from "./test-clock";
import { Transfer } from "./transfer";
import { UsageRecord } from "./usage-record";
import { WorkloadAnswer } from "./workload-answer";
import { WorkloadCapture } from "./workload-capture";
import { WorkloadCheckpoint } from "./workload-checkpoint";
import { WorkloadEvent } from "./workload-event";
import { WorkloadFile } from "./workload-file";
import { WorkloadFileChunk } from "./workload-file-chunk";
import { WorkloadFileLine } from "./workload-file-line";
import { WorkloadJob } from "./workload-job";

export const entities = [
  Accelerator,
  AccountingPeriod,
  ApiKey,
  AuditEvent,
  BankCallback,
  Block,
  BlockLot,
  Budget,
  BudgetAlert,
  BudgetEpoch,
  BudgetPeriodRow,
  CapacityWindow,
  CoverageAlert,
  CreditLot,
  CreditNote,
  CreditUse,
  CreditUseMark,
  Drawdown,
  Endpoint,
  Entry,
  Facility,
  Fixing,
  Hold,
  HoldBudget,
  IdempotencyKey,
  JournalPage,
  KeptAnswer,
  LedgerAccount,
  Lease,
  LeaseBudget,
  LeaseSlice,
  Member,
  Offering,
  Organisation,
  OutboxEpoch,
  OutboxEvent,
  Payout,
  PayoutAccount,
  PayoutApproval,
  PayoutAttempt,
  PricingTierRow,
  Project,
  ProviderClaim,
  RateCardRow,
  RoutingDecision,
  ServicingFee,
  Session,
  SlaBreach,
  SlaMinute,
  SlaTier,
  SpotObservation,
  Statement,
  StatementDispute,
  StatementLine,
  TestClock,
  Transfer,
  UsageRecord,
  WorkloadAnswer,
  WorkloadCapture,
  WorkloadCheckpoint,
  WorkloadEvent,
  WorkloadFile,
  WorkloadFileChunk,
  WorkloadFileLine,
  WorkloadJob,
] as const;
