/** The ledger's rules in memory, one item after the other and as plain as possible: what the SQL has to agree with. */
import { releaseNanoUsd } from "../../src/pricing/settlement";

export interface ReferenceFacility {
  readonly id: string;
  readonly multiplierPpm: bigint;
  fundedNanoUsd: bigint;
  releasedNanoUsd: bigint;
}

export interface ReferenceLot {
  readonly accountId: string;
  readonly name: string;
  readonly startupId: string;
  readonly facility: ReferenceFacility;
  readonly issued: bigint;
  held: bigint;
  spent: bigint;
}

interface ReferenceHold {
  readonly startupId: string;
  readonly amount: bigint;
  readonly slices: { lot: ReferenceLot; amount: bigint }[];
  state: "HELD" | "CAPTURED" | "VOIDED" | "EXPIRED";
  captured: bigint;
  spread: bigint;
}

export interface HoldRequest {
  id: string;
  startupId: string;
  amount: bigint;
}

export interface HoldResolution {
  holdId: string;
  resolution: "CAPTURED" | "VOIDED" | "EXPIRED";
  charge: bigint;
  accrual: bigint;
  providerId: string;
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

export class ReferenceBooks {
  readonly lots: ReferenceLot[] = [];
  readonly holds = new Map<string, ReferenceHold>();
  /** By provider. */
  readonly accrued = new Map<string, bigint>();
  spread = 0n;

  issue(
    lot: Pick<ReferenceLot, "accountId" | "name" | "startupId" | "facility" | "issued">,
    fundedNanoUsd: bigint,
  ): void {
    this.lots.push({ ...lot, held: 0n, spent: 0n });
    lot.facility.fundedNanoUsd += fundedNanoUsd;
  }

  available(startupId: string): bigint {
    return this.lots.filter((lot) => lot.startupId === startupId).reduce((sum, lot) => sum + free(lot), 0n);
  }

  /** A batch in order; an id that comes twice in it is decided by its first item. */
  place(requests: readonly HoldRequest[]): { code: string; available: string | null }[] {
    const firsts = new Map<string, { request: HoldRequest; answer: { code: string; available: string | null } }>();
    return requests.map((request) => {
      const known = this.holds.get(request.id) ?? firsts.get(request.id)?.request;
      const reused = known !== undefined && (known.startupId !== request.startupId || known.amount !== request.amount);
      if (reused) return { code: "HOLD_ID_REUSED", available: firsts.get(request.id)?.answer.available ?? null };
      const answer = firsts.get(request.id)?.answer ?? this.placeOne(request);
      firsts.set(request.id, { request, answer });
      return answer;
    });
  }

  resolve(items: readonly HoldResolution[]): { code: string; charged: string; spread: string; fresh: boolean }[] {
    return items.map((item) => {
      const hold = this.holds.get(item.holdId);
      if (hold === undefined) return { code: "HOLD_NOT_FOUND", charged: "0", spread: "0", fresh: false };
      const fresh = hold.state === "HELD";
      if (fresh) this.resolveOne(hold, item);
      const code = hold.state === item.resolution ? item.resolution : "HOLD_NOT_OPEN";
      return { code, charged: `${hold.captured}`, spread: `${hold.spread}`, fresh };
    });
  }

  private placeOne({ id, startupId, amount }: HoldRequest): { code: string; available: string | null } {
    if (this.holds.has(id)) return { code: "HELD", available: null };
    const available = this.available(startupId);
    if (amount > available) return { code: "INSUFFICIENT_CREDITS", available: `${available}` };
    const slices: ReferenceHold["slices"] = [];
    let left = amount;
    for (const lot of this.lots) {
      const slice = lot.startupId === startupId ? least(left, free(lot)) : 0n;
      if (slice === 0n) continue;
      lot.held += slice;
      left -= slice;
      slices.push({ lot, amount: slice });
    }
    this.holds.set(id, { startupId, amount, slices, state: "HELD", captured: 0n, spread: 0n });
    return { code: "HELD", available: null };
  }

  private resolveOne(hold: ReferenceHold, { resolution, charge, accrual, providerId }: HoldResolution): void {
    hold.state = resolution;
    let left = resolution === "CAPTURED" ? least(charge, hold.amount) : 0n;
    hold.captured = left;
    let released = 0n;
    for (const { lot, amount } of hold.slices) {
      const captured = least(left, amount);
      left -= captured;
      lot.held -= amount;
      lot.spent += captured;
      const release = releaseNanoUsd(captured, lot.facility.multiplierPpm);
      lot.facility.releasedNanoUsd += release;
      released += release;
    }
    if (resolution !== "CAPTURED") return;
    hold.spread = released - accrual;
    this.spread += hold.spread;
    this.accrued.set(providerId, (this.accrued.get(providerId) ?? 0n) + accrual);
  }
}

function free(lot: ReferenceLot): bigint {
  return lot.issued - lot.held - lot.spent;
}
