/** What can be asked of blocks. */
import { BlockReason, BlockScope, BlockState } from "../enums";
import { Exact, GlobalId, Input, Link, Of, OneOf, Text } from "../fields";

@OneOf("BlockTarget", "What to block: one of these.")
export class BlockTarget {
  @GlobalId("A facility: every lot that was drawn from it.", { nullable: true }) facilityId?: string | null;
  @GlobalId("A startup's wallet: its lots from your facilities; all of its lots, for an operator.", { nullable: true })
  startupId?: string | null;
  @GlobalId("One credit lot.", { nullable: true }) creditLotId?: string | null;
}

@Input("CreditBlockInput", "Credit to block.")
export class CreditBlockInput {
  @Of(() => BlockTarget, "What to block.") target!: BlockTarget;
  @Exact("Credits, above zero, taken in the order in which they would be spent; everything when left out.", {
    nullable: true,
  })
  amount?: string | null;
  @Of(() => BlockReason, "Why.") reason!: BlockReason;
  @Text("What the reason is, in words; OTHER needs it.", { nullable: true }) explanation?: string | null;
  @Link("Where the evidence is: https.", { nullable: true }) evidenceUrl?: string | null;
}

@Input("CreditUnblockInput", "A block to lift.")
export class CreditUnblockInput {
  @GlobalId("The block.") id!: string;
}

@Input("BlockAssignInput", "A block for DEFAULT whose credit becomes the lender's.")
export class BlockAssignInput {
  @GlobalId("The block: of everything, and ACTIVE.") id!: string;
}

@Input("BlockFilter", "Which blocks.")
export class BlockFilter {
  @GlobalId("Of this capital partner's lots.", { nullable: true }) capitalPartnerId?: string | null;
  @GlobalId("Of this facility as a whole.", { nullable: true }) facilityId?: string | null;
  @GlobalId("Of this startup's wallet.", { nullable: true }) startupId?: string | null;
  @GlobalId("Of this credit lot alone.", { nullable: true }) creditLotId?: string | null;
  @Of(() => BlockScope, "That cover such.", { nullable: true }) scope?: BlockScope | null;
  @Of(() => BlockReason, "For this reason.", { nullable: true }) reason?: BlockReason | null;
  @Of(() => BlockState, "That stand so.", { nullable: true }) state?: BlockState | null;
}
