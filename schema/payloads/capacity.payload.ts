/** What the mutations of capacity answer. */
import { payload } from "../user-error";
import { CapacityWindowView } from "../views/capacity.view";

export const CapacityWindowOpen = payload<{ capacityWindow?: CapacityWindowView }>(
  "CapacityWindowOpen",
  { capacityWindow: [() => CapacityWindowView, "The new window."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT"],
);

export const CapacityWindowCancel = payload<{ capacityWindow?: CapacityWindowView }>(
  "CapacityWindowCancel",
  { capacityWindow: [() => CapacityWindowView, "The cancelled window."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);
