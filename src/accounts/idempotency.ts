/** Makes a mutation that moves money happen once per key: a repeat gets the first result, another input is refused. */
import { createHash } from "node:crypto";
import type { EntityManager } from "typeorm";
import { IdempotencyKey } from "../../entities/idempotency-key";
import { DomainError } from "../platform/errors";

const KEY_CHARS_MAX = 255;

export interface Claim {
  /** Whose key it is: two organisations may use the same text. */
  readonly organisationId: string;
  readonly key: string;
  readonly operation: string;
  readonly input: Readonly<Record<string, string | bigint>>;
  /** Ids made before the write, so that the first result is known before it happens. */
  readonly result: Record<string, string>;
  readonly at: Date;
}

/** Errors: IDEMPOTENCY_KEY_REQUIRED, BAD_USER_INPUT. */
export function checkIdempotencyKey(key: string | null | undefined): string {
  if (key == null || key === "") {
    throw new DomainError("IDEMPOTENCY_KEY_REQUIRED", 'This moves money: add `@idempotent(key: "…")`.');
  }
  if (key.length > KEY_CHARS_MAX || !/^[\x21-\x7e]+$/.test(key)) {
    throw new DomainError("BAD_USER_INPUT", `An idempotency key has 1 to ${KEY_CHARS_MAX} visible ASCII characters.`, {
      field: "key",
    });
  }
  return key;
}

/**
 * Call it first in the transaction of the act. Null: the key is new, go on, and `result` is kept with the commit;
 * otherwise the result of the first time. A second call with the key waits at the index until the first transaction
 * has ended: committed, it gets that result; rolled back, it takes the key itself.
 * Errors: IDEMPOTENCY_KEY_REUSED.
 */
export async function claimKey(tx: EntityManager, claim: Claim): Promise<Record<string, string> | null> {
  const fingerprint = fingerprintOf(claim.input);
  const claimed: unknown[] = await tx.query(
    `INSERT INTO idempotency_key (organisation_id, key, operation, fingerprint, result, created_at)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organisation_id, key) DO NOTHING RETURNING key`,
    [claim.organisationId, claim.key, claim.operation, fingerprint, JSON.stringify(claim.result), claim.at],
  );
  if (claimed.length > 0) return null;
  const { organisationId, key } = claim;
  const first = await tx.findOneByOrFail(IdempotencyKey, { organisationId, key });
  if (first.operation === claim.operation && first.fingerprint === fingerprint) return first.result;
  throw new DomainError("IDEMPOTENCY_KEY_REUSED", "This idempotency key came with another input before.", {
    field: "key",
  });
}

function fingerprintOf(input: Claim["input"]): string {
  const fields = Object.keys(input)
    .sort()
    .map((name) => [name, `${input[name]}`]);
  return createHash("sha256").update(JSON.stringify(fields)).digest("hex");
}
