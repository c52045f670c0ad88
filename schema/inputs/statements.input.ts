/** What can be asked of statements. */
import { DisputeOutcome, StatementLineKind, StatementState } from "../enums";
import { Exact, GlobalId, Input, Month, Of, Text } from "../fields";

@Input("StatementFilter", "Which statements.")
export class StatementFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @Month("Of this billing month.", { nullable: true }) period?: string | null;
  @Of(() => StatementState, "So far.", { nullable: true }) state?: StatementState | null;
}

@Input("StatementLineFilter", "Which lines.")
export class StatementLineFilter {
  @Of(() => StatementLineKind, "About this.", { nullable: true }) kind?: StatementLineKind | null;
}

@Input("PeriodCloseInput", "A month to close.")
export class PeriodCloseInput {
  @Month("The month, in UTC; over, and the first that is open.") period!: string;
}

@Input("StatementApproveInput", "A statement to approve.")
export class StatementApproveInput {
  @GlobalId("The statement, under review.") id!: string;
}

@Input("StatementDisputeInput", "An objection.")
export class StatementDisputeInput {
  @GlobalId("The line, of a statement under review.") lineId!: string;
  @Text("What is wrong with it, 1 to 1,000 characters.") reason!: string;
}

@Input("DisputeResolveInput", "An answer to an objection.")
export class DisputeResolveInput {
  @GlobalId("The dispute.") id!: string;
  @Of(() => DisputeOutcome, "Who is right.") outcome!: DisputeOutcome;
  @Text("Why, 1 to 1,000 characters.") answer!: string;
  @Exact("Dollars that an upheld one adds to the statement, or takes from it when negative.", { nullable: true })
  credit?: string | null;
}

@Input("StatementFinaliseInput", "A statement to make final.")
export class StatementFinaliseInput {
  @GlobalId("The statement, whose review is over.") id!: string;
}

@Input("CreditNoteCreateInput", "A correction of a final statement.")
export class CreditNoteCreateInput {
  @GlobalId("The statement that was wrong.") statementId!: string;
  @Exact("Dollars in the provider's favour; negative when it gives back.") amount!: string;
  @Text("Why, 1 to 1,000 characters.") reason!: string;
}
