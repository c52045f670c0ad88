/** The usage records of a month, each priced again by its stored fixing and card, in the groups that lines tell of. */
import type { Statement } from "../../entities/statement";
import type { StatementLine } from "../../entities/statement-line";
import type { Database } from "../platform/database";
import { type RateCard, sharePpm } from "../pricing/rate-card";
import { accrualNanoUsd } from "../pricing/settlement";

interface UsageRow {
  id: string;
  endpoint_id: string;
  fixing_id: string;
  price: string | null;
  hour: Date | null;
  rate_card_id: string;
  accelerator: string;
  region: string;
  segment: string;
  workload: string;
  share: string;
  gpu_nanos: string;
}

/** What all records of one line have in common, and what they come to when each is priced again. */
export interface Group {
  readonly key: string;
  readonly fixingId: string;
  readonly hourMs: number;
  readonly priceNanoUsd: bigint;
  readonly rateCardId: string;
  gpuNanos: bigint;
  amountNanoUsd: bigint;
}

const USAGE_BATCH_MAX = 5_000;

const usageAfter = {
  name: "statements-replay-usage",
  text: `SELECT u.id, u.endpoint_id, u.fixing_id, f.price_nano_usd AS price, f.hour, u.rate_card_id, u.accelerator, u.region, u.segment,
                u.workload, u.accrual_share_ppm AS share, u.gpu_nanos
           FROM usage_record u LEFT JOIN fixing f ON f.id = u.fixing_id
          WHERE u.provider_id = $1 AND u.period = $2 AND u.id > $3 ORDER BY u.id LIMIT ${USAGE_BATCH_MAX}`,
};
const FIRST_ID = "00000000-0000-0000-0000-000000000000";

type GroupedBy = Pick<StatementLine, "fixingId" | "rateCardId" | "accelerator" | "region"> & {
  readonly segment: string | null;
  readonly workload: string | null;
  readonly sharePpm: bigint | string | null;
};

export const keyOf = (part: GroupedBy): string =>
  [part.fixingId, part.rateCardId, part.accelerator, part.region, part.segment, part.workload, part.sharePpm].join("|");

export interface Repriced {
  readonly groups: readonly Group[];
  readonly byEndpoint: ReadonlyMap<string, bigint>;
  readonly requests: number;
}

/** Prices every record anew. One whose share is none of its card's, or whose fixing is gone, comes to nothing, so it shows. */
export async function repricedUsage(
  db: Database,
  { providerId, period }: Statement,
  cards: ReadonlyMap<string, RateCard>,
): Promise<Repriced> {
  const shares = new Map([...cards].map(([id, card]) => [id, new Set(card.tiers.map((tier) => sharePpm(card, tier)))]));
  const groups = new Map<string, Group>();
  const byEndpoint = new Map<string, bigint>();
  let requests = 0;
  for (let after = FIRST_ID; ; ) {
    const rows = await db.query<UsageRow>(usageAfter, [providerId, period, after]);
    for (const row of rows) {
      const price = BigInt(row.price ?? 0);
      const share = BigInt(row.share);
      const right = shares.get(row.rate_card_id)?.has(share) === true;
      const amount = right ? accrualNanoUsd(BigInt(row.gpu_nanos), price, share) : 0n;
      const group = groupOf(groups, row, price);
      group.gpuNanos += BigInt(row.gpu_nanos);
      group.amountNanoUsd += amount;
      byEndpoint.set(row.endpoint_id, (byEndpoint.get(row.endpoint_id) ?? 0n) + amount);
    }
    requests += rows.length;
    if (rows.length < USAGE_BATCH_MAX) break;
    after = rows.at(-1)!.id;
  }
  return { groups: [...groups.values()].sort(inOrderOfDelivery), byEndpoint, requests };
}

function groupOf(groups: Map<string, Group>, row: UsageRow, priceNanoUsd: bigint): Group {
  const [fixingId, rateCardId] = [row.fixing_id, row.rate_card_id];
  const key = keyOf({ ...row, fixingId, rateCardId, sharePpm: row.share });
  const group = groups.get(key) ?? {
    key,
    fixingId,
    rateCardId,
    hourMs: row.hour?.getTime() ?? 0,
    priceNanoUsd,
    gpuNanos: 0n,
    amountNanoUsd: 0n,
  };
  groups.set(key, group);
  return group;
}

/** As the draft's query orders them, as far as parts are concerned: by hour, then fixing, then card. */
function inOrderOfDelivery(a: Group, b: Group): number {
  if (a.hourMs !== b.hourMs) return a.hourMs - b.hourMs;
  const [left, right] = [`${a.fixingId}${a.rateCardId}`, `${b.fixingId}${b.rateCardId}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
