/** What the mutation of pricing answers. */
import { payload } from "../user-error";
import { FixingView } from "../views/pricing.view";

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
