/** The migrations in their order. */
import { Accounts } from "./0001-accounts";
import { Catalog } from "./0002-catalog";
import { Capacity } from "./0003-capacity";
import { Pricing } from "./0004-pricing";
import { Ledger } from "./0005-ledger";
import { Funding } from "./0006-funding";
import { Metering } from "./0007-metering";
import { Sla } from "./0008-sla";
import { Routing } from "./0009-routing";
import { Events } from "./0010-events";
import { LedgerFunctions } from "./0011-ledger-functions";
import { SettlementFunction } from "./0012-settlement-function";
import { ReferenceData } from "./0013-reference-data";
import { Access } from "./0014-access";
import { OutboxEpoch } from "./0015-outbox-epoch";
import { RowSecurity } from "./0016-row-security";
import { LedgerComplete } from "./0017-ledger";
import { Journal } from "./0018-journal";
import { FundingTerms } from "./0019-funding-terms";
import { BlocksAndClaims } from "./0020-blocks-and-claims";
import { Statements } from "./0021-statements";
import { Payouts } from "./0022-payouts";
import { TestClock } from "./0023-test-clock";
import { KeyLimits } from "./0024-key-limits";
import { Replays } from "./0025-replays";
import { Budgets } from "./0026-budgets";
import { WorkloadJobs } from "./0027-workload-jobs";
import { Receipts } from "./0028-receipts";
import { PlainCaptures } from "./0029-plain-captures";
import { BatchOperations } from "./0030-batch-operations";

export const migrations = [
  Accounts,
  Catalog,
  Capacity,
  Pricing,
  Ledger,
  Funding,
  Metering,
  Sla,
  Routing,
  Events,
  LedgerFunctions,
  SettlementFunction,
  ReferenceData,
  Access,
  OutboxEpoch,
  RowSecurity,
  LedgerComplete,
  Journal,
  FundingTerms,
  BlocksAndClaims,
  Statements,
  Payouts,
  TestClock,
  KeyLimits,
  Replays,
  Budgets,
  WorkloadJobs,
  Receipts,
  PlainCaptures,
  BatchOperations,
] as const;
