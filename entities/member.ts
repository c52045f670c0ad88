/** A person who acts for an organisation. Whoever is removed stays as a row: the audit trail names them. */
import { Check, Entity, Index } from "typeorm";
import type { MemberRole } from "../schema/enums";
import { At, Id, Int, Ref, Text } from "./columns";

@Entity("member")
@Check("member_role_check", "role IN ('OWNER','ADMIN','VIEWER')")
@Index("member_organisation_email_key", ["organisationId", "email"], { unique: true, where: "removed_at IS NULL" })
@Index("member_email", ["email"])
@Index("member_subject_key", ["oidcIssuer", "oidcSubject", "organisationId"], {
  unique: true,
  where: "removed_at IS NULL",
})
export class Member {
  @Id() id!: string;
  @Ref("Organisation") organisationId!: string;
  @Text() email!: string;
  @Text() displayName!: string;
  @Text() role!: MemberRole;
  @At() createdAt!: Date;
  @At({ nullable: true }) removedAt!: Date | null;
  /** Who the identity provider says that this is; bound by the first token with this verified e-mail address. */
  @Text({ nullable: true }) oidcIssuer!: string | null;
  @Text({ nullable: true }) oidcSubject!: string | null;
  @Int() version!: number;
}
