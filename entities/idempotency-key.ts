/** The first result of a mutation that moves money, kept so that a repeat answers the same and moves nothing. */
import { Entity, PrimaryColumn } from "typeorm";
import { At, Json, Ref, Text } from "./columns";

@Entity("idempotency_key")
export class IdempotencyKey {
  @Ref("Organisation", { primary: true }) organisationId!: string;
  @PrimaryColumn("text") key!: string;
  @Text() operation!: string;
  /** SHA-256 of the input: the same key with another input is a fault of the caller. */
  @Text() fingerprint!: string;
  @Json() result!: Record<string, string>;
  @At() createdAt!: Date;
}
