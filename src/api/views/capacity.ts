/** Rows of capacity as views. */
import type { CapacityWindow } from "../../../entities/capacity-window";
import { encodeId } from "../../../schema/node";
import type { CapacityWindowView } from "../../../schema/views/capacity.view";

export const capacityWindowView = (row: CapacityWindow): CapacityWindowView => ({
  id: encodeId("CapacityWindow", row.id),
  providerId: row.providerId,
  acceleratorCode: row.accelerator,
  region: row.region,
  zone: row.zone,
  kind: row.kind,
  gpuCount: row.gpuCount,
  startsAt: row.startsAt,
  endsAt: row.endsAt,
  cancelledAt: row.cancelledAt,
  createdAt: row.createdAt,
  version: row.version,
});
