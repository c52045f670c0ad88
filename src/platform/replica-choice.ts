/** Which replica may answer a tenant: one that has all that this tenant wrote, and is not far behind; pure. */
import { LRUCache } from "lru-cache";

/** A place in the write-ahead log; the later, the larger. */
export type Lsn = bigint;

export interface ReplicaView {
  readonly name: string;
  /** Up to where it has replayed, when last asked; null when it did not answer. */
  readonly replayed: Lsn | null;
  /** How long ago the primary was where this one is now; Infinity when that is not known. */
  readonly lagMs: number;
}

export const LAG_MS_MAX = 5_000;

/**
 * The same tenant gets the same replica as long as that may be, so that what it sees goes forward; tenants spread evenly
 * (rendezvous hashing). Null: the primary has to answer.
 */
export function chooseReplica<View extends ReplicaView>(
  replicas: readonly View[],
  floor: Lsn,
  tenant: string,
): View | null {
  let best: View | null = null;
  let bestWeight = -1;
  for (const replica of replicas) {
    if (replica.replayed === null || replica.replayed < floor || replica.lagMs > LAG_MS_MAX) continue;
    const weight = hash(`${tenant} ${replica.name}`);
    if (weight > bestWeight) [best, bestWeight] = [replica, weight];
  }
  return best;
}

/** FNV-1a with a last stir (murmur3's), without which names that differ in one letter would win for everybody. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}

/** Longer than any replica that is used may lag behind, so a floor that is forgotten has long been reached. */
const FLOOR_TTL_MS = 30_000;
const TENANTS_MAX = 10_000;
/** Above every place in the log: only the primary will do. */
const UNREACHABLE: Lsn = 1n << 64n;

interface Floor {
  readonly lsn: Lsn;
  /** Until then nobody knows how far it wrote. */
  readonly blindUntilMs: number;
}

/** Up to where a replica must have replayed to show each tenant its own writes. */
export class WriteFloors {
  private readonly byTenant: LRUCache<string, Floor>;
  private everybody: Floor & { untilMs: number } = { lsn: 0n, blindUntilMs: 0, untilMs: 0 };

  constructor(
    private readonly nowMs: () => number,
    tenantsMax: number = TENANTS_MAX,
  ) {
    this.byTenant = new LRUCache<string, Floor>({
      max: tenantsMax,
      ttl: FLOOR_TTL_MS,
      ttlResolution: 0,
      perf: { now: nowMs },
      // Whoever is pushed out early is not forgotten: then all have to wait for that place.
      dispose: (floor, _tenant, reason) => {
        if (reason === "evict") this.raiseTo(floor);
      },
    });
  }

  /** `lsn` null: it wrote, and nobody could ask where to. */
  wrote(tenant: string, lsn: Lsn | null): void {
    this.byTenant.set(tenant, higher(this.byTenant.get(tenant), this.floorAt(lsn)));
  }

  /** Nobody may see anything older from now on; null: than what is there now, wherever that is. */
  raise(lsn: Lsn | null): void {
    this.raiseTo(this.floorAt(lsn));
  }

  of(tenant: string | null): Lsn {
    const nowMs = this.nowMs();
    const own = tenant === null ? undefined : this.byTenant.get(tenant);
    const all = nowMs < this.everybody.untilMs ? this.everybody : undefined;
    const { lsn, blindUntilMs } = higher(own, higher(all, { lsn: 0n, blindUntilMs: 0 }));
    return nowMs < blindUntilMs ? UNREACHABLE : lsn;
  }

  private floorAt(lsn: Lsn | null): Floor {
    return { lsn: lsn ?? 0n, blindUntilMs: lsn === null ? this.nowMs() + FLOOR_TTL_MS : 0 };
  }

  private raiseTo(floor: Floor): void {
    const nowMs = this.nowMs();
    const known = nowMs < this.everybody.untilMs ? this.everybody : undefined;
    this.everybody = { ...higher(known, floor), untilMs: nowMs + FLOOR_TTL_MS };
  }
}

function higher(known: Floor | undefined, floor: Floor): Floor {
  if (known === undefined) return floor;
  return {
    lsn: known.lsn > floor.lsn ? known.lsn : floor.lsn,
    blindUntilMs: Math.max(known.blindUntilMs, floor.blindUntilMs),
  };
}

/** Where the primary was when, over the last seconds: tells of a place in the log how long ago it was the newest. */
export class PrimaryTrack {
  private samples: { atMs: number; lsn: Lsn }[] = [];

  /** Samples come in the order of time. One that goes back (another server is primary now) ends what was known. */
  saw(atMs: number, lsn: Lsn): void {
    const newest = this.samples.at(-1);
    if (newest !== undefined && lsn < newest.lsn) this.samples = [];
    this.samples.push({ atMs, lsn });
    while (this.samples[0]!.atMs < atMs - 2 * LAG_MS_MAX) this.samples.shift();
  }

  /** Against the newest sample, not against now: while the primary is away, nobody falls behind it. */
  lagMs(replayed: Lsn): number {
    const newest = this.samples.at(-1);
    const reached = this.samples.findLast(({ lsn }) => lsn <= replayed);
    return newest === undefined || reached === undefined ? Number.POSITIVE_INFINITY : newest.atMs - reached.atMs;
  }
}

/** A page of the log; its first 24 or 40 bytes are a header. */
const PAGE_BYTES = 8192n;
const HEADER_BYTES = new Set([24n, 40n]);

/**
 * The end of the last record before an insert position. When a record ends with its page, the insert position lies
 * already behind the next page's header, where no replica gets before the next record comes.
 */
export function recordEnd(insert: Lsn): Lsn {
  const offset = insert % PAGE_BYTES;
  return HEADER_BYTES.has(offset) ? insert - offset : insert;
}

/** Whether a statement only reads, by its first word; what it calls may write all the same, which a replica refuses. */
export function isRead(text: string): boolean {
  return (
    /^\s*(SELECT|WITH)\b/i.test(text) &&
    !/\b(INSERT|UPDATE|DELETE|MERGE|NEXTVAL|FOR\s+(NO\s+KEY\s+|KEY\s+)?SHARE)\b/i.test(text)
  );
}
