/** The list of streams. */
import * as funding from "./funding.subscription";
import * as routing from "./routing.subscription";
import * as sla from "./sla.subscription";

export const subscriptionClasses = [
  funding.FundingSubscription,
  routing.RoutingSubscription,
  routing.UtilizationSampleEdges,
  sla.SlaSubscription,
] as const;
