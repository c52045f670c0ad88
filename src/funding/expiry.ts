/** Expires lots: what nobody spent in time goes, and the dollars behind it are the marketplace's breakage. */
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";

/** Lots per transaction: the ledger's one writer waits meanwhile. */
const LOTS_MAX = 500;

export interface Expired {
  readonly creditNanoCredit: bigint;
  readonly backingNanoUsd: bigint;
}

/**
 * Takes all that is due at the clock's now. What requests hold or relays were lent follows in a later call, when it has come back
 * unspent. Repeating it changes nothing. For the worker.
 */
export async function expireLots({ db, bus, clock }: { db: Database; bus: EventBus; clock: Clock }): Promise<Expired> {
  const total = { creditNanoCredit: 0n, backingNanoUsd: 0n };
  for (;;) {
    const rows = await db.query<{ startup_id: string; credit: string; dollars: string }>(
      { name: "funding-expire", text: "SELECT * FROM funding_expire_lots($1, $2)" },
      [clock.now(), LOTS_MAX],
    );
    if (rows.length === 0) return total;
    for (const { startup_id, credit, dollars } of rows) {
      total.creditNanoCredit += BigInt(credit);
      total.backingNanoUsd += BigInt(dollars);
      bus.publish("balance.changed", { startupId: startup_id });
    }
  }
}
