/** A file of a startup: what a job reads, or what a job wrote. Its bytes lie in chunks beside it. */
import { Check, Entity, Index } from "typeorm";
import type { LineFault } from "../schema/line-fault";
import { At, Big, Id, Int, Json, Ref, Text } from "./columns";

export type WorkloadFilePurpose = "BATCH" | "FINE_TUNE" | "BATCH_OUTPUT" | "FINE_TUNE_RESULTS";

@Entity("workload_file")
@Check("workload_file_purpose_check", "purpose IN ('BATCH','FINE_TUNE','BATCH_OUTPUT','FINE_TUNE_RESULTS')")
@Index("workload_file_startup", ["startupId", "id"])
@Index("workload_file_expiry", ["expiresAt"], { where: "deleted_at IS NULL" })
export class WorkloadFile {
  @Id() id!: string;
  @Ref("Organisation") startupId!: string;
  @Text() purpose!: WorkloadFilePurpose;
  @Text() filename!: string;
  @Big() bytes!: bigint;
  /** Chunks so far; the next one has this number. */
  @Int() chunkCount!: number;
  @Int() lineCount!: number;
  /** SHA-256 of an upload, in hex; null for what jobs write. */
  @Text({ nullable: true }) digest!: string | null;
  /** The first faults that were found when it was read in. */
  @Json() faults!: LineFault[];
  @At() createdAt!: Date;
  /** Its bytes are forgotten from then on; null: they are kept. */
  @At({ nullable: true }) expiresAt!: Date | null;
  @At({ nullable: true }) deletedAt!: Date | null;
}
