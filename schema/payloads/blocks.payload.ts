/** What the mutations of blocks answer. */
import { payload } from "../user-error";
import { BlockView } from "../views/blocks.view";

export const CreditBlock = payload<{ block?: BlockView }>(
  "CreditBlock",
  { block: [() => BlockView, "The block: ACTIVE, and nothing that it covers can be set aside any more."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "BLOCK_EXCEEDS_AVAILABLE", "IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_KEY_REUSED"],
);

export const CreditUnblock = payload<{ block?: BlockView }>(
  "CreditUnblock",
  { block: [() => BlockView, "The block, LIFTED."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_KEY_REUSED"],
);

export const BlockAssign = payload<{ block?: BlockView }>(
  "BlockAssign",
  { block: [() => BlockView, "The block, ASSIGNED."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_KEY_REUSED"],
);
