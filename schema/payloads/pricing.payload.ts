/** What the mutations of pricing answer. */
import { payload } from "../user-error";
import { FixingView, RateCardView } from "../views/pricing.view";

export const SpotPricesRecord = payload<{ fixings?: FixingView[] }>(
  "SpotPricesRecord",
  {
    fixings: [
      () => [FixingView],
      "This hour's fixings of the places that prices were recorded for; one that stood already is not changed by them.",
    ],
  },
  ["BAD_USER_INPUT", "NOT_FOUND"],
);

export const RateCardPropose = payload<{ rateCard?: RateCardView }>(
  "RateCardPropose",
  { rateCard: [() => RateCardView, "The proposal."] },
  ["BAD_USER_INPUT", "NOT_FOUND"],
);

export const RateCardApprove = payload<{ rateCard?: RateCardView }>(
  "RateCardApprove",
  { rateCard: [() => RateCardView, "The rate card, approved."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "SECOND_PERSON_REQUIRED", "RATE_CARD_INSOLVENT"],
);

export const RateCardRetire = payload<{ rateCard?: RateCardView }>(
  "RateCardRetire",
  { rateCard: [() => RateCardView, "The rate card, retired."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT"],
);
