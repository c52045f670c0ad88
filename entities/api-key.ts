/** An API key: only a keyed hash of the secret is stored, and the prefix that lets people recognise it. */
import { Check, Column, Entity, Index } from "typeorm";
import type { ApiKeyScope } from "../schema/enums";
import { At, Flag, Id, Int, Ref, Text } from "./columns";

@Entity("api_key")
@Index("api_key_digest_key", ["digest"], { unique: true })
@Index("api_key_organisation", ["organisationId"])
@Check("api_key_limits_check", "LEAST(requests_per_minute, tokens_per_minute, concurrent_requests) > 0")
@Index("api_key_project", ["projectId"], { where: "project_id IS NOT NULL" })
@Index("api_key_origin", ["originId"], { where: "origin_id IS NOT NULL" })
export class ApiKey {
  @Id() id!: string;
  @Ref("Organisation") organisationId!: string;
  @Text() name!: string;
  @Text() prefix!: string;
  /** HMAC-SHA-256 of the whole key under the server's pepper. */
  @Column("bytea") digest!: Buffer;
  @Column("text", { array: true }) scopes!: ApiKeyScope[];
  @Flag() persistedOnly!: boolean;
  /** What the relay lets through for it; null: what the configuration says. */
  @Int({ nullable: true }) requestsPerMinute!: number | null;
  @Int({ nullable: true }) tokensPerMinute!: number | null;
  @Int({ nullable: true }) concurrentRequests!: number | null;
  /** The key that this one replaces. */
  @Ref("ApiKey", { nullable: true }) rotatedFromId!: string | null;
  /** The first of the line of keys that it replaces, whose budget it is under; null when it is the first itself. */
  @Ref("ApiKey", { nullable: true }) originId!: string | null;
  @Ref("Project", { nullable: true }) projectId!: string | null;
  @At() createdAt!: Date;
  @At({ nullable: true }) expiresAt!: Date | null;
  @At({ nullable: true }) revokedAt!: Date | null;
  /** To the minute. */
  @At({ nullable: true }) lastUsedAt!: Date | null;
  @Int() version!: number;
}
