/** What can be asked of the audit trail. */
import { GlobalId, Input, Instant, Text } from "../fields";

@Input("AuditEventFilter", "Which events.")
export class AuditEventFilter {
  @GlobalId("To objects of this organisation.", { nullable: true }) organisationId?: string | null;
  @Text("This action, e.g. `endpoint.move`.", { nullable: true }) action?: string | null;
  @GlobalId("To this object.", { nullable: true }) subjectId?: string | null;
  @GlobalId("By this API key.", { nullable: true }) apiKeyId?: string | null;
  @GlobalId("By this person.", { nullable: true }) memberId?: string | null;
  @Instant("At this instant or after.", { nullable: true }) from?: Date | null;
  @Instant("Before this instant.", { nullable: true }) to?: Date | null;
}
