/** The table of contents of the API's queries and mutations. */
import * as accounts from "./accounts.resolver";
import * as audit from "./audit.resolver";
import * as blocks from "./blocks.resolver";
import * as budgets from "./budgets.resolver";
import * as capacity from "./capacity.resolver";
import * as catalog from "./catalog.resolver";
import * as claims from "./claims.resolver";
import * as exposure from "./exposure.resolver";
import * as funding from "./funding.resolver";
import * as ledger from "./ledger.resolver";
import * as metering from "./metering.resolver";
import * as node from "./node.resolver";
import * as payoutAccounts from "./payout-accounts.resolver";
import * as payouts from "./payouts.resolver";
import * as pricing from "./pricing.resolver";
import * as rateLimit from "./rate-limit.resolver";
import * as routing from "./routing.resolver";
import * as sla from "./sla.resolver";
import * as statements from "./statements.resolver";
import * as system from "./system.resolver";
import * as workloads from "./workloads.resolver";

export const resolverClasses = [
  accounts.AccountsResolver,
  accounts.ViewerEdges,
  accounts.ProviderEdges,
  accounts.MemberEdges,
  accounts.ApiKeyEdges,
  accounts.SessionEdges,
  audit.AuditResolver,
  audit.AuditEventEdges,
  catalog.CatalogResolver,
  catalog.EndpointEdges,
  catalog.OfferingEdges,
  capacity.CapacityResolver,
  capacity.CapacityWindowEdges,
  pricing.PricingResolver,
  pricing.FixingEdges,
  pricing.RateCardsResolver,
  pricing.ProviderRateCardEdges,
  funding.FundingResolver,
  funding.FacilityEdges,
  funding.CreditLotEdges,
  funding.DrawdownEdges,
  exposure.ExposureResolver,
  exposure.CoverageEdges,
  exposure.CoverageAlertEdges,
  exposure.CreditUseEdges,
  blocks.BlocksResolver,
  blocks.BlockEdges,
  budgets.BudgetsResolver,
  budgets.ApiKeyBudgetEdges,
  budgets.ProjectEdges,
  budgets.BudgetEdges,
  budgets.BudgetAlertEdges,
  ledger.LedgerResolver,
  ledger.LedgerAccountEdges,
  metering.MeteringResolver,
  metering.UsageEdges,
  metering.DeliveryEdges,
  routing.RoutingResolver,
  routing.RoutingCandidateEdges,
  workloads.WorkloadsResolver,
  workloads.HostedJobEdges,
  payouts.PayoutsResolver,
  payouts.PayoutActsResolver,
  payouts.AccrualEdges,
  payouts.PayoutEdges,
  payouts.PayoutAttemptEdges,
  payoutAccounts.PayoutAccountsResolver,
  payoutAccounts.PayoutAccountEdges,
  claims.ClaimsResolver,
  claims.ClaimEdges,
  claims.FlaggedUsageEdges,
  claims.FlaggedUsageCountEdges,
  statements.StatementsResolver,
  statements.StatementActsResolver,
  statements.StatementEdges,
  statements.StatementLineEdges,
  statements.StatementSlaEvidenceEdges,
  statements.StatementReplayLineEdges,
  statements.StatementDisputeEdges,
  statements.CreditNoteEdges,
  sla.SlaResolver,
  sla.SlaBreachEdges,
  system.SystemResolver,
  rateLimit.RateLimitResolver,
  node.NodeResolver,
] as const;
