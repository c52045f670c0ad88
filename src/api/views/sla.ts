/** Service levels and breaches as views. */
import type { SlaBreach } from "../../../entities/sla-breach";
import type { SlaTier } from "../../../entities/sla-tier";
import { encodeId } from "../../../schema/node";
import type { SlaBreachView, SlaTierView } from "../../../schema/views/sla.view";
import { ratio } from "./money";

export const slaTierView = (row: SlaTier): SlaTierView => ({
  code: row.code,
  rank: row.rank,
  uptimeTarget: ratio(row.uptimeTargetPpm),
  responseTimeMs: row.responseTimeMs,
  bestFor: row.bestFor,
});

export const slaBreachView = (row: SlaBreach): SlaBreachView => ({
  id: encodeId("SlaBreach", row.id),
  endpointId: row.endpointId,
  slaTierCode: row.slaTier,
  kind: row.kind,
  openedAt: row.openedAt,
  closedAt: row.closedAt,
  open: row.closedAt === null,
  evidence: { ...row.evidence, minute: new Date(row.evidence.minute) },
});
