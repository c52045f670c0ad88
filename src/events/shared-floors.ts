/** Lets every process know how far the database's log was when something was written, so that no replica shows less than was told. */
import type { Database } from "../platform/database";
import type { EventBus } from "./event-bus";

export function shareFloors({ replicas }: Pick<Database, "replicas">, bus: EventBus): void {
  if (replicas === null) return;
  replicas.onWrite((tenantId, lsn) => bus.publish("tenant.wrote", { tenantId, lsn: lsn.toString() }));
  bus.on("tenant.wrote", ({ tenantId, lsn }) => replicas.wroteElsewhere(tenantId, BigInt(lsn)));
  bus.on("outbox.published", ({ lsn }) => {
    if (lsn !== undefined) replicas.raiseFloor(BigInt(lsn));
  });
  // What others wrote meanwhile was not heard of.
  bus.on("bus.reconnected", () => replicas.raiseFloor(null));
}
