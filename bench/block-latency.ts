/** How long it takes to block credit that relay processes have borrowed: placed, called back from all of them, answered. */
import { randomUUID } from "node:crypto";
import type { Viewer } from "../src/accounts/viewer";
import type { BlockTarget } from "../src/funding/block-scope";
import type { Blocks } from "../src/funding/blocks";
import { asSystem } from "../src/platform/tenancy";

export interface BlockLatency {
  readonly blocks: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

export interface BlockRounds {
  readonly blocks: Pick<Blocks, "place" | "lift">;
  readonly viewer: Viewer;
  readonly rounds: number;
  /** What to block in a round. Have the relays borrow of it first, or there is nothing to call back. */
  target(round: number): Promise<BlockTarget>;
}

/** Each round blocks whole, and lifts again. Errors: those of the blocks; a block that is not ACTIVE. */
export async function measureBlockLatency({ blocks, viewer, rounds, target }: BlockRounds): Promise<BlockLatency> {
  const tookMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const covered = await target(round);
    const begunMs = performance.now();
    const block = await asSystem(() => blocks.place(viewer, { target: covered, reason: "DEFAULT_RISK" }, randomUUID()));
    tookMs.push(performance.now() - begunMs);
    if (block.state !== "ACTIVE") throw new Error(`block ${block.id} is ${block.state}`);
    await asSystem(() => blocks.lift(viewer, block.id, randomUUID()));
  }
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { blocks: rounds, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: sorted.at(-1)! };
}
