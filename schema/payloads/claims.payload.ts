/** What the mutations of claims answer. */
import { payload } from "../user-error";
import { ClaimView } from "../views/claims.view";

export const ClaimSubmit = payload<{ claim?: ClaimView }>(
  "ClaimSubmit",
  { claim: [() => ClaimView, "The claim: its amount is in suspense."] },
  [
    "BAD_USER_INPUT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "STATE_CONFLICT",
    "IDEMPOTENCY_KEY_REQUIRED",
    "IDEMPOTENCY_KEY_REUSED",
  ],
);

export const ClaimDecide = payload<{ claim?: ClaimView }>(
  "ClaimDecide",
  { claim: [() => ClaimView, "The claim as it stands now."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_KEY_REUSED"],
);
