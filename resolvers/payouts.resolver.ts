/** What providers have earned, the payouts on their way to them, and the bank accounts that those go to. */
import type { GraphQLResolveInfo } from "graphql";
import { Args, Ctx, Extensions, FieldResolver, Info, Mutation, Query, Resolver, Root } from "type-graphql";
import { PayoutHoldReason } from "../schema/enums";
import { Filter, InputArg } from "../schema/fields";
import { KEEPS_IDEMPOTENCY_KEYS } from "../schema/idempotent";
import {
  AccrualFilter,
  PayoutApproveInput,
  PayoutConfirmInput,
  PayoutExportFilter,
  PayoutFilter,
  PayoutHoldInput,
  PayoutReissueInput,
  PayoutReleaseInput,
  PayoutRunInput,
} from "../schema/inputs/payouts.input";
import { PageArgs } from "../schema/page";
import {
  PayoutApprove,
  PayoutConfirm,
  PayoutHold,
  PayoutReissue,
  PayoutRelease,
  PayoutRun,
} from "../schema/payloads/payouts.payload";
import { ProviderView } from "../schema/views/accounts.view";
import {
  AccrualConnection,
  AccrualView,
  PayoutAccountView,
  PayoutAttemptView,
  PayoutConnection,
  PayoutExportView,
  PayoutView,
} from "../schema/views/payouts.view";
import { StatementView } from "../schema/views/statements.view";
import type { Context } from "../src/api/context";
import { idempotencyKeyOf } from "../src/api/idempotency";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import { connection } from "../src/api/views/page";
import { accrualView, payoutAccountView, payoutAttemptView, payoutRunView, payoutView } from "../src/api/views/payouts";
import { statementView } from "../src/api/views/statements";

@Resolver()
export class PayoutsResolver {
  @Query(() => AccrualConnection, { description: "Earnings by month: a provider's own, all for an operator." })
  async accruals(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => AccrualFilter) filter: AccrualFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return connection(await services.payouts.accruals.page(viewer, page, { ...filter, providerId }), accrualView);
  }

  @Query(() => PayoutConnection, { description: "Payouts: a provider's own, all for an operator." })
  async payouts(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => PayoutFilter) filter: PayoutFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return connection(await services.payouts.page(viewer, page, { ...filter, providerId }), payoutView);
  }

  @Query(() => PayoutExportView, {
    description: "Payouts with the lines of their statements as CSV: a provider's own, all for an operator.",
  })
  payoutExport(
    @Filter(() => PayoutExportFilter) filter: PayoutExportFilter | null,
    @Ctx() { services, viewer }: Context,
  ): Promise<PayoutExportView> {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return services.payouts.export(viewer, { period: filter?.period, providerId });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => PayoutRun.type, {
    description:
      "Hands over every payout that is due and that nothing holds, as the worker does by itself. Needs `@idempotent`. For operators.",
  })
  payoutRun(
    @InputArg(() => PayoutRunInput) input: PayoutRunInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(PayoutRun, async () => ({
      run: payoutRunView(await services.payouts.runNow(viewer, input.note ?? null, idempotencyKeyOf(info))),
    }));
  }
}

@Resolver()
export class PayoutActsResolver {
  @Mutation(() => PayoutApprove.type, {
    description: "Says that a large payout may go to the account that its provider has; two have to. For operators.",
  })
  payoutApprove(@InputArg(() => PayoutApproveInput) input: PayoutApproveInput, @Ctx() { services, viewer }: Context) {
    return answer(PayoutApprove, async () => {
      const id = uuidOf(input.id, "Payout", "id");
      return { payout: payoutView(await services.payouts.acts.approve(viewer, id, input.expectedVersion)) };
    });
  }

  @Mutation(() => PayoutHold.type, {
    description: "Holds a payout that has not left, or that came back, e.g. for a dispute. For operators.",
  })
  payoutHold(@InputArg(() => PayoutHoldInput) input: PayoutHoldInput, @Ctx() { services, viewer }: Context) {
    return answer(PayoutHold, async () => {
      const { reason, expectedVersion } = input;
      const id = uuidOf(input.id, "Payout", "id");
      return { payout: payoutView(await services.payouts.acts.hold(viewer, id, reason, expectedVersion)) };
    });
  }

  @Mutation(() => PayoutRelease.type, { description: "Holds a payout no longer. For operators." })
  payoutRelease(@InputArg(() => PayoutReleaseInput) input: PayoutReleaseInput, @Ctx() { services, viewer }: Context) {
    return answer(PayoutRelease, async () => {
      const id = uuidOf(input.id, "Payout", "id");
      return { payout: payoutView(await services.payouts.acts.release(viewer, id, input.expectedVersion)) };
    });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => PayoutConfirm.type, {
    description:
      "Tells what became of a payment that left in a file, which no bank tells by itself. Needs `@idempotent`. For operators.",
  })
  payoutConfirm(
    @InputArg(() => PayoutConfirmInput) input: PayoutConfirmInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(PayoutConfirm, async () => {
      const seen = { ...input, id: uuidOf(input.id, "Payout", "id") };
      return { payout: payoutView(await services.payouts.acts.confirm(viewer, seen, idempotencyKeyOf(info))) };
    });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => PayoutReissue.type, {
    description:
      "Lets a payout that came back leave again, to the account that its provider has by then. Needs `@idempotent`. For operators.",
  })
  payoutReissue(
    @InputArg(() => PayoutReissueInput) input: PayoutReissueInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(PayoutReissue, async () => {
      const id = uuidOf(input.id, "Payout", "id");
      return { payout: payoutView(await services.payouts.acts.reissue(viewer, id, idempotencyKeyOf(info))) };
    });
  }
}

@Resolver(() => AccrualView)
export class AccrualEdges {
  @FieldResolver(() => ProviderView, { description: "Who earned it." })
  async provider(@Root() { providerId }: AccrualView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }
}

@Resolver(() => PayoutView)
export class PayoutEdges {
  @FieldResolver(() => ProviderView, { description: "Who is paid." })
  async provider(@Root() { providerId }: PayoutView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }

  @FieldResolver(() => StatementView, { description: "What it pays." })
  async statement(@Root() { statementId }: PayoutView, @Ctx() { loaders }: Context) {
    return statementView(await loaders.statementById.load(statementId));
  }

  @FieldResolver(() => [PayoutHoldReason], {
    description: "Why it does not leave while it is SCHEDULED, every reason; empty when it goes with the next run.",
  })
  async heldFor(@Root() { payoutId, state }: PayoutView, @Ctx() { loaders }: Context) {
    return state === "SCHEDULED" ? (await loaders.payoutStandingById.load(payoutId)).holds : [];
  }

  @FieldResolver(() => [PayoutAttemptView], { description: "Every try to pay it, the first one first." })
  async attempts(@Root() { payoutId }: PayoutView, @Ctx() { loaders }: Context) {
    return (await loaders.payoutAttemptsById.load(payoutId)).map(payoutAttemptView);
  }
}

@Resolver(() => PayoutAttemptView)
export class PayoutAttemptEdges {
  @FieldResolver(() => PayoutAccountView, { description: "The account that it went to." })
  async account(@Root() { accountId }: PayoutAttemptView, @Ctx() { loaders }: Context) {
    return payoutAccountView(await loaders.payoutAccountById.load(accountId));
  }
}
