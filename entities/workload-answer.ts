/** One line of a batch that was answered: the key lets it be charged once, however often its provider sends it. */
import { Entity, PrimaryColumn } from "typeorm";
import { Flag, Ref } from "./columns";

@Entity("workload_answer")
export class WorkloadAnswer {
  @Ref("WorkloadJob", { primary: true }) jobId!: string;
  @PrimaryColumn("integer") line!: number;
  @Flag() succeeded!: boolean;
}
