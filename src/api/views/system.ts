/** Processes and the test clock as views. */
import type { ProcessRole } from "../../../schema/enums";
import type { ProcessView, TestClockView } from "../../../schema/views/system.view";
import type { Presence } from "../../events/presence";
import type { TestTime } from "../../system/system";

export const processView = (row: Presence): ProcessView => ({
  instance: row.instance,
  roles: row.roles.map((role) => role.toUpperCase() as ProcessRole),
  version: row.version,
  startedAt: row.startedAt,
  sockets: row.sockets,
  subscriptions: row.subscriptions,
});

export const testClockView = ({ now, realNow, offsetMs }: TestTime): TestClockView => ({
  now,
  realNow,
  offset: offsetMs,
});
