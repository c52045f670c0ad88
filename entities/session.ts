/** A browser that is logged in: only a keyed hash of its cookie is stored. It stems from a person or from an API key. */
import { Check, Column, Entity, Index } from "typeorm";
import type { ApiKeyScope } from "../schema/enums";
import { At, Flag, Id, Int, Ref } from "./columns";

@Entity("session")
@Check("session_origin_check", "num_nonnulls(member_id, key_id) = 1")
@Index("session_digest_key", ["digest"], { unique: true })
@Index("session_organisation", ["organisationId"])
@Index("session_member", ["memberId"])
@Index("session_key", ["keyId"])
export class Session {
  @Id() id!: string;
  @Ref("Organisation") organisationId!: string;
  @Ref("Member", { nullable: true }) memberId!: string | null;
  @Ref("ApiKey", { nullable: true }) keyId!: string | null;
  @Column("bytea") digest!: Buffer;
  /** The most that it may; what its person or key may now narrows it. */
  @Column("text", { array: true }) scopes!: ApiKeyScope[];
  @Flag() persistedOnly!: boolean;
  @At() createdAt!: Date;
  /** To the minute. */
  @At() lastSeenAt!: Date;
  @At() expiresAt!: Date;
  @At({ nullable: true }) revokedAt!: Date | null;
  @Int() version!: number;
}
