/** The list of streams. */
import * as blocks from "./blocks.subscription";
import * as budgets from "./budgets.subscription";
import * as capacity from "./capacity.subscription";
import * as exposure from "./exposure.subscription";
import * as funding from "./funding.subscription";
import * as payouts from "./payouts.subscription";
import * as pricing from "./pricing.subscription";
import * as routing from "./routing.subscription";
import * as sla from "./sla.subscription";
import * as statements from "./statements.subscription";
import * as workloads from "./workloads.subscription";

export const subscriptionClasses = [
  capacity.CapacitySubscription,
  blocks.BlocksSubscription,
  budgets.BudgetsSubscription,
  funding.FundingSubscription,
  exposure.ExposureSubscription,
  payouts.PayoutsSubscription,
  pricing.PricingSubscription,
  routing.RoutingSubscription,
  routing.UtilizationSampleEdges,
  sla.SlaSubscription,
  statements.StatementsSubscription,
  workloads.WorkloadsSubscription,
] as const;
