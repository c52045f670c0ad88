/** The answer of a request that came with an idempotency key, kept for a day so that a repeat gets it and is not charged again. */
import { Check, Column, Entity, Index, PrimaryColumn } from "typeorm";
import { At, Text } from "./columns";

/**
 * Written before the settlement, and worth something only once the usage record of its request exists. No foreign keys for
 * the same reason as `transfer`.
 */
@Entity("kept_answer")
@Check("kept_answer_stored_check", "sealed IS NULL OR stored_at IS NOT NULL")
@Index("kept_answer_request_key", ["requestId"], { unique: true })
@Index("kept_answer_claimed", ["claimedAt"])
export class KeptAnswer {
  @PrimaryColumn("uuid") organisationId!: string;
  @PrimaryColumn("text") key!: string;
  /** The request that has the key now. */
  @Column("uuid") requestId!: string;
  /** SHA-256 of route and body: the same key with another request is a fault of the caller. */
  @Text() fingerprint!: string;
  @At() claimedAt!: Date;
  /** When the process that serves it last said so. */
  @At() renewedAt!: Date;
  /** Set with `storedAt`: the lease that the request is charged to; null when it has a hold of its own. */
  @Column("uuid", { nullable: true }) leaseId!: string | null;
  @At({ nullable: true }) storedAt!: Date | null;
  /** Status, headers and body, sealed; null when it is too large to be kept. */
  @Column("bytea", { nullable: true }) sealed!: Buffer | null;
}
