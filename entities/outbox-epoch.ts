/** Which history the positions of durable events belong to, and up to where it has been forgotten; one row. */
import { Entity, PrimaryColumn } from "typeorm";
import { Big } from "./columns";

@Entity("outbox_epoch")
export class OutboxEpoch {
  /** Set anew when a database is restored from a backup: cursors from after the backup then lead nowhere. */
  @PrimaryColumn("uuid") epoch!: string;
  /** Events up to this position are no longer kept. */
  @Big() trimmedPosition!: bigint;
}
