/** The list of streams. */
import * as capacity from "./capacity.subscription";
import * as funding from "./funding.subscription";
import * as pricing from "./pricing.subscription";
import * as routing from "./routing.subscription";
import * as sla from "./sla.subscription";

export const subscriptionClasses = [
  capacity.CapacitySubscription,
  funding.FundingSubscription,
  pricing.PricingSubscription,
  routing.RoutingSubscription,
  routing.UtilizationSampleEdges,
  sla.SlaSubscription,
] as const;
