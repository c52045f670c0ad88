/** A person who acts for an organisation. */
import { Check, Entity, Index } from "typeorm";
import type { MemberRole } from "../schema/enums";
import { At, Id, Ref, Text } from "./columns";

@Entity("member")
@Check("member_role_check", "role IN ('OWNER','ADMIN','VIEWER')")
@Index("member_organisation_email_key", ["organisationId", "email"], { unique: true })
export class Member {
  @Id() id!: string;
  @Ref("Organisation") organisationId!: string;
  @Text() email!: string;
  @Text() displayName!: string;
  @Text() role!: MemberRole;
  @At() createdAt!: Date;
}
