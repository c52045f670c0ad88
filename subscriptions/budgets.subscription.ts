/** Alerts about budgets as they are raised, without loss. */
import { Arg, Resolver, Root, Subscription } from "type-graphql";
import type { BudgetAlert } from "../entities/budget-alert";
import type { BudgetAlertChange } from "../schema/enums";
import { BudgetAlertMessage } from "../schema/views/budgets.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { type DurableMessage, durable } from "../src/api/streams/stream";
import { budgetAlertView } from "../src/api/views/budgets";
import { streamMessageView } from "../src/api/views/stream";

interface Change {
  change: BudgetAlertChange;
  alert: BudgetAlert;
}

function alertStream(after: string | null | undefined, { viewer, services: { budgets } }: Context) {
  const known = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
  return durable<"budget.alert.raised", Change>(after, {
    topics: ["budget.alert.raised"],
    organisationId: organisationScope(known, "READ"),
    snapshot: async () => (await budgets.standingAlerts(viewer)).map((alert) => ({ change: "STANDING", alert })),
    toldBy: ({ alert }) => alert.id,
    tells: ({ payload }) => payload.alertId,
    async itemsOf(events) {
      const alerts = await budgets.alertsByIds(events.map(({ payload }) => payload.alertId));
      const byId = new Map(alerts.map((alert) => [alert.id, alert]));
      return events.map(({ payload }) => {
        const alert = byId.get(payload.alertId);
        return alert && { change: "RAISED" as const, alert };
      });
    },
  });
}

@Resolver()
export class BudgetsSubscription {
  @Subscription(() => BudgetAlertMessage, {
    description:
      "Alerts about a startup's budgets, all for an operator. Without `after`: those of the periods that run, a checkpoint, then every new one. With `after`: every one behind that cursor, then live. Nothing is lost or told twice.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      alertStream(args.after, context),
  })
  budgetAlerts(
    @Root() message: DurableMessage<Change>,
    @Arg("after", () => String, { nullable: true, description: "Cursor of the last message received." }) _after:
      | string
      | null,
  ): typeof BudgetAlertMessage {
    return streamMessageView(message, ({ change, alert }, cursor) => ({
      cursor,
      change,
      node: budgetAlertView(alert),
    }));
  }
}
