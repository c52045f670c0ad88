/** Closing months, and the statements that come of it: read, replayed, exported, approved, disputed, corrected. */
import type { GraphQLResolveInfo } from "graphql";
import { Arg, Args, Ctx, Extensions, FieldResolver, ID, Info, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import { KEEPS_IDEMPOTENCY_KEYS } from "../schema/idempotent";
import {
  CreditNoteCreateInput,
  DisputeResolveInput,
  PeriodCloseInput,
  StatementApproveInput,
  StatementDisputeInput,
  StatementFilter,
  StatementFinaliseInput,
  StatementLineFilter,
} from "../schema/inputs/statements.input";
import { PageArgs } from "../schema/page";
import {
  CreditNoteCreate,
  DisputeResolve,
  PeriodClose,
  StatementApprove,
  StatementDispute,
  StatementFinalise,
} from "../schema/payloads/statements.payload";
import { ProviderView } from "../schema/views/accounts.view";
import { EndpointView } from "../schema/views/catalog.view";
import { FixingView } from "../schema/views/pricing.view";
import {
  CreditNoteView,
  StatementConnection,
  StatementDisputeView,
  StatementLineConnection,
  StatementLineView,
  StatementReplayLineView,
  StatementReplayView,
  StatementSlaEvidenceView,
  StatementView,
} from "../schema/views/statements.view";
import type { Context } from "../src/api/context";
import { idempotencyKeyOf } from "../src/api/idempotency";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import { endpointView } from "../src/api/views/catalog";
import { accountingPeriodView } from "../src/api/views/ledger";
import { readNano } from "../src/api/views/money";
import { connection } from "../src/api/views/page";
import { fixingView } from "../src/api/views/pricing";
import {
  creditNoteView,
  statementDisputeView,
  statementLineView,
  statementReplayView,
  statementView,
} from "../src/api/views/statements";

@Resolver()
export class StatementsResolver {
  @Query(() => StatementConnection, {
    description: "Statements: a provider's own from their review on, all for an operator.",
  })
  async statements(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => StatementFilter) filter: StatementFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return connection(await services.statements.page(viewer, page, { ...filter, providerId }), statementView);
  }

  @Query(() => StatementReplayView, {
    description: "Works a statement out again from what is stored: the provider's own, any for an operator.",
  })
  async statementReplay(
    @Arg("statementId", () => ID, { description: "The statement." }) statementId: string,
    @Ctx() { services, viewer }: Context,
  ) {
    const id = uuidOf(statementId, "Statement", "statementId");
    const { statement, replay } = await services.statements.replay(viewer, id);
    return statementReplayView(statement, replay);
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => PeriodClose.type, {
    description:
      "Closes a month that is over, for good, and drafts its statements; the worker does the same by itself. Needs `@idempotent`. For operators.",
  })
  periodClose(
    @InputArg(() => PeriodCloseInput) { period }: PeriodCloseInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(PeriodClose, async () => ({
      accountingPeriod: accountingPeriodView(
        await services.statements.closePeriod(viewer, period, idempotencyKeyOf(info)),
      ),
    }));
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => StatementApprove.type, {
    description: "Ends a statement's review: its total is owed as it stands. Needs `@idempotent`. For providers.",
  })
  statementApprove(
    @InputArg(() => StatementApproveInput) input: StatementApproveInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(StatementApprove, async () => {
      const id = uuidOf(input.id, "Statement", "id");
      return { statement: statementView(await services.statements.approve(viewer, id, idempotencyKeyOf(info))) };
    });
  }

  @Mutation(() => StatementDispute.type, {
    description: "Objects to a line: its statement cannot become final before the answer. For providers.",
  })
  statementDispute(
    @InputArg(() => StatementDisputeInput) input: StatementDisputeInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(StatementDispute, async () => {
      const objection = { lineId: uuidOf(input.lineId, "StatementLine", "lineId"), reason: input.reason };
      return { dispute: statementDisputeView(await services.statements.dispute(viewer, objection)) };
    });
  }
}

@Resolver()
export class StatementActsResolver {
  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => DisputeResolve.type, {
    description:
      "Answers an objection; upheld, with a credit note on the statement. Needs `@idempotent`. For operators.",
  })
  disputeResolve(
    @InputArg(() => DisputeResolveInput) input: DisputeResolveInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(DisputeResolve, async () => {
      const words = {
        disputeId: uuidOf(input.id, "StatementDispute", "id"),
        outcome: input.outcome,
        answer: input.answer,
        creditNanoUsd: input.credit == null ? null : readNano(input.credit, "credit"),
      };
      return {
        dispute: statementDisputeView(await services.statements.resolve(viewer, words, idempotencyKeyOf(info))),
      };
    });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => StatementFinalise.type, {
    description:
      "Makes a statement final whose review is over; the worker does the same by itself. Needs `@idempotent`. For operators.",
  })
  statementFinalise(
    @InputArg(() => StatementFinaliseInput) input: StatementFinaliseInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(StatementFinalise, async () => {
      const id = uuidOf(input.id, "Statement", "id");
      return { statement: statementView(await services.statements.finalise(viewer, id, idempotencyKeyOf(info))) };
    });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => CreditNoteCreate.type, {
    description: "Corrects a final statement on its provider's next one. Needs `@idempotent`. For operators.",
  })
  creditNoteCreate(
    @InputArg(() => CreditNoteCreateInput) input: CreditNoteCreateInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(CreditNoteCreate, async () => {
      const correction = {
        statementId: uuidOf(input.statementId, "Statement", "statementId"),
        amountNanoUsd: readNano(input.amount, "amount"),
        reason: input.reason,
      };
      return {
        creditNote: creditNoteView(await services.statements.correct(viewer, correction, idempotencyKeyOf(info))),
      };
    });
  }
}

@Resolver(() => StatementView)
export class StatementEdges {
  @FieldResolver(() => ProviderView, { description: "Who earned it." })
  async provider(@Root() { providerId }: StatementView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }

  @FieldResolver(() => StatementLineConnection, { description: "Its lines." })
  async lines(
    @Root() { statementId }: StatementView,
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => StatementLineFilter) filter: StatementLineFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    return connection(await services.statements.lines(viewer, page, { ...filter, statementId }), statementLineView);
  }

  @FieldResolver(() => [StatementDisputeView], { description: "What was objected to, the first one first." })
  async disputes(@Root() { statementId }: StatementView, @Ctx() { loaders }: Context) {
    return (await loaders.disputesByStatementId.load(statementId)).map(statementDisputeView);
  }

  @FieldResolver(() => [CreditNoteView], { description: "Corrections of it after it was final, the first one first." })
  async creditNotes(@Root() { statementId }: StatementView, @Ctx() { loaders }: Context) {
    return (await loaders.creditNotesByStatementId.load(statementId)).map(creditNoteView);
  }

  @FieldResolver(() => String, {
    description: "All its lines and their total as CSV, times in UTC; no cell of it is a formula.",
  })
  csv(@Root() { statementId: id, period }: StatementView, @Ctx() { services }: Context) {
    return services.statements.csvOf({ id, period });
  }
}

@Resolver(() => StatementLineView)
export class StatementLineEdges {
  @FieldResolver(() => StatementView, { description: "The statement that it is on." })
  async statement(@Root() { statementId }: StatementLineView, @Ctx() { loaders }: Context) {
    return statementView(await loaders.statementById.load(statementId));
  }

  @FieldResolver(() => FixingView, { nullable: true, description: "The fixing; null where it is not about usage." })
  async fixing(@Root() { fixingId }: StatementLineView, @Ctx() { loaders }: Context) {
    return fixingId && fixingView(await loaders.fixingById.load(fixingId));
  }
}

@Resolver(() => StatementSlaEvidenceView)
export class StatementSlaEvidenceEdges {
  @FieldResolver(() => EndpointView, { description: "The endpoint." })
  async endpoint(@Root() { endpointId }: StatementSlaEvidenceView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }
}

@Resolver(() => StatementReplayLineView)
export class StatementReplayLineEdges {
  @FieldResolver(() => StatementLineView, {
    nullable: true,
    description: "The line; null for usage that no line tells of.",
  })
  async line(@Root() { lineId }: StatementReplayLineView, @Ctx() { loaders }: Context) {
    return lineId && statementLineView(await loaders.statementLineById.load(lineId));
  }
}

@Resolver(() => StatementDisputeView)
export class StatementDisputeEdges {
  @FieldResolver(() => StatementView, { description: "The statement." })
  async statement(@Root() { statementId }: StatementDisputeView, @Ctx() { loaders }: Context) {
    return statementView(await loaders.statementById.load(statementId));
  }

  @FieldResolver(() => StatementLineView, { description: "The line that is objected to." })
  async line(@Root() { lineId }: StatementDisputeView, @Ctx() { loaders }: Context) {
    return statementLineView(await loaders.statementLineById.load(lineId));
  }
}

@Resolver(() => CreditNoteView)
export class CreditNoteEdges {
  @FieldResolver(() => StatementView, { description: "The statement that it corrects." })
  async statement(@Root() { statementId }: CreditNoteView, @Ctx() { loaders }: Context) {
    return statementView(await loaders.statementById.load(statementId));
  }
}
