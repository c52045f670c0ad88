/** Which accruals. */
import { GlobalId, Input, Month } from "../fields";

@Input("AccrualFilter", "Which accruals.")
export class AccrualFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @Month("Of this billing month.", { nullable: true }) period?: string | null;
}
