/** What covers credits, live, and alerts when it does not, without loss. */
import { Arg, ID, Resolver, Root, Subscription } from "type-graphql";
import type { CoverageAlert } from "../entities/coverage-alert";
import type { CoverageAlertChange } from "../schema/enums";
import { CoverageAlertMessage, CoverageView } from "../schema/views/funding.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { type DurableMessage, durable, latest } from "../src/api/streams/stream";
import { coverageAlertView, coverageView } from "../src/api/views/exposure";
import { streamMessageView } from "../src/api/views/stream";
import type { Coverage } from "../src/funding/exposure";
import { cursorOf, PAGE_SIZE_MAX } from "../src/platform/page";

const PAUSE_MS = 1_000;
/** A safety for a change in a process that shares no bus, and what expiry changes. */
const REFRESH_MS = 5_000;

/** A change only says "read again": captures, drawdowns and blocks move wallets, fixings and rate cards what credit may cost. */
function coverageStream(facilityId: string | null, { viewer, services: { bus, funding } }: Context) {
  requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
  return latest<Coverage>({
    keyOf: (coverage) => coverage.facilityId ?? "",
    looksOf: ({ asOf: _, ...figures }) => Object.values(figures).join(),
    listen: (tell) => {
      const again = () => tell();
      const off = [bus.on("balance.changed", again), bus.on("fixing.made", again), bus.on("supply.changed", again)];
      return () => {
        for (const end of off) end();
      };
    },
    current: () => funding.exposure.coverages(viewer, facilityId),
    pauseMs: PAUSE_MS,
    refreshMs: REFRESH_MS,
  });
}

interface Change {
  change: CoverageAlertChange;
  alert: CoverageAlert;
}

const changeOf = { "coverage.alert.opened": "OPENED", "coverage.alert.closed": "CLOSED" } as const;

function alertStream(after: string | null | undefined, { viewer, services }: Context) {
  const known = requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
  return durable<keyof typeof changeOf, Change>(after, {
    topics: ["coverage.alert.opened", "coverage.alert.closed"],
    organisationId: organisationScope(known, "READ"),
    snapshot: async () => (await openAlerts({ viewer, services })).map((alert) => ({ change: "STANDING", alert })),
    toldBy: ({ alert }) => alert.id,
    tells: ({ topic, payload }) => (topic === "coverage.alert.opened" ? payload.alertId : undefined),
    async itemsOf(events) {
      const alerts = await services.funding.exposure.alertsByIds(events.map(({ payload }) => payload.alertId));
      const byId = new Map(alerts.map((alert) => [alert.id, alert]));
      return events.map(({ topic, payload }) => {
        const alert = byId.get(payload.alertId);
        return alert && { change: changeOf[topic], alert };
      });
    },
  });
}

/** Oldest first, as the stream goes on. */
async function openAlerts({ viewer, services }: Pick<Context, "viewer" | "services">): Promise<CoverageAlert[]> {
  const open: CoverageAlert[] = [];
  let before: { last: number; before?: string } | null = { last: PAGE_SIZE_MAX };
  while (before !== null) {
    const page: Awaited<ReturnType<typeof services.funding.exposure.alerts>> = await services.funding.exposure.alerts(
      viewer,
      before,
      { open: true },
    );
    open.push(...page.rows.toReversed());
    const newest = page.rows[0];
    before = page.hasPreviousPage && newest ? { last: PAGE_SIZE_MAX, before: cursorOf(newest.id) } : null;
  }
  return open;
}

@Resolver()
export class ExposureSubscription {
  @Subscription(() => CoverageView, {
    description:
      "Coverage as it is, then after every change, at most once a second: of each facility of a capital partner; for an operator of all, and of all together.",
    subscribe: ({ args, context }: { args: { facilityId?: string | null }; context: Context }) =>
      coverageStream(optionalUuidOf(args.facilityId, "Facility", "facilityId") ?? null, context),
  })
  coverage(
    @Root() coverage: Coverage,
    @Arg("facilityId", () => ID, { nullable: true, description: "Of this facility alone." }) _facilityId: string | null,
  ): CoverageView {
    return coverageView(coverage);
  }

  @Subscription(() => CoverageAlertMessage, {
    description:
      "Alerts about coverage: of a capital partner's facilities, all for an operator. Without `after`: those open now, a checkpoint, then every change. With `after`: every change behind that cursor, then live. Nothing is lost or told twice.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      alertStream(args.after, context),
  })
  coverageAlerts(
    @Root() message: DurableMessage<Change>,
    @Arg("after", () => String, { nullable: true, description: "Cursor of the last message received." }) _after:
      | string
      | null,
  ): typeof CoverageAlertMessage {
    return streamMessageView(message, ({ change, alert }, cursor) => ({
      cursor,
      change,
      node: coverageAlertView(alert),
    }));
  }
}
