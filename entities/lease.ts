/** Credit lent to one relay process, from which it sets credit aside for requests without asking the ledger. */
import { Check, Column, Entity, Index } from "typeorm";
import type { LeaseState } from "../schema/enums";
import { At, Id, Int, Text } from "./columns";

@Entity("lease")
@Check("lease_state_check", "state IN ('ACTIVE','RETURNED','SWEPT')")
@Check("lease_epochs_check", "acknowledged_epoch BETWEEN 0 AND recall_epoch")
@Index("lease_active", ["startupId"], { where: "state = 'ACTIVE'" })
@Index("lease_active_instance", ["instance"], { where: "state = 'ACTIVE'" })
export class Lease {
  /** Never used again once swept: a capture that names a lease is fenced by it. */
  @Id() id!: string;
  @Column("uuid") startupId!: string;
  /** The relay process. */
  @Column("uuid") instance!: string;
  /** Which requests it may serve: `WORKLOAD|ACCELERATOR,ACCELERATOR`. */
  @Text() purpose!: string;
  @Text() state!: LeaseState;
  /** Raised by whoever wants the credit back. */
  @Int({ default: 0 }) recallEpoch!: number;
  /** The last recall after which everything that was not set aside has been returned. */
  @Int({ default: 0 }) acknowledgedEpoch!: number;
  @At() openedAt!: Date;
  /** Unless renewed until then, on the database's clock, the process counts as dead and its lease is swept. */
  @At() expiresAt!: Date;
  @At({ nullable: true }) closedAt!: Date | null;
}
