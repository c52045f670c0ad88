/** A promise of the tier that was broken from one minute to another, with the evidence of the minute that opened it. */
import { Check, Entity, Index } from "typeorm";
import type { SlaBreachKind, SlaTierCode } from "../schema/enums";
import { At, CodeRef, Id, Json, Ref, Text } from "./columns";

/** The counters of the minute that opened the breach. */
export interface SlaEvidence {
  minute: string;
  requests: number;
  failed: number;
  ttftSamples: number;
  within100Ms: number;
  within200Ms: number;
  within500Ms: number;
  probes: number;
  probesFailed: number;
}

@Entity("sla_breach")
@Check("sla_breach_kind_check", "kind IN ('UPTIME','RESPONSE_TIME')")
@Index("sla_breach_open_key", ["endpointId", "kind"], { unique: true, where: "closed_at IS NULL" })
export class SlaBreach {
  @Id() id!: string;
  @Ref("Endpoint") endpointId!: string;
  @Text() kind!: SlaBreachKind;
  @CodeRef("SlaTier") slaTier!: SlaTierCode;
  @At() openedAt!: Date;
  @At({ nullable: true }) closedAt!: Date | null;
  @Json() evidence!: SlaEvidence;
}
