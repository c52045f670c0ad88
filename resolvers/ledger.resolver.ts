/** The ledger as it is written: accounts, entries, balances as of an instant, closed months, verification. */
import { Arg, Args, Ctx, FieldResolver, ID, Int, Query, Resolver, Root } from "type-graphql";
import { Filter } from "../schema/fields";
import { LedgerAccountFilter, LedgerEntryFilter } from "../schema/inputs/ledger.input";
import { PageArgs } from "../schema/page";
import { DateTime } from "../schema/scalars";
import { OrganisationView } from "../schema/views/accounts.view";
import { FacilityView } from "../schema/views/funding.view";
import {
  AccountingPeriodView,
  LedgerAccountConnection,
  LedgerAccountView,
  LedgerBalanceView,
  LedgerEntryConnection,
  LedgerVerificationView,
} from "../schema/views/ledger.view";
import { requireKind, requireScope } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { optionalUuidOf, organisationTypes, uuidOf } from "../src/api/node-ids";
import { organisationView } from "../src/api/views/accounts";
import { facilityView } from "../src/api/views/funding";
import {
  accountingPeriodView,
  ledgerAccountView,
  ledgerBalanceView,
  ledgerEntryView,
  ledgerVerificationView,
} from "../src/api/views/ledger";
import { connection } from "../src/api/views/page";
import { booksOf } from "../src/api/whose-books";

@Resolver()
export class LedgerResolver {
  @Query(() => LedgerAccountConnection, {
    description:
      "Ledger accounts: an organisation's own, those of a capital partner's facilities, all for an operator.",
  })
  async ledgerAccounts(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => LedgerAccountFilter) filter: LedgerAccountFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const organisationId = optionalUuidOf(filter?.organisationId, organisationTypes, "organisationId");
    const facilityId = optionalUuidOf(filter?.facilityId, "Facility", "facilityId");
    const books = booksOf(viewer, organisationId);
    const asked = { ...filter, organisationId, facilityId };
    return connection(await services.ledgerBooks.accounts(books, page, asked), ledgerAccountView);
  }

  @Query(() => LedgerEntryConnection, {
    description: "What happened to one of the accounts that you may see, with its balance after each.",
  })
  async ledgerEntries(
    @Arg("accountId", () => ID, { description: "The account." }) accountId: string,
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => LedgerEntryFilter) filter: LedgerEntryFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const id = uuidOf(accountId, "LedgerAccount", "accountId");
    const { account, entries } = await services.ledgerBooks.entries(booksOf(viewer), id, page, filter ?? {});
    return connection(entries, ledgerEntryView(account));
  }

  @Query(() => LedgerBalanceView, {
    description: "How one of the accounts that you may see stood: by when it was booked, and by when that was known.",
  })
  async ledgerBalance(
    @Arg("accountId", () => ID, { description: "The account." }) accountId: string,
    @Arg("bookedAt", () => DateTime, { nullable: true, description: "Counts what was booked at or before it." })
    bookedAt: Date | null,
    @Arg("recordedAt", () => DateTime, {
      nullable: true,
      description: "Counts what was on the record at or before it.",
    })
    recordedAt: Date | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const id = uuidOf(accountId, "LedgerAccount", "accountId");
    const asOf = { bookedAt: bookedAt ?? null, recordedAt: recordedAt ?? null };
    const { account, counters } = await services.ledgerBooks.balance(booksOf(viewer), id, asOf);
    return ledgerBalanceView(account, counters, asOf);
  }

  @Query(() => LedgerVerificationView, {
    description:
      "Holds pages of the journal against the rows that they vouch for, and the accounts against the newest page. For operators.",
  })
  async ledgerVerification(
    @Arg("fromPage", () => Int, { nullable: true, description: "The first page, 20 before the last when left out." })
    fromPage: number | null,
    @Arg("toPage", () => Int, { nullable: true, description: "The last page, the newest when left out." })
    toPage: number | null,
    @Ctx() { services, viewer }: Context,
  ) {
    requireKind(viewer, "READ", "OPERATOR");
    return ledgerVerificationView(await services.ledgerBooks.verify({ fromPage, toPage }));
  }

  @Query(() => [AccountingPeriodView], { description: "Months whose books are closed, the newest first." })
  async accountingPeriods(@Ctx() { services, viewer }: Context) {
    requireScope(viewer, "READ");
    return (await services.ledgerBooks.periods()).map(accountingPeriodView);
  }
}

@Resolver(() => LedgerAccountView)
export class LedgerAccountEdges {
  @FieldResolver(() => OrganisationView, {
    nullable: true,
    description: "Whose it is; null for the marketplace's own.",
  })
  async organisation(@Root() { organisationId }: LedgerAccountView, @Ctx() { loaders }: Context) {
    return organisationId === null ? null : organisationView(await loaders.organisationById.load(organisationId));
  }

  @FieldResolver(() => FacilityView, {
    nullable: true,
    description:
      "The facility that it belongs to; null when it is of none, and for startups, whose business it is not.",
  })
  async facility(@Root() { facilityId }: LedgerAccountView, @Ctx() { loaders, viewer }: Context) {
    if (facilityId === null || viewer?.kind === "STARTUP") return null;
    return facilityView(await loaders.facilityById.load(facilityId));
  }
}
