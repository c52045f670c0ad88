/** A piece of a file's bytes. */
import { Column, Entity, PrimaryColumn } from "typeorm";
import { Ref } from "./columns";

@Entity("workload_file_chunk")
export class WorkloadFileChunk {
  @Ref("WorkloadFile", { primary: true }) fileId!: string;
  /** From 0. */
  @PrimaryColumn("integer") number!: number;
  @Column("bytea") content!: Buffer;
}
