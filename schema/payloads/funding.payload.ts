/** What the mutations of funding answer. */
import { payload } from "../user-error";
import { CreditLotView, DrawdownView, FacilityView } from "../views/funding.view";

export const FacilityOpen = payload<{ facility?: FacilityView }>(
  "FacilityOpen",
  { facility: [() => FacilityView, "The new facility."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "MULTIPLIER_OUT_OF_BOUNDS"],
);

export const DrawdownCreate = payload<{ drawdown?: DrawdownView; creditLot?: CreditLotView }>(
  "DrawdownCreate",
  {
    drawdown: [() => DrawdownView, "The dollars drawn."],
    creditLot: [() => CreditLotView, "The credit that they issued."],
  },
  [
    "BAD_USER_INPUT",
    "NOT_FOUND",
    "STATE_CONFLICT",
    "FACILITY_LIMIT_EXCEEDED",
    "IDEMPOTENCY_KEY_REQUIRED",
    "IDEMPOTENCY_KEY_REUSED",
  ],
);
