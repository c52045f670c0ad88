/** Accruals as views. */
import { encodeId } from "../../../schema/node";
import type { AccrualView } from "../../../schema/views/payouts.view";
import type { Accrual } from "../../payouts/payouts";
import { gpuSeconds, usd } from "./money";

/** A provider has one accrual a month, so these two are its identity. */
const keyOf = (row: Accrual): string => `${row.providerId}.${row.period}`;

export const accrualOfKey = (key: string): { providerId: string; period: string } => ({
  providerId: key.slice(0, key.indexOf(".")),
  period: key.slice(key.indexOf(".") + 1),
});

export const accrualView = (row: Accrual): AccrualView => ({
  id: encodeId("Accrual", keyOf(row)),
  providerId: row.providerId,
  period: row.period,
  accrued: usd(row.accruedNanoUsd),
  requests: row.requests,
  gpuSeconds: gpuSeconds(row.gpuNanos),
  dueAt: row.dueAt,
});
