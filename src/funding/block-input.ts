/** What somebody who blocks credit has to say, checked; and the refusal of more than there is, with the figures. */
import { z } from "zod";
import type { Block } from "../../entities/block";
import type { BlockReason } from "../../schema/enums";
import type { Viewer } from "../accounts/viewer";
import { formatNano } from "../money/nano";
import { DomainError } from "../platform/errors";
import { newId } from "../platform/ids";
import { checked } from "../platform/input";
import type { Placed } from "./block-book";
import type { BlockTarget, CoveredScope } from "./block-scope";

export interface NewBlock {
  readonly target: BlockTarget;
  /** Null: everything, also what comes back later. */
  readonly amountNanoCredit?: bigint | null | undefined;
  readonly reason: BlockReason;
  readonly explanation?: string | null | undefined;
  readonly evidenceUrl?: string | null | undefined;
}

const text = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  .regex(/^(?:\P{Cc}|\n)*$/u, "must not contain control characters")
  .nullish();
const blockFields = z
  .object({
    reason: z.string(),
    explanation: text,
    evidenceUrl: z
      .url({ protocol: /^https$/ })
      .max(2_000)
      .nullish(),
  })
  .refine(({ reason, explanation }) => reason !== "OTHER" || explanation != null, {
    path: ["explanation"],
    error: "say what the reason is",
  });

/** Before it is known what it covers. Errors: BAD_USER_INPUT. */
export function newBlock(viewer: Viewer, input: NewBlock, placedAt: Date): Omit<Block, keyof CoveredScope> {
  const { explanation, evidenceUrl } = checked(blockFields, input);
  const amountNanoCredit = input.amountNanoCredit ?? null;
  if (amountNanoCredit !== null && amountNanoCredit <= 0n) {
    throw new DomainError("BAD_USER_INPUT", "amount: must be more than 0; leave it out to block everything", {
      field: "amount",
    });
  }
  return {
    id: newId(),
    amountNanoCredit,
    reason: input.reason,
    explanation: explanation ?? null,
    evidenceUrl: evidenceUrl ?? null,
    state: "PLACING",
    placedById: viewer.organisationId,
    placedAt,
    effectiveAt: null,
    latencyMs: null,
    endedById: null,
    endedAt: null,
    version: 1,
  };
}

/** Which act an idempotency key stands for. */
export function fingerprintOf({ target, amountNanoCredit, reason, explanation, evidenceUrl }: NewBlock) {
  const { facilityId = null, startupId = null, lotId = null } = target;
  return {
    target: `${facilityId}/${startupId}/${lotId}`,
    amount: `${amountNanoCredit ?? null}`,
    reason,
    explanation: `${explanation ?? null}`,
    evidenceUrl: `${evidenceUrl ?? null}`,
  };
}

export function exceeds(wantedNanoCredit: bigint, { freeNanoCredit, leasedNanoCredit }: Placed): DomainError {
  const [wanted, free] = [formatNano(wantedNanoCredit), formatNano(freeNanoCredit)];
  return new DomainError(
    "BLOCK_EXCEEDS_AVAILABLE",
    `${wanted} credits were to be blocked and ${free} are free. Leave the amount out to block everything, also what comes back.`,
    { field: "amount", details: { wantedNanoCredit, freeNanoCredit, leasedNanoCredit } },
  );
}
