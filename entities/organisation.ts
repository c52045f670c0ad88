/** An organisation: provider, startup, capital partner or operator. */
import { Check, Entity } from "typeorm";
import type { OrganisationKind } from "../schema/enums";
import { At, Id, Int, Text } from "./columns";

@Entity("organisation")
@Check("organisation_kind_check", "kind IN ('PROVIDER','STARTUP','CAPITAL_PARTNER','OPERATOR')")
export class Organisation {
  @Id() id!: string;
  @Text() kind!: OrganisationKind;
  @Text() name!: string;
  @At() createdAt!: Date;
  @Int() version!: number;
}
