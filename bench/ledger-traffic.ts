/** Requests as a relay makes them, without the wires: authorised, then settled, by the product's own metering. */
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { LEASE_BEAT_MS } from "../src/metering/lease";
import type { Metering } from "../src/metering/metering";
import { delivery, type LedgerWorld, request } from "./ledger-world";

export interface Traffic {
  readonly captures: number;
  readonly seconds: number;
  /** From the settlement's start to its commit. */
  readonly settleMs: readonly number[];
  /** How many had a hold of their own in the ledger. */
  readonly cold: number;
}

/** `inFlight` requests at any time, for as long as that. */
export async function flood(
  world: LedgerWorld,
  metering: Metering,
  { inFlight, durationMs }: { inFlight: number; durationMs: number },
): Promise<Traffic> {
  const line = new Line(world, metering);
  const startedMs = performance.now();
  const client = async () => {
    while (performance.now() - startedMs < durationMs) await line.one();
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return line.since(startedMs);
}

/** So many a second, whatever becomes of those before: nobody who waits keeps the next one away. */
export async function stream(
  world: LedgerWorld,
  metering: Metering,
  { perSecond, durationMs }: { perSecond: number; durationMs: number },
): Promise<Traffic> {
  const line = new Line(world, metering);
  const startedMs = performance.now();
  const all: Promise<void>[] = [];
  for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - startedMs) {
    while (all.length < (elapsedMs / 1_000) * perSecond) all.push(line.one());
    await pause(1);
  }
  await Promise.all(all);
  return line.since(startedMs);
}

class Line {
  private readonly settleMs: number[] = [];
  private cold = 0;
  private nr = 0;

  constructor(
    private readonly world: LedgerWorld,
    private readonly metering: Metering,
  ) {}

  async one(): Promise<void> {
    const { startupIds, purpose } = this.world;
    const nr = this.nr++;
    const startupId = startupIds[nr % startupIds.length]!;
    const asked = request(this.world, startupId, purpose);
    const { leaseId } = await this.metering.authorise(asked);
    if (leaseId === null) this.cold += 1;
    // Between the two a relay serves the request, and others are admitted.
    await turn();
    const startedMs = performance.now();
    await this.metering.settle(delivery(this.world, { requestId: asked.requestId, startupId, leaseId, nr }));
    this.settleMs.push(performance.now() - startedMs);
  }

  since(startedMs: number): Traffic {
    const { settleMs, cold } = this;
    return { captures: settleMs.length, seconds: (performance.now() - startedMs) / 1_000, settleMs, cold };
  }
}

/** What the relay's job does each second: without it the leases would end. Returns the end of it. */
export function keepAlive(meterings: readonly Metering[]): () => void {
  const beat = setInterval(() => {
    for (const metering of meterings) metering.beatLeases().catch((error: unknown) => console.error(error));
  }, LEASE_BEAT_MS);
  return () => clearInterval(beat);
}

/** Keys by startup, where requests come with one. */
type Keys = ReadonlyMap<string, string>;

/** Microseconds that holds take out of leases that are there. */
export async function warmHolds(world: LedgerWorld, metering: Metering, count: number, keys?: Keys): Promise<number[]> {
  const { startupIds, purpose } = world;
  const micros: number[] = [];
  for (let n = 0; micros.length < count; n++) {
    const startupId = startupIds[n % startupIds.length]!;
    const asked = request(world, startupId, purpose, keys?.get(startupId));
    const startedNanos = process.hrtime.bigint();
    const authorised = await metering.authorise(asked);
    const tookNanos = process.hrtime.bigint() - startedNanos;
    if (authorised.leaseId !== null) micros.push(Number(tookNanos) / 1_000);
    await metering.release(asked.requestId, startupId, authorised);
    // Top-ups and beats go on in between.
    if (n % 100 === 0) await turn();
  }
  return micros;
}

/** Milliseconds that holds of their own in the ledger take, one after the other: a commit each. */
export async function coldHolds(world: LedgerWorld, metering: Metering, count: number, keys?: Keys): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const startupId = world.startupIds[n % world.startupIds.length]!;
    const asked = request(world, startupId, null, keys?.get(startupId));
    const startedMs = performance.now();
    const authorised = await metering.authorise(asked);
    took.push(performance.now() - startedMs);
    await metering.release(asked.requestId, startupId, authorised);
  }
  return took;
}
