/** Requests read from a replica that has what their tenant wrote, and from the primary as soon as there is none. */
import { randomBytes, randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { Organisation } from "../../entities/organisation";
import { TENANT_ROLE } from "../../entities/row-policies";
import { MemoryBus } from "../../src/events/event-bus";
import { shareFloors } from "../../src/events/shared-floors";
import { type Database, migrate, openDatabase } from "../../src/platform/database";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/platform/embedded-postgres";
import { newId } from "../../src/platform/ids";
import { type Acting, actAs } from "../../src/platform/tenancy";
import { transaction } from "../../src/platform/transaction";
import { until } from "../support/leftovers";
import { quickPlace } from "../support/quick-place";
import { primarySettings, type ReplicaServer, startReplica } from "../support/replica";

const root = join(quickPlace(), `exergy-replicas-${randomBytes(6).toString("hex")}`);
let primary: EmbeddedPostgres;
let replica: ReplicaServer;
let onReplica: Client;
let db: Database;
/** The same servers, as another process sees them. */
let elsewhere: Database;

beforeAll(async () => {
  primary = await startEmbeddedPostgres(join(root, "primary"), { durable: false, settings: primarySettings });
  const bare = await openDatabase({ url: primary.url });
  await migrate(bare);
  await bare.close();
  replica = await startReplica(primary, join(root, "replica"));
  onReplica = new Client({ connectionString: replica.url });
  onReplica.on("error", () => undefined);
  await onReplica.connect();
  const options = { url: primary.url, replicaUrls: [replica.url], poolMax: 4 };
  [db, elsewhere] = await Promise.all([openDatabase(options), openDatabase(options)]);
}, 120_000);
afterAll(async () => {
  await Promise.all([db?.close(), elsewhere?.close(), onReplica?.end().catch(() => undefined)]);
  await replica?.stop();
  await primary?.stop();
  for (const place of [dirname(primary.directory), root]) rmSync(place, { recursive: true, force: true });
}, 60_000);

const as = (id: string | null, reads: Acting["reads"] = "replica", seesAll = true): Acting => ({
  tenant: { id, seesAll },
  requestId: randomUUID(),
  reads,
});
const recovering = async (database = db): Promise<boolean> => {
  const text = "SELECT pg_is_in_recovery() AS replica";
  return (await database.query<{ replica: boolean }>({ name: "where", text }, []))[0]!.replica;
};
const written = async (id: string, name = "Written"): Promise<string> => {
  const organisation = { id: newId(), kind: "STARTUP" as const, name, createdAt: new Date(), version: 1 };
  await actAs(as(id, "primary"), () => transaction(db, (tx) => tx.insert(Organisation, organisation)));
  return organisation.id;
};
const found = (id: string, organisationId: string, database = db): Promise<boolean> =>
  actAs(as(id), () => database.source.getRepository(Organisation).existsBy({ id: organisationId }));
const caughtUp = (database = db) =>
  until("the replica caught up", () => database.replicas!.views[0]!.lagMs <= 250, 10_000);
const replay = (act: "pause" | "resume") => onReplica.query(`SELECT pg_wal_replay_${act}()`);

test("reads of requests go to the replica, as the tenant; writes, transactions, the system and whoever says so to the primary", async () => {
  await caughtUp();
  const id = randomUUID();
  expect(await actAs(as(id), () => recovering())).toBe(true);
  expect(await actAs(as(null), () => recovering())).toBe(true);
  expect(await actAs(as(id, "primary"), () => recovering())).toBe(false);
  expect(await recovering()).toBe(false);
  const inside = await actAs(as(id), () => transaction(db, (tx) => tx.query("SELECT pg_is_in_recovery() AS replica")));
  expect(inside).toEqual([{ replica: false }]);
  const another = randomUUID();
  const told = await actAs(as(another, "replica", false), () =>
    db.query(
      {
        name: "told",
        text: "SELECT current_user AS role, current_setting('exergy.tenant_id') AS tenant, pg_is_in_recovery() AS replica",
      },
      [],
    ),
  );
  expect(told).toEqual([{ role: TENANT_ROLE, tenant: another, replica: true }]);
});

test("entities are read from the replica too, and only the tenant's", async () => {
  const [own, foreign] = [await written(randomUUID()), await written(randomUUID())];
  await until("both are replayed", async () => {
    const { rows } = await onReplica.query("SELECT 1 FROM organisation WHERE id = ANY ($1)", [[own, foreign]]);
    return rows.length === 2;
  });
  await caughtUp();
  const seen = await actAs(as(own, "replica", false), () =>
    db.source
      .getRepository(Organisation)
      .createQueryBuilder("o")
      .select("o.id", "id")
      .addSelect("pg_is_in_recovery()", "replica")
      .getRawMany(),
  );
  expect(seen).toEqual([{ id: own, replica: true }]);
});

test("what a tenant wrote it reads back at once while the replica stands still; others go on reading there", async () => {
  await caughtUp();
  await replay("pause");
  try {
    const id = randomUUID();
    const organisationId = await written(id);
    expect(await found(id, organisationId)).toBe(true);
    expect(await actAs(as(id), () => recovering())).toBe(false);
    // The pause is real: somebody else is shown the state before.
    const other = randomUUID();
    expect(await actAs(as(other), () => recovering())).toBe(true);
    expect(await found(other, organisationId)).toBe(false);
    await replay("resume");
    await until("the replica answers the writer again", () => actAs(as(id), () => recovering()));
    expect(await found(id, organisationId)).toBe(true);
  } finally {
    await replay("resume");
  }
});

test("another process shows it too, once it has heard of the write; and after an event that tells of it, to everybody", async () => {
  await caughtUp(elsewhere);
  await replay("pause");
  try {
    const [id, other] = [randomUUID(), randomUUID()];
    const unheard = await written(id);
    expect(await found(id, unheard, elsewhere)).toBe(false);
    const bus = new MemoryBus();
    const published: string[] = [];
    bus.on("tenant.wrote", ({ lsn }) => published.push(lsn));
    for (const process of [db, elsewhere]) shareFloors(process, bus);
    const heard = await written(id);
    expect(await found(id, heard, elsewhere)).toBe(true);
    expect(await found(other, heard, elsewhere)).toBe(false);
    bus.publish("outbox.published", { position: "1", lsn: published[0]! });
    expect(await found(other, heard, elsewhere)).toBe(true);
  } finally {
    await replay("resume");
  }
});

test("a statement that writes after all is done by the primary, and its writer reads it back", async () => {
  await caughtUp();
  const id = randomUUID();
  const hidden = await actAs(as(id), () =>
    db.query<{ replica: boolean; xid: string }>(
      { name: "hidden", text: "SELECT txid_current() AS xid, pg_is_in_recovery() AS replica" },
      [],
    ),
  );
  expect(hidden[0]!.replica).toBe(false);
});

test("a replica that stays behind for more than 5 s answers nobody until it has caught up", async () => {
  await caughtUp();
  await replay("pause");
  try {
    await written(randomUUID());
    await until("it is left out", async () => !(await actAs(as(randomUUID()), () => recovering())), 10_000);
    await replay("resume");
    await until("it is back", () => actAs(as(randomUUID()), () => recovering()));
  } finally {
    await replay("resume");
  }
}, 20_000);

test("when the replica is killed under readers, the primary takes over and nobody sees an error", async () => {
  await caughtUp();
  const id = randomUUID();
  let reads = 0;
  let ended = false;
  const reader = async (): Promise<void> => {
    while (!ended) {
      await actAs(as(id), () => db.source.getRepository(Organisation).count());
      await actAs(as(id), () => recovering());
      reads += 2;
    }
  };
  const readers = Promise.all([reader(), reader(), reader()]);
  await until("readers read", () => reads > 30);
  replica.kill();
  await until("the replica counts as away", () => db.replicas!.views[0]!.replayed === null);
  const before = reads;
  await until("readers go on", () => reads > before + 30);
  ended = true;
  await readers;
  expect(await actAs(as(id), () => recovering())).toBe(false);
});
