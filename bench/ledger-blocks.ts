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
  await Promise.all(
    relays.flatMap((metering) =>
      startupIds.map(async (startupId) => {
        const asked = request(world, startupId, world.purpose);
        await metering.release(asked.requestId, startupId, await metering.authorise(asked));
      }),
    ),
  );
  const wanted = relays.length * startupIds.length;
  const lent = async () => {
    const [{ n }]: [{ n: number }] = await world.db.source.query(
      "SELECT count(*)::int AS n FROM lease WHERE state = 'ACTIVE' AND startup_id = ANY ($1)",
      [startupIds],
    );
    return n;
  };
  while ((await lent()) < wanted) await pause(LOOK_EVERY_MS);
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
