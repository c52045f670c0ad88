/** How far the marketplace's time is ahead of the real one, for all processes; one row, which moves with TEST_CLOCK=on only. */
import { Check, Entity, PrimaryColumn } from "typeorm";
import { At, Big } from "./columns";

@Entity("test_clock")
@Check("test_clock_id_check", "id = 1")
@Check("test_clock_offset_ms_check", "offset_ms >= 0")
export class TestClock {
  /** There is one. */
  @PrimaryColumn("integer") id!: number;
  @Big() offsetMs!: bigint;
  /** In real time; null before the first move. */
  @At({ nullable: true }) movedAt!: Date | null;
}
