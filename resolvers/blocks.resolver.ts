/** Credit frozen, freed again, or taken over after a default. */
import type { GraphQLResolveInfo } from "graphql";
import { Args, Ctx, Extensions, FieldResolver, Info, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import { KEEPS_IDEMPOTENCY_KEYS } from "../schema/idempotent";
import { BlockAssignInput, BlockFilter, CreditBlockInput, CreditUnblockInput } from "../schema/inputs/blocks.input";
import { PageArgs } from "../schema/page";
import { BlockAssign, CreditBlock, CreditUnblock } from "../schema/payloads/blocks.payload";
import { StartupView } from "../schema/views/accounts.view";
import { BlockConnection, BlockFiguresView, BlockView } from "../schema/views/blocks.view";
import { CreditLotView, FacilityView } from "../schema/views/funding.view";
import type { Context } from "../src/api/context";
import { idempotencyKeyOf } from "../src/api/idempotency";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import { blockFiguresView, blockView } from "../src/api/views/blocks";
import { creditLotView, facilityView } from "../src/api/views/funding";
import { readNano } from "../src/api/views/money";
import { connection } from "../src/api/views/page";

@Resolver()
export class BlocksResolver {
  @Query(() => BlockConnection, {
    description: "Blocks: of a capital partner's own facilities and borrowers, all for an operator.",
  })
  async blocks(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => BlockFilter) filter: BlockFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const asked = {
      capitalPartnerId: optionalUuidOf(filter?.capitalPartnerId, "CapitalPartner", "capitalPartnerId"),
      facilityId: optionalUuidOf(filter?.facilityId, "Facility", "facilityId"),
      startupId: optionalUuidOf(filter?.startupId, "Startup", "startupId"),
      lotId: optionalUuidOf(filter?.creditLotId, "CreditLot", "creditLotId"),
      scope: filter?.scope,
      reason: filter?.reason,
      state: filter?.state,
    };
    return connection(await services.blocks.page(viewer, page, asked), blockView);
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => CreditBlock.type, {
    description:
      "Blocks credit. When it answers, nothing of it can be set aside for a request on any relay; what was set aside before is still charged. Needs `@idempotent`. For capital partners.",
  })
  creditBlock(
    @InputArg(() => CreditBlockInput) input: CreditBlockInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(CreditBlock, async () => {
      const { facilityId, startupId, creditLotId } = input.target;
      const block = {
        target: {
          facilityId: optionalUuidOf(facilityId, "Facility", "target"),
          startupId: optionalUuidOf(startupId, "Startup", "target"),
          lotId: optionalUuidOf(creditLotId, "CreditLot", "target"),
        },
        amountNanoCredit: input.amount == null ? null : readNano(input.amount, "amount"),
        reason: input.reason,
        explanation: input.explanation,
        evidenceUrl: input.evidenceUrl,
      };
      return { block: blockView(await services.blocks.place(viewer, block, idempotencyKeyOf(info))) };
    });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => CreditUnblock.type, {
    description: "Lifts a block: exactly what it blocked is free again. Needs `@idempotent`. For capital partners.",
  })
  creditUnblock(
    @InputArg(() => CreditUnblockInput) input: CreditUnblockInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(CreditUnblock, async () => ({
      block: blockView(await services.blocks.lift(viewer, uuidOf(input.id, "Block", "id"), idempotencyKeyOf(info))),
    }));
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => BlockAssign.type, {
    description:
      "After a default: what is left of the blocked lots becomes the lender's, with the dollars behind it; what requests in flight do not use follows. Needs `@idempotent`. For capital partners.",
  })
  blockAssign(
    @InputArg(() => BlockAssignInput) input: BlockAssignInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(BlockAssign, async () => ({
      block: blockView(await services.blocks.assign(viewer, uuidOf(input.id, "Block", "id"), idempotencyKeyOf(info))),
    }));
  }
}

@Resolver(() => BlockView)
export class BlockEdges {
  @FieldResolver(() => FacilityView, { nullable: true, description: "The facility, where it covers one." })
  async facility(@Root() { facilityId }: BlockView, @Ctx() { loaders }: Context) {
    return facilityId === null ? null : facilityView(await loaders.facilityById.load(facilityId));
  }

  @FieldResolver(() => StartupView, { nullable: true, description: "The startup, where it covers a wallet." })
  async startup(@Root() { startupId }: BlockView, @Ctx() { loaders }: Context) {
    return startupId === null ? null : organisationView(await loaders.organisationById.load(startupId));
  }

  @FieldResolver(() => CreditLotView, { nullable: true, description: "The credit lot, where it covers one." })
  async creditLot(@Root() { lotId }: BlockView, @Ctx() { loaders }: Context) {
    return lotId === null ? null : creditLotView(await loaders.lotById.load(lotId));
  }

  @FieldResolver(() => BlockFiguresView, { description: "What it does to the credit that it covers, now." })
  async figures(@Root() { blockId }: BlockView, @Ctx() { loaders }: Context) {
    return blockFiguresView(await loaders.blockFiguresById.load(blockId));
  }
}
