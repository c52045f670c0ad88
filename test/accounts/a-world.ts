/** A database of its own with a clock, a bus that is listened to, and organisations to act for. */

import type { ApiKeyScope, OrganisationKind } from "../../schema/enums";
import { Accounts } from "../../src/accounts/accounts";
import type { Viewer } from "../../src/accounts/viewer";
import { MemoryBus } from "../../src/events/event-bus";
import type { FleetingTopic } from "../../src/events/topics";
import { type Database, openDatabase } from "../../src/platform/database";
import { DomainError } from "../../src/platform/errors";
import { newId } from "../../src/platform/ids";
import { TestClock } from "../support/clock";
import { createTestDatabase } from "../support/template-database";

export interface World {
  readonly db: Database;
  readonly clock: TestClock;
  readonly bus: MemoryBus;
  readonly accounts: Accounts;
  readonly operator: Viewer;
  /** A new organisation, as the viewer that its READ and WRITE key makes. */
  a(kind: OrganisationKind, name?: string): Promise<Viewer>;
  /** How often a topic was published while `work` ran. */
  published(topic: FleetingTopic, work: () => Promise<unknown>): Promise<number>;
  /**
   * Starts `works` (up to nine) while `table` cannot be written, and lets them go when every one of them waits: none is
   * done before the last has begun, as it would be by chance otherwise.
   */
  atOnce<T>(table: string, works: readonly (() => Promise<T>)[]): Promise<T[]>;
  /** Empties tables and sets the clock back: for a test that needs the start again, at a tenth of a new world's cost. */
  again(...tables: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export async function openWorld(start = "2026-01-15T12:30:00Z"): Promise<World> {
  const database = await createTestDatabase();
  const db = await openDatabase({ url: database.url });
  const clock = new TestClock(start);
  const bus = new MemoryBus((error) => {
    throw error;
  });
  const accounts = new Accounts({ db, bus, clock, pepper: Buffer.from("a pepper for tests") });
  const { organisation } = await accounts.bootstrapOperator("Operator");
  const operator = viewerOf("OPERATOR", organisation.id);
  return {
    db,
    clock,
    bus,
    accounts,
    operator,
    a: async (kind, name = `A ${kind}`) =>
      viewerOf(kind, (await accounts.createOrganisation(operator, { kind, name })).id),
    published: async (topic, work) => {
      let times = 0;
      const stop = bus.on(topic, () => {
        times += 1;
      });
      await work();
      stop();
      return times;
    },
    atOnce: (table, works) => atOnce(db, table, works),
    again: async (...tables) => {
      clock.moveTo(start);
      await db.source.query(`TRUNCATE ${tables.join(", ")}`);
    },
    close: async () => {
      await db.close();
      await database.drop();
    },
  };
}

async function atOnce<T>(db: Database, table: string, works: readonly (() => Promise<T>)[]): Promise<T[]> {
  const barrier = db.source.createQueryRunner();
  await barrier.startTransaction();
  try {
    await barrier.query(`LOCK TABLE ${table} IN EXCLUSIVE MODE`);
    const results = Promise.all(works.map((work) => work()));
    results.catch(() => undefined); // It is awaited below, after the barrier is gone.
    for (let waiting = 0; waiting < works.length; ) {
      [{ waiting }] = await db.source.query(
        `SELECT count(*)::int AS waiting FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
    }
    await barrier.commitTransaction();
    return await results;
  } finally {
    if (barrier.isTransactionActive) await barrier.rollbackTransaction();
    await barrier.release();
  }
}

export function viewerOf(
  kind: OrganisationKind,
  organisationId: string,
  scopes: readonly ApiKeyScope[] = ["READ", "WRITE", "ADMIN"],
): Viewer {
  return {
    organisationId,
    kind,
    scopes: new Set(scopes),
    keyId: newId(),
    memberId: null,
    sessionId: null,
    expiresAt: null,
    persistedOnly: false,
  };
}

/** The code with which `work` is refused, with the field at fault behind it; "nothing" when it is not refused. */
export async function refusal(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === "function" ? work() : work);
    return "nothing";
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return error.field === undefined ? error.code : `${error.code} ${error.field.join(".")}`;
  }
}
