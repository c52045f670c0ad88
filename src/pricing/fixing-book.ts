/** The hourly fixings as they are stored: written once per place and hour, read as the newest of each place. */
import type { EntityManager } from "typeorm";
import { Fixing } from "../../entities/fixing";
import { SpotObservation } from "../../entities/spot-observation";
import type { Database } from "../platform/database";
import { newId } from "../platform/ids";
import { computeFixing } from "./fixing";

export interface MarketPlace {
  readonly accelerator: string;
  readonly region: string;
}

interface FixingRow {
  id: string;
  accelerator: string;
  region: string;
  hour: Date;
  price_nano_usd: string;
  flags: string[];
  components: Fixing["components"];
  created_at: Date;
}

export const HOUR_MS = 3_600_000;
const OBSERVATION_TTL_MS = 86_400_000;

export const placeKey = ({ accelerator, region }: MarketPlace): string => `${accelerator}|${region}`;

/** Walks from place to place along the index instead of reading the fixings of years to find the newest ones. */
const newestOfEachPlace = {
  name: "pricing-latest-fixings",
  text: `WITH RECURSIVE place AS (
           (SELECT accelerator, region FROM fixing ORDER BY accelerator, region LIMIT 1)
           UNION ALL
           SELECT n.accelerator, n.region FROM place p, LATERAL (
             SELECT f.accelerator, f.region FROM fixing f WHERE (f.accelerator, f.region) > (p.accelerator, p.region)
              ORDER BY f.accelerator, f.region LIMIT 1) n
         )
         SELECT f.* FROM place p, LATERAL (
           SELECT * FROM fixing f WHERE f.accelerator = p.accelerator AND f.region = p.region ORDER BY f.hour DESC LIMIT 1) f`,
};

/** In the order of accelerator and region. */
export async function latestFixings(db: Database): Promise<Fixing[]> {
  const rows = await db.query<FixingRow>(newestOfEachPlace, []);
  return rows.map((row) => ({
    id: row.id,
    accelerator: row.accelerator,
    region: row.region,
    hour: row.hour,
    priceNanoUsd: BigInt(row.price_nano_usd),
    flags: row.flags,
    components: row.components,
    createdAt: row.created_at,
  }));
}

/** Every place that was ever observed. */
export async function observedPlaces(tx: EntityManager): Promise<MarketPlace[]> {
  return tx.query("SELECT DISTINCT accelerator, region FROM spot_observation");
}

/**
 * Fixes the hour of `at` for those of `places` that have no fixing for it yet, from what was observed until `at`.
 * Returns the hour's fixings of the places, old and new; a place without any price, now or before, has none.
 */
export async function fixPlaces(
  tx: EntityManager,
  places: readonly MarketPlace[],
  at: Date,
): Promise<{ fixings: Fixing[]; added: number }> {
  const hour = new Date(Math.floor(at.getTime() / HOUR_MS) * HOUR_MS);
  const wanted = new Map(places.map((place) => [placeKey(place), place]));
  for (const fixed of await tx.findBy(Fixing, { hour })) wanted.delete(placeKey(fixed));
  const observations = wanted.size === 0 ? new Map<string, SpotObservation[]>() : await freshObservations(tx, at);
  let added = 0;
  // One order for all processes, or two that fix the same hour could wait for each other.
  for (const [key, place] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const previousNanoUsd = await priceBefore(tx, place, hour);
    const fixed = computeFixing(observations.get(key) ?? [], { at, previousNanoUsd, ttlMs: OBSERVATION_TTL_MS });
    if (fixed !== null) added += await insert(tx, { ...place, hour, createdAt: at, ...fixed });
  }
  const ours = new Set(places.map(placeKey));
  const fixings = (await tx.findBy(Fixing, { hour })).filter((fixing) => ours.has(placeKey(fixing)));
  return { fixings, added };
}

async function freshObservations(tx: EntityManager, at: Date): Promise<Map<string, SpotObservation[]>> {
  const rows = await tx
    .createQueryBuilder(SpotObservation, "spot")
    .where("spot.observedAt BETWEEN :since AND :at", { since: new Date(at.getTime() - OBSERVATION_TTL_MS), at })
    .getMany();
  const byPlace = new Map<string, SpotObservation[]>();
  for (const row of rows) {
    const group = byPlace.get(placeKey(row));
    if (group === undefined) byPlace.set(placeKey(row), [row]);
    else group.push(row);
  }
  return byPlace;
}

async function priceBefore(tx: EntityManager, place: MarketPlace, hour: Date): Promise<bigint | null> {
  const [row]: { price: string }[] = await tx.query(
    `SELECT price_nano_usd AS price FROM fixing WHERE accelerator = $1 AND region = $2 AND hour < $3
      ORDER BY hour DESC LIMIT 1`,
    [place.accelerator, place.region, hour],
  );
  return row === undefined ? null : BigInt(row.price);
}

/** 0 when another process fixed this hour first: then its fixing holds. */
async function insert(
  tx: EntityManager,
  fixing: MarketPlace & { hour: Date; createdAt: Date } & NonNullable<ReturnType<typeof computeFixing>>,
): Promise<number> {
  const components = fixing.components.map((component) => ({
    ...component,
    priceNanoUsd: component.priceNanoUsd.toString(),
    weightPpm: component.weightPpm.toString(),
  }));
  const rows: unknown[] = await tx.query(
    `INSERT INTO fixing (id, accelerator, region, hour, price_nano_usd, flags, components, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (accelerator, region, hour) DO NOTHING RETURNING id`,
    [
      newId(),
      fixing.accelerator,
      fixing.region,
      fixing.hour,
      fixing.priceNanoUsd.toString(),
      fixing.flags,
      JSON.stringify(components),
      fixing.createdAt,
    ],
  );
  return rows.length;
}
