/** Which accruals. */
import { GlobalId, Input, Text } from "../fields";

@Input("AccrualFilter", "Which accruals.")
export class AccrualFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @Text("Of this billing month, `YYYY-MM` in UTC.", { nullable: true }) period?: string | null;
}
