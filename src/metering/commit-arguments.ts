/** The arguments of `metering_commit`: what leases are charged as rows, which is nearly all of them, the rest as JSON. */
import type { CaptureItem, CommitItems, ItemKind, ResolutionItem } from "./commit-items";

export interface CommitItem {
  readonly kind: ItemKind;
  readonly content: CommitItems[ItemKind];
}

export const commitText = "SELECT metering_commit($1, $2) AS answer";

/** Each kind is numbered in the order of `items`, as its results are. */
export function commitArguments(items: readonly CommitItem[]): [batch: string, charges: string] {
  const contents: Record<ItemKind, unknown[]> = { resolutions: [], captures: [], returns: [], grants: [], holds: [] };
  const usages: object[] = [];
  for (const { kind, content } of items) {
    if (kind === "captures") {
      contents.captures.push(chargeRow(contents.captures.length + 1, content as CaptureItem));
    } else if (kind === "resolutions") {
      const { usage, ...resolution } = content as ResolutionItem;
      const ord = contents.resolutions.push(resolution);
      if (usage !== undefined) usages.push({ ord, ...usage });
    } else contents[kind].push(content);
  }
  const { captures, ...rest } = contents;
  return [JSON.stringify({ ...rest, usages }), `{${captures.join(",")}}`];
}

/** In the order of the type lease_charge. */
function chargeRow(ord: number, item: CaptureItem): string {
  const { usage } = item;
  const fields = [
    ord,
    item.id,
    item.startupId,
    item.leaseId,
    item.rateCardId,
    item.held,
    item.at.toISOString(),
    item.charge,
  ];
  fields.push(item.accrual, item.providerId, item.period);
  let row = fields.join(",");
  for (const name of usageColumns) row += `,${field(usage[name])}`;
  return `"(${row})"`;
}

const usageColumns = [
  "apiKeyId",
  "endpointId",
  "offeringId",
  "fixingId",
  "model",
  "workload",
  "accelerator",
  "region",
  "outcome",
  "promptTokens",
  "completionTokens",
  "usageBounded",
  "claimedPromptTokens",
  "claimedCompletionTokens",
  "gpuNanos",
  "accrualSharePpm",
  "attempts",
  "streamed",
  "ttftMs",
  "durationMs",
  "requestHash",
  "upstreamHash",
];

const PLAIN = /^[\w.:+-]+$/;

/** Null is nothing at all. What is not plain is quoted twice: in its row, and with the row in the array. */
function field(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = String(value);
  if (PLAIN.test(text)) return text;
  return `\\"${text.replace(/["\\]/g, "$&$&").replace(/["\\]/g, "\\$&")}\\"`;
}
