/** Holds what clients saw, what providers were asked and what was charged against each other, and names what disagrees. */
import type { Asked } from "./paying-clients";
import type { Dispatched } from "./staged-provider";

/** What was charged. */
export interface Charged {
  readonly requestId: string;
  readonly startupId: string;
}

export interface Faults {
  /** A client has the whole answer, and there is no record of it. */
  readonly lost: string[];
  /** Charged more than once for one thing that was asked. */
  readonly doubled: string[];
  /** Charged for what no provider was ever asked, or nobody asked for. */
  readonly unfounded: string[];
}

export function faultsOf(seen: {
  asked: readonly Pick<Asked, "marker" | "startupId" | "requestId" | "complete">[];
  dispatched: readonly Dispatched[];
  charged: readonly Charged[];
}): Faults {
  const faults: Faults = { lost: [], doubled: [], unfounded: [] };
  const chargedTo = new Map(seen.charged.map(({ requestId, startupId }) => [requestId, startupId]));
  for (const { marker, startupId, requestId, complete } of seen.asked) {
    if (complete && chargedTo.get(requestId ?? "") !== startupId) faults.lost.push(`${marker} (${requestId})`);
  }
  const markerOf = new Map(seen.dispatched.map(({ requestId, marker }) => [requestId, marker]));
  const askedBy = new Map(seen.asked.map(({ marker, startupId }) => [marker, startupId]));
  const times = new Map<string, number>();
  for (const { requestId, startupId } of seen.charged) {
    const marker = markerOf.get(requestId);
    if (marker === undefined || askedBy.get(marker) !== startupId) faults.unfounded.push(requestId);
    else times.set(marker, (times.get(marker) ?? 0) + 1);
  }
  for (const [marker, count] of times) if (count > 1) faults.doubled.push(`${marker}: ${count} times`);
  return faults;
}

/** What is in nobody's hands when nothing runs any more. */
export interface Standing {
  readonly name: string;
  readonly issued: bigint;
  readonly available: bigint;
  readonly held: bigint;
  readonly spent: bigint;
  /** Sum of the charges of its usage records. */
  readonly charged: bigint;
}

export function strandedOf(standings: readonly Standing[]): string[] {
  return standings.flatMap(({ name, issued, available, held, spent, charged }) => [
    ...(held === 0n ? [] : [`${name}: ${held} held`]),
    ...(available + held + spent === issued
      ? []
      : [`${name}: ${issued} issued, ${available} available, ${spent} spent`]),
    ...(spent === charged ? [] : [`${name}: ${spent} spent, ${charged} charged`]),
  ]);
}
