/** Blocks as views. */
import type { Block } from "../../../entities/block";
import { encodeId } from "../../../schema/node";
import type { BlockFiguresView, BlockView } from "../../../schema/views/blocks.view";
import type { BlockFigures } from "../../funding/block-book";
import { credits, usd } from "./money";

export const blockView = (row: Block): BlockView => ({
  id: encodeId("Block", row.id),
  blockId: row.id,
  facilityId: row.facilityId,
  startupId: row.startupId,
  lotId: row.lotId,
  scope: row.scope,
  amount: row.amountNanoCredit === null ? null : credits(row.amountNanoCredit),
  reason: row.reason,
  explanation: row.explanation,
  evidenceUrl: row.evidenceUrl,
  state: row.state,
  byOperator: row.placedById !== row.capitalPartnerId,
  placedAt: row.placedAt,
  effectiveAt: row.effectiveAt,
  latencyMs: row.latencyMs,
  endedAt: row.endedAt,
  version: row.version,
});

export const blockFiguresView = (figures: BlockFigures): BlockFiguresView => ({
  lots: figures.lots,
  blocked: credits(figures.blockedNanoCredit),
  assigned: credits(figures.assignedNanoCredit),
  assignedBacking: usd(figures.assignedBackingNanoUsd),
});
