/** What one endpoint did in one UTC minute, as counts that add up. */
import { Entity, PrimaryColumn } from "typeorm";
import { Int, Ref } from "./columns";

@Entity("sla_minute")
export class SlaMinute {
  @Ref("Endpoint", { primary: true }) endpointId!: string;
  @PrimaryColumn("timestamptz") minute!: Date;
  @Int({ default: 0 }) requests!: number;
  @Int({ default: 0 }) failed!: number;
  @Int({ default: 0 }) ttftSamples!: number;
  @Int({ default: 0 }) within100Ms!: number;
  @Int({ default: 0 }) within200Ms!: number;
  @Int({ default: 0 }) within500Ms!: number;
  @Int({ default: 0 }) probes!: number;
  @Int({ default: 0 }) probesFailed!: number;
}
