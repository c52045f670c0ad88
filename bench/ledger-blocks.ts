/** How long a lender waits until a startup's whole credit is frozen, while two relay processes hold leases on it. */
import { setTimeout as pause } from "node:timers/promises";
import type { Metering } from "../src/metering/metering";
import { DomainError } from "../src/platform/errors";
import { newId } from "../src/platform/ids";
import { type LedgerWorld, request } from "./ledger-world";

/** Leases come back by themselves when nobody draws on them for half a minute. */
const AT_ONCE = 20;
const LOOK_EVERY_MS = 5;

/** Milliseconds per block of a startup that nobody has blocked before. */
export async function timeBlocks(
  world: LedgerWorld,
  relays: readonly Metering[],
  startupIds: readonly string[],
): Promise<number[]> {
  const took: number[] = [];
  for (let from = 0; from < startupIds.length; from += AT_ONCE) {
    const some = startupIds.slice(from, from + AT_ONCE);
    await lend(world, relays, some);
    for (const startupId of some) {
      const startedMs = performance.now();
      await world.services.blocks.place(world.operator, { target: { startupId }, reason: "DEFAULT_RISK" }, newId());
      took.push(performance.now() - startedMs);
      await expectRefused(world, relays, startupId);
    }
  }
  return took;
}

/** Every relay has credit of each of them. */
async function lend(world: LedgerWorld, relays: readonly Metering[], startupIds: readonly string[]): Promise<void> {
  const wanted = relays.length * startupIds.length;
  const lent = async () => {
    const [{ n }]: [{ n: number }] = await world.db.source.query(
      "SELECT count(*)::int AS n FROM lease WHERE state = 'ACTIVE' AND startup_id = ANY ($1)",
      [startupIds],
    );
    return n;
  };
  // A process borrows for a startup from the second request on: the answer to the first tells of budgets.
  while ((await lent()) < wanted) {
    await Promise.all(relays.flatMap((metering) => startupIds.map((startupId) => ask(world, metering, startupId))));
    await pause(LOOK_EVERY_MS);
  }
}

async function ask(world: LedgerWorld, metering: Metering, startupId: string): Promise<void> {
  const asked = request(world, startupId, world.purpose);
  await metering.release(asked.requestId, startupId, await metering.authorise(asked));
}

async function expectRefused(world: LedgerWorld, relays: readonly Metering[], startupId: string): Promise<void> {
  for (const metering of relays) {
    try {
      await metering.authorise(request(world, startupId, world.purpose));
    } catch (error) {
      if (error instanceof DomainError && error.code === "INSUFFICIENT_CREDITS") continue;
      throw error;
    }
    throw new Error(`a block of ${startupId} stands, and a relay admitted a request`);
  }
}
