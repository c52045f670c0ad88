/** What the mutations of funding answer. */
import { payload } from "../user-error";
import { CreditLotView, DrawdownView, FacilityView } from "../views/funding.view";

export const FacilityOpen = payload<{ facility?: FacilityView }>(
  "FacilityOpen",
  { facility: [() => FacilityView, "The new facility."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "MULTIPLIER_OUT_OF_BOUNDS"],
);

export const FacilityClose = payload<{ facility?: FacilityView }>(
  "FacilityClose",
  { facility: [() => FacilityView, "The closed facility."] },
  ["NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);

export const FacilityChangeLimit = payload<{ facility?: FacilityView }>(
  "FacilityChangeLimit",
  { facility: [() => FacilityView, "The facility with its new limit."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT", "FACILITY_LIMIT_EXCEEDED"],
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
    "COVENANT_BREACHED",
    "COVERAGE_BELOW_FLOOR",
    "IDEMPOTENCY_KEY_REQUIRED",
    "IDEMPOTENCY_KEY_REUSED",
  ],
);
