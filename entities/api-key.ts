/** An API key: only a keyed hash of the secret is stored, and the prefix that lets people recognise it. */
import { Column, Entity, Index } from "typeorm";
import type { ApiKeyScope } from "../schema/enums";
import { At, Flag, Id, Int, Ref, Text } from "./columns";

@Entity("api_key")
@Index("api_key_digest_key", ["digest"], { unique: true })
@Index("api_key_organisation", ["organisationId"])
export class ApiKey {
  @Id() id!: string;
  @Ref("Organisation") organisationId!: string;
  @Text() name!: string;
  @Text() prefix!: string;
  /** HMAC-SHA-256 of the whole key under the server's pepper. */
  @Column("bytea") digest!: Buffer;
  @Column("text", { array: true }) scopes!: ApiKeyScope[];
  @Flag() persistedOnly!: boolean;
  /** The key that this one replaces. */
  @Ref("ApiKey", { nullable: true }) rotatedFromId!: string | null;
  @At() createdAt!: Date;
  @At({ nullable: true }) expiresAt!: Date | null;
  @At({ nullable: true }) revokedAt!: Date | null;
  /** To the minute. */
  @At({ nullable: true }) lastUsedAt!: Date | null;
  @Int() version!: number;
}
