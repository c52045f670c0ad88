/** Providers' bank accounts: proposed by one, confirmed by another, paid to after a time. */
import { Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import {
  PayoutAccountCancelInput,
  PayoutAccountConfirmInput,
  PayoutAccountFilter,
  PayoutAccountProposeInput,
} from "../schema/inputs/payouts.input";
import { PageArgs } from "../schema/page";
import { PayoutAccountCancel, PayoutAccountConfirm, PayoutAccountPropose } from "../schema/payloads/payouts.payload";
import { ProviderView } from "../schema/views/accounts.view";
import { PayoutAccountConnection, PayoutAccountView } from "../schema/views/payouts.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import { connection } from "../src/api/views/page";
import { payoutAccountView } from "../src/api/views/payouts";

@Resolver()
export class PayoutAccountsResolver {
  @Query(() => PayoutAccountConnection, { description: "Bank accounts: a provider's own, all for an operator." })
  async payoutAccounts(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => PayoutAccountFilter) filter: PayoutAccountFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return connection(await services.payouts.accounts.page(viewer, page, { providerId }), payoutAccountView);
  }

  @Mutation(() => PayoutAccountPropose.type, {
    description:
      "Proposes a bank account to be paid to; nothing changes until another person confirms it. For providers.",
  })
  payoutAccountPropose(
    @InputArg(() => PayoutAccountProposeInput) input: PayoutAccountProposeInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(PayoutAccountPropose, async () => {
      const providerId = optionalUuidOf(input.providerId, "Provider", "providerId");
      const account = await services.payouts.accounts.propose(viewer, { ...input, providerId });
      return { payoutAccount: payoutAccountView(account) };
    });
  }

  @Mutation(() => PayoutAccountConfirm.type, {
    description:
      "Confirms a bank account that another member or key proposed, and starts its cooling period. Needs the scope ADMIN. For providers; of a first account for operators too.",
  })
  payoutAccountConfirm(
    @InputArg(() => PayoutAccountConfirmInput) input: PayoutAccountConfirmInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(PayoutAccountConfirm, async () => {
      const id = uuidOf(input.id, "PayoutAccount", "id");
      const account = await services.payouts.accounts.confirm(viewer, id, input.expectedVersion);
      return { payoutAccount: payoutAccountView(account) };
    });
  }

  @Mutation(() => PayoutAccountCancel.type, {
    description: "Takes a bank account back that waits to be confirmed or whose cooling period runs. For providers.",
  })
  payoutAccountCancel(
    @InputArg(() => PayoutAccountCancelInput) input: PayoutAccountCancelInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(PayoutAccountCancel, async () => {
      const id = uuidOf(input.id, "PayoutAccount", "id");
      const account = await services.payouts.accounts.cancel(viewer, id, input.expectedVersion);
      return { payoutAccount: payoutAccountView(account) };
    });
  }
}

@Resolver(() => PayoutAccountView)
export class PayoutAccountEdges {
  @FieldResolver(() => ProviderView, { description: "Who is paid to it." })
  async provider(@Root() { providerId }: PayoutAccountView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }
}
