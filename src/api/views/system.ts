/** Processes as views. */
import type { ProcessRole } from "../../../schema/enums";
import type { ProcessView } from "../../../schema/views/system.view";
import type { Presence } from "../../events/presence";

export const processView = (row: Presence): ProcessView => ({
  instance: row.instance,
  roles: row.roles.map((role) => role.toUpperCase() as ProcessRole),
  version: row.version,
  startedAt: row.startedAt,
  sockets: row.sockets,
  subscriptions: row.subscriptions,
});
