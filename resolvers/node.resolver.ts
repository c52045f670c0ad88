/** Any object by its id, each through the door of its list: what no list shows a viewer, no id shows either. */
import { Arg, Ctx, ID, Query, Resolver } from "type-graphql";
import { decodeId, Node, type NodeType } from "../schema/node";
import { requireKind, requireScope } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { pageOfOne } from "../src/api/node-ids";
import { apiKeyView, memberView, organisationView, sessionView } from "../src/api/views/accounts";
import { auditEventView } from "../src/api/views/audit";
import { blockView } from "../src/api/views/blocks";
import { budgetAlertView, budgetView, projectView } from "../src/api/views/budgets";
import { capacityWindowView } from "../src/api/views/capacity";
import { endpointView, offeringView } from "../src/api/views/catalog";
import { claimView, flaggedUsageView } from "../src/api/views/claims";
import { coverageAlertView } from "../src/api/views/exposure";
import { creditLotView, drawdownView, facilityView } from "../src/api/views/funding";
import { ledgerAccountView } from "../src/api/views/ledger";
import { deliveryView, usageView } from "../src/api/views/metering";
import { accrualOfKey, accrualView, payoutAccountView, payoutView } from "../src/api/views/payouts";
import { fixingView, rateCardView } from "../src/api/views/pricing";
import { routingCandidacyView, routingDecisionView } from "../src/api/views/routing";
import { slaBreachView } from "../src/api/views/sla";
import { creditNoteView, statementDisputeView, statementLineView, statementView } from "../src/api/views/statements";
import { hostedJobView, workloadJobView } from "../src/api/views/workloads";
import { booksOf } from "../src/api/whose-books";
import { DomainError } from "../src/platform/errors";
import { isId } from "../src/platform/ids";
import type { Page, PageRequest } from "../src/platform/page";
import { ownEndpoints } from "./routing.resolver";

const NODES_MAX = 100;
const UUID_LENGTH = 36;

type Find = (context: Context, page: PageRequest, key: string) => Promise<Node | undefined>;

const first = async <Row>(page: Promise<Page<Row>>, view: (row: Row) => Node): Promise<Node | undefined> =>
  (await page).rows.map(view)[0];

const organisation: Find = ({ services, viewer }, page) =>
  first(services.accounts.organisations(viewer, page), organisationView);

const finders: Readonly<Record<NodeType, Find>> = {
  Provider: organisation,
  Startup: organisation,
  CapitalPartner: organisation,
  Operator: organisation,
  Member: ({ services, viewer }, page) => first(services.accounts.members.page(viewer, page), memberView),
  ApiKey: ({ services, viewer }, page) => first(services.accounts.apiKeys(viewer, page), apiKeyView),
  Session: ({ services, viewer }, page) =>
    first(services.accounts.sessions.page(viewer, page), (row) => sessionView(row, viewer)),
  AuditEvent: ({ services, viewer }, page) => first(services.auditTrail.page(viewer, page), auditEventView),
  Endpoint: ({ services, viewer }, page) => first(services.catalog.endpoints(viewer, page), endpointView),
  Offering: ({ services, viewer }, page) => first(services.catalog.offerings(viewer, page), offeringView),
  CapacityWindow: ({ services, viewer }, page) => first(services.capacity.windows(viewer, page), capacityWindowView),
  Fixing: ({ services, viewer }, page) => first(services.pricing.fixings(viewer, page), fixingView),
  Facility: ({ services, viewer }, page) => first(services.funding.facilities(viewer, page), facilityView),
  Drawdown: ({ services, viewer }, page) => first(services.funding.drawdowns(viewer, page), drawdownView),
  CoverageAlert: ({ services, viewer }, page) =>
    first(services.funding.exposure.alerts(viewer, page), coverageAlertView),
  CreditLot: ({ services, viewer }, page) => first(services.funding.lots(viewer, page), creditLotView),
  Block: ({ services, viewer }, page) => first(services.blocks.page(viewer, page), blockView),
  Project: ({ services, viewer }, page) => first(services.accounts.projects.page(viewer, page), projectView),
  Budget: ({ services, viewer }, page) => first(services.budgets.page(viewer, page), budgetView),
  BudgetAlert: ({ services, viewer }, page) => first(services.budgets.alerts(viewer, page), budgetAlertView),
  FlaggedUsage: ({ services, viewer }, page) => first(services.flaggedUsage.page(viewer, page), flaggedUsageView),
  Claim: ({ services, viewer }, page) => first(services.claims.page(viewer, page), claimView),
  Usage: ({ services, viewer }, page) => first(services.metering.usage(viewer, page, {}), usageView),
  Delivery: ({ services, viewer }, page) => first(services.metering.deliveries(viewer, page, {}), deliveryView),
  RoutingDecision: ({ services, viewer }, page) => {
    requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    return first(services.routing.decisions(viewer, page, {}), routingDecisionView);
  },
  RoutingCandidacy: async (context, page) => {
    requireKind(context.viewer, "READ", "PROVIDER", "OPERATOR");
    const { rows } = await context.services.routing.decisions(context.viewer, page, {});
    const own = await ownEndpoints(rows, context);
    return rows.map((row) => routingCandidacyView(row, (id) => own.has(id)))[0];
  },
  Accrual: ({ services, viewer }, _page, key) =>
    first(services.payouts.accruals.page(viewer, { first: 1 }, accrualOfKey(key)), accrualView),
  Payout: ({ services, viewer }, page) => first(services.payouts.page(viewer, page), payoutView),
  PayoutAccount: ({ services, viewer }, page) => first(services.payouts.accounts.page(viewer, page), payoutAccountView),
  RateCard: ({ services, viewer }, page) => first(services.pricing.rateCards.page(viewer, page), rateCardView),
  Statement: ({ services, viewer }, page) => first(services.statements.page(viewer, page), statementView),
  StatementLine: ({ services, viewer }, page) => first(services.statements.lines(viewer, page), statementLineView),
  StatementDispute: ({ services, viewer }, page) =>
    first(services.statements.disputes(viewer, page), statementDisputeView),
  CreditNote: ({ services, viewer }, page) => first(services.statements.creditNotes(viewer, page), creditNoteView),
  LedgerAccount: async ({ services, viewer }, _page, key) => {
    const row = await services.ledgerBooks.account(booksOf(viewer), key);
    return row === null ? undefined : ledgerAccountView(row);
  },
  WorkloadJob: ({ services, viewer }, page) => first(services.workloads.page(viewer, page, {}), workloadJobView),
  HostedJob: ({ services, viewer }, page) => first(services.workloads.hostedPage(viewer, page, {}), hostedJobView),
  SlaBreach: ({ services, viewer }, page) => first(services.sla.breaches(viewer, page, {}), slaBreachView),
};

async function find(id: string, context: Context): Promise<Node | null> {
  requireScope(context.viewer, "READ");
  const decoded = decodeId(id);
  if (decoded === null || !isId(decoded.key.slice(0, UUID_LENGTH))) return null;
  const { type, key } = decoded;
  try {
    const node = await finders[type](context, pageOfOne(key.slice(0, UUID_LENGTH)), key);
    // A row of another kind (a startup under the id of a provider) is not what was asked for.
    return node?.id === id ? node : null;
  } catch (error) {
    if (error instanceof DomainError && ["FORBIDDEN", "NOT_FOUND", "BAD_USER_INPUT"].includes(error.code)) return null;
    throw error;
  }
}

@Resolver()
export class NodeResolver {
  @Query(() => Node, {
    nullable: true,
    description: "The object with this id; null when there is none, or none that you may see.",
  })
  node(@Arg("id", () => ID, { description: "The id." }) id: string, @Ctx() context: Context) {
    return find(id, context);
  }

  @Query(() => [Node], {
    nullable: "items",
    description: "The objects with these ids, in their order; null for each that is not there, or not yours to see.",
  })
  nodes(@Arg("ids", () => [ID], { description: "Up to 100 ids." }) ids: string[], @Ctx() context: Context) {
    if (ids.length > NODES_MAX) {
      throw new DomainError("BAD_USER_INPUT", `nodes takes up to ${NODES_MAX} ids; ${ids.length} were given.`, {
        field: "ids",
      });
    }
    return Promise.all(ids.map((id) => find(id, context)));
  }
}
