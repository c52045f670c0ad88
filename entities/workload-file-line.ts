/** One request of a batch's input file: what a job needs to know of it to price it, without reading the file again. */
import { Entity, PrimaryColumn } from "typeorm";
import { Flag, Int, Ref, Text } from "./columns";

@Entity("workload_file_line")
export class WorkloadFileLine {
  @Ref("WorkloadFile", { primary: true }) fileId!: string;
  /** From 1. */
  @PrimaryColumn("integer") line!: number;
  @Text() customId!: string;
  @Text() url!: string;
  @Text() model!: string;
  @Int() promptBytes!: number;
  /** Per choice; null: as many as the offering allows. */
  @Int({ nullable: true }) maxTokens!: number | null;
  @Int() choices!: number;
  /** Of its answers some are never shown: what was delivered does not bound what was written. */
  @Flag() hidesOutput!: boolean;
}
