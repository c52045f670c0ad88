/** A service level as data: its promises, and what counts as a bad minute under it. */
import { Entity, PrimaryColumn } from "typeorm";
import type { SlaTierCode } from "../schema/enums";
import { Int, Text } from "./columns";

@Entity("sla_tier")
export class SlaTier {
  @PrimaryColumn("text") code!: SlaTierCode;
  @Int() rank!: number;
  @Int() uptimeTargetPpm!: number;
  /** p95 of time to first byte of content, milliseconds. */
  @Int() responseTimeMs!: number;
  @Text() bestFor!: string;
  @Int() badMinuteRequestsMin!: number;
  @Int() badMinuteFailedSharePpm!: number;
  @Int() badMinuteProbesMin!: number;
  @Int() latencySamplesMin!: number;
}
