/** Books in which much has happened: lots, holds that were charged or given back, leases, plain postings; each run another mix. */
import { newRequestId } from "../../src/metering/metering";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import type { MoneyWorld } from "../support/money-world";

export interface BusyBooks {
  readonly world: MoneyWorld;
  readonly startupId: string;
  readonly facilityId: string;
}

/** A startup with two lots. */
export async function openBooks(world: MoneyWorld): Promise<BusyBooks> {
  const startupId = await world.startup();
  const facilityId = await world.facility();
  for (const dollars of [1_000n, 2_000n]) await world.lot({ startupId, facilityId, fundedNanoUsd: dollars * NANO });
  return { world, startupId, facilityId };
}

/** So many requests, of which two thirds are charged, partly or whole, and one third is given back. */
export async function someRequests({ world, startupId }: BusyBooks, count: number): Promise<void> {
  const at = world.clock.now();
  const expiresAt = new Date(at.getTime() + 600_000);
  const ids = Array.from({ length: count }, () => newRequestId());
  const amount = (index: number) => 1_000 + index * 7;
  const rateCardId = world.quote.card.id;
  await commit(world, {
    holds: ids.map((id, index) => ({ id, startupId, amount: amount(index), rateCardId, placedAt: at, expiresAt })),
  });
  const charged = (index: number) => index % 3 !== 0;
  await commit(world, {
    resolutions: ids.map((holdId, index) => ({
      holdId,
      resolution: charged(index) ? "CAPTURED" : "VOIDED",
      at,
      charge: charged(index) ? amount(index) - (index % 2) * 11 : 0,
      accrual: charged(index) ? 300 : 0,
      providerId: world.providerId,
      period: at.toISOString().slice(0, 7),
    })),
    usages: ids.flatMap((_, index) => (charged(index) ? [usage(world, index + 1)] : [])),
  });
}

/** Dollars of the trust into the spread, booked at any instant that is open. */
export async function posting(world: MoneyWorld, amountNano: bigint, bookedAt: Date): Promise<string> {
  const id = newId();
  const spread = { id, code: "SPREAD" as const, debit: "cash:trust", credit: "revenue:spread", amountNano };
  await transaction(world.db, (tx) => world.ledger.post(tx, { groupId: newId(), bookedAt, postings: [spread] }));
  return id;
}

async function commit(world: MoneyWorld, batch: object): Promise<void> {
  await world.db.source.query("SELECT metering_commit($1)", [JSON.stringify(batch)]);
}

function usage({ quote }: MoneyWorld, ord: number) {
  return {
    ord,
    apiKeyId: newId(),
    endpointId: newId(),
    offeringId: newId(),
    fixingId: quote.fixingId,
    model: "a-model",
    accelerator: "H100",
    region: "eu-west",
    workload: "INFERENCE",
    outcome: "COMPLETED",
    promptTokens: 1,
    completionTokens: 1,
    usageBounded: false,
    gpuNanos: 1,
    accrualSharePpm: 850_000,
    attempts: 1,
    streamed: false,
    durationMs: 1,
  };
}
