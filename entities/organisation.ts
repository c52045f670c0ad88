/** An organisation: provider, startup, capital partner or operator. */
import { Check, Entity } from "typeorm";
import type { ClientSegment, OrganisationKind } from "../schema/enums";
import { At, Id, Int, Text } from "./columns";

@Entity("organisation")
@Check("organisation_kind_check", "kind IN ('PROVIDER','STARTUP','CAPITAL_PARTNER','OPERATOR')")
@Check(
  "organisation_segment_check",
  "segment IN ('UNSPECIFIED','PRE_SEED','SEED','SERIES_A','SERIES_B','GROWTH','ENTERPRISE')",
)
export class Organisation {
  @Id() id!: string;
  @Text() kind!: OrganisationKind;
  @Text() name!: string;
  /** Of a startup: how far it is, which is all that providers learn of their clients. */
  @Text({ default: "UNSPECIFIED" }) segment!: ClientSegment;
  @At() createdAt!: Date;
  @Int() version!: number;
}
