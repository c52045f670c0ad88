/** What lenders froze: blocks and what they cover. */
import { BlockChange, BlockReason, BlockScope, BlockState } from "../enums";
import { Flag, Instant, Link, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";
import { streamMessage } from "../stream";

@View("Block", "Credit that a lender or an operator froze: of a facility, a wallet or a lot, wholly or in part.", {
  implements: [Node],
})
export class BlockView extends Node {
  @Of(() => BlockScope, "What it covers.") scope!: BlockScope;
  @Of(() => Money, "How much was to be blocked; null for everything, also what comes back later.", { nullable: true })
  amount!: Money | null;
  @Of(() => BlockReason, "Why.") reason!: BlockReason;
  @Text("What the reason is, in words.", { nullable: true }) explanation!: string | null;
  @Link("Where the evidence is.", { nullable: true }) evidenceUrl!: string | null;
  @Of(() => BlockState, "How it stands.") state!: BlockState;
  @Flag("Whether an operator placed it, who then also ends it.") byOperator!: boolean;
  @Instant("When the ledger stopped lending and holding anything of it.") placedAt!: Date;
  @Instant("From when on no relay process could set aside anything of it; null while that is waited for.", {
    nullable: true,
  })
  effectiveAt!: Date | null;
  @Whole("Milliseconds from the request to that.", { nullable: true }) latencyMs!: number | null;
  @Instant("When it was refused, lifted or assigned; null while it stands.", { nullable: true }) endedAt!: Date | null;
  @Whole("Counts its changes.") version!: number;
  blockId!: string;
  facilityId!: string | null;
  startupId!: string | null;
  lotId!: string | null;
}

@View("BlockFigures", "What a block does to the credit that it covers.")
export class BlockFiguresView {
  @Whole("Credit lots that it covers.") lots!: number;
  @Of(() => Money, "Credits that it keeps from being spent now.") blocked!: Money;
  @Of(() => Money, "Credits that went to the lender, after a default.") assigned!: Money;
  @Of(() => Money, "Dollars behind those, which went back to the lender's principal.") assignedBacking!: Money;
}

@View("BlockEvent", "A change of one block.")
export class BlockEventView {
  @Text("Pass it as `after` to go on behind this message.") cursor!: string;
  @Of(() => BlockChange, "What happened.") change!: BlockChange;
  @Of(() => BlockView, "The block as it is now.") node!: BlockView;
}

export const BlockChangeMessage = streamMessage(
  "BlockChangeMessage",
  "A message of the stream of blocks.",
  () => BlockEventView,
);

export const BlockConnection = connectionOf<BlockView>("Block", () => BlockView);
