/** A GPU model that capacity can be listed of. */
import { Check, Entity, PrimaryColumn } from "typeorm";
import type { AcceleratorStatus } from "../schema/enums";
import { Int, Text } from "./columns";

@Entity("accelerator")
@Check("accelerator_status_check", "status IN ('LISTED','EVALUATING')")
export class Accelerator {
  @PrimaryColumn("text") code!: string;
  @Text() name!: string;
  @Text() formFactor!: string;
  @Int() memoryGb!: number;
  @Text() status!: AcceleratorStatus;
}
