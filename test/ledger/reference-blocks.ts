/** What blocks, defaults and expiry do to credit lots, in memory: the other half of the reference. */
import { releaseNanoUsd } from "../../src/pricing/settlement";
import { free, inDrawOrder, least, type ReferenceBooks, type ReferenceLot } from "./reference-books";

export type BlockTarget = { facilityId: string } | { startupId: string } | { lotId: string };

interface LotOfBlock {
  frozen: boolean;
  blocked: bigint;
  assigned: bigint;
  assignedNanoUsd: bigint;
}

interface ReferenceBlock {
  readonly target: BlockTarget;
  readonly amount: bigint | null;
  readonly lots: Map<ReferenceLot, LotOfBlock>;
  state: "PLACING" | "ACTIVE" | "REFUSED" | "LIFTED" | "ASSIGNED";
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

export class ReferenceBlocks {
  readonly blocks = new Map<string, ReferenceBlock>();
  principalNanoUsd = 0n;

  constructor(private readonly books: ReferenceBooks) {}

  place(id: string, target: BlockTarget, amount: bigint | null): { outcome: string; free: string; leased: string } {
    const block: ReferenceBlock = { target, amount, lots: new Map(), state: "PLACING" };
    const room = this.room(target);
    const answer = (outcome: string) => ({ outcome, free: `${room.free}`, leased: `${room.leased}` });
    if (amount !== null && amount > room.free + room.leased) return answer("EXCEEDS");
    this.blocks.set(id, block);
    if (amount !== null && amount <= room.free) {
      this.take(block, amount);
      block.state = "ACTIVE";
      return answer("ACTIVE");
    }
    for (const lot of this.covered(target)) {
      lot.frozen += 1;
      block.lots.set(lot, { frozen: true, blocked: 0n, assigned: 0n, assignedNanoUsd: 0n });
    }
    return answer("FROZEN");
  }

  settle(id: string): string {
    const block = this.blocks.get(id)!;
    if (block.state !== "PLACING") return block.state;
    const fits = block.amount === null || block.amount <= this.room(block.target).free;
    if (fits && block.amount !== null) this.take(block, block.amount);
    if (block.amount !== null) thaw(block);
    block.state = fits ? "ACTIVE" : "REFUSED";
    return block.state;
  }

  lift(id: string): string {
    const block = this.blocks.get(id)!;
    const { state } = block;
    if (state !== "PLACING" && state !== "ACTIVE") return state;
    thaw(block);
    for (const [lot, { blocked, assigned }] of block.lots) {
      lot.blocked -= blocked - assigned;
      lot.turnover.unblocked += blocked - assigned;
    }
    block.state = "LIFTED";
    return state;
  }

  assign(id: string): { outcome: string; credit: string; backing: string } {
    const block = this.blocks.get(id)!;
    if (block.amount !== null || (block.state !== "ACTIVE" && block.state !== "ASSIGNED")) {
      return { outcome: "NOT_ASSIGNABLE", credit: "0", backing: "0" };
    }
    let [credit, backing] = [0n, 0n];
    for (const [lot, entry] of block.lots) {
      const [loose, set] = [free(lot), lot.blocked];
      if (loose + set === 0n) continue;
      if (set > 0n) this.emptyOthers(lot, id);
      entry.assigned += loose + set;
      const dollars = releaseNanoUsd(entry.assigned, lot.basisPpm) - entry.assignedNanoUsd;
      entry.assignedNanoUsd += dollars;
      lot.assigned += loose + set;
      lot.turnover.assignedOfBlocked += set;
      lot.blocked = 0n;
      lot.facility.releasedNanoUsd += dollars;
      [credit, backing] = [credit + loose + set, backing + dollars];
    }
    this.principalNanoUsd += backing;
    block.state = "ASSIGNED";
    return { outcome: "ASSIGNED", credit: `${credit}`, backing: `${backing}` };
  }

  expire(): { credit: bigint; dollars: bigint } {
    const now = this.books.now();
    const gone = { credit: 0n, dollars: 0n };
    for (const lot of this.books.lots) {
      if (lot.expiresAt === null || lot.expiresAt > now || free(lot) + lot.blocked === 0n) continue;
      const before = lot.expired;
      lot.expired += free(lot) + lot.blocked;
      lot.turnover.expiredOfBlocked += lot.blocked;
      lot.blocked = 0n;
      for (const { state, lots } of this.blocks.values()) {
        const entry = lots.get(lot);
        if (entry && (state === "PLACING" || state === "ACTIVE")) entry.blocked = entry.assigned;
      }
      const dollars = releaseNanoUsd(lot.expired, lot.basisPpm) - releaseNanoUsd(before, lot.basisPpm);
      lot.facility.releasedNanoUsd += dollars;
      gone.credit += lot.expired - before;
      gone.dollars += dollars;
    }
    return gone;
  }

  private covered(target: BlockTarget): ReferenceLot[] {
    return this.books.lots
      .filter((lot) =>
        "facilityId" in target
          ? lot.facility.id === target.facilityId
          : "startupId" in target
            ? lot.startupId === target.startupId
            : lot.lotId === target.lotId,
      )
      .sort(inDrawOrder);
  }

  private current(target: BlockTarget): ReferenceLot[] {
    const now = this.books.now();
    return this.covered(target).filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
  }

  private room(target: BlockTarget): { free: bigint; leased: bigint } {
    const lots = this.current(target);
    return { free: sum(lots.map(free)), leased: sum(lots.map(({ leased }) => leased)) };
  }

  private take(block: ReferenceBlock, amount: bigint): void {
    let left = amount;
    for (const lot of this.current(block.target)) {
      const blocked = least(left, free(lot));
      if (blocked === 0n) continue;
      left -= blocked;
      lot.blocked += blocked;
      lot.turnover.blocked += blocked;
      const frozen = block.lots.get(lot)?.frozen ?? false;
      block.lots.set(lot, { frozen, blocked, assigned: 0n, assignedNanoUsd: 0n });
    }
  }

  /** Partial blocks of a lot that was assigned have nothing left to restore of it. */
  private emptyOthers(lot: ReferenceLot, id: string): void {
    for (const [other, { state, lots }] of this.blocks) {
      const entry = lots.get(lot);
      if (other !== id && state === "ACTIVE" && entry) entry.assigned = entry.blocked;
    }
  }
}

function thaw(block: ReferenceBlock): void {
  for (const [lot, entry] of block.lots) {
    if (!entry.frozen) continue;
    entry.frozen = false;
    lot.frozen -= 1;
  }
}
