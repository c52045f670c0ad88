/** Every statement of a request runs as its tenant, however the few connections are shared; the system's never do. */
import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { Organisation } from "../../entities/organisation";
import { TENANT_ROLE } from "../../entities/row-policies";
import { type Database, openDatabase } from "../../src/platform/database";
import { type Acting, actAs, asSystem } from "../../src/platform/tenancy";
import { transaction } from "../../src/platform/transaction";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

let created: TestDatabase;
let db: Database;

beforeAll(async () => {
  created = await createTestDatabase();
});
beforeEach(async () => {
  // One connection for all tenants: everybody waits for everybody.
  db = await openDatabase({ url: created.url, poolMax: 1 });
});
afterEach(() => db.close());
afterAll(() => created.drop());

interface Identity {
  role: string;
  tenant: string | null;
  sees_all: string | null;
  pid: number;
}

const identityText = `SELECT current_user AS role, current_setting('exergy.tenant_id', true) AS tenant,
  current_setting('exergy.sees_all', true) AS sees_all, pg_backend_pid() AS pid`;
const named = async (database = db): Promise<Identity> =>
  (await database.query<Identity & Record<string, unknown>>({ name: "identity", text: identityText }, []))[0]!;
const byTypeorm = async (): Promise<Identity> => (await db.source.query(identityText))[0];
const inTransaction = (): Promise<Identity> =>
  transaction(db, async (tx) => {
    const [first] = await tx.query(identityText);
    await tx.query("SELECT pg_sleep(0.001)");
    const [again] = await tx.query(identityText);
    expect(again).toEqual(first);
    return again;
  });

const as = (id: string | null, seesAll = false): Acting => ({
  tenant: { id, seesAll },
  requestId: "r",
  reads: "primary",
});

test("on one connection for all, each of many tenants at once reads, writes and waits as nobody but itself", async () => {
  const asItself = (id: string) =>
    actAs(as(id), async () => {
      const seen = await Promise.all([named(), byTypeorm(), inTransaction(), named(), inTransaction(), byTypeorm()]);
      for (const identity of seen) expect(identity).toMatchObject({ role: TENANT_ROLE, tenant: id, sees_all: "off" });
    });
  // Thirty turns at once: nobody is kept waiting for a connection for more than two seconds, on a slow machine either.
  for (let round = 0; round < 12; round++)
    await Promise.all(Array.from({ length: 5 }, () => randomUUID()).map((id) => asItself(id)));
});

test("jobs that run meanwhile are the system, and what a request hands over to the system is too", async () => {
  const own = (await named()).role;
  expect(own).not.toBe(TENANT_ROLE);
  const id = randomUUID();
  const rounds = Array.from({ length: 30 }, async (_, round) => {
    if (round % 2 === 0) return expect((await named()).role).toBe(own);
    return actAs(as(id), async () => {
      expect((await named()).role).toBe(TENANT_ROLE);
      expect((await asSystem(() => named())).role).toBe(own);
      expect((await asSystem(() => inTransaction())).role).toBe(own);
      expect((await named()).tenant).toBe(id);
    });
  });
  await Promise.all(rounds);
});

test("a dedicated connection is always the system's", async () => {
  const dedicated = db.dedicated("settlements");
  const rows = await actAs(as(randomUUID()), () =>
    dedicated.query<{ role: string }>({ name: "i", text: identityText }, []),
  );
  expect(rows[0]!.role).not.toBe(TENANT_ROLE);
});

test("a transaction stays with the tenant that began it, whoever acts when its later statements are sent", async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  await actAs(as(first), () =>
    transaction(db, async (tx) => {
      const [seen] = await actAs(as(second), () => tx.query(identityText));
      expect(seen.tenant).toBe(first);
    }),
  );
});

test("an operator sees all, somebody unknown is told as nobody", async () => {
  const id = randomUUID();
  expect(await actAs(as(id, true), () => named())).toMatchObject({ tenant: id, sees_all: "on" });
  expect(await actAs(as(null), () => named())).toMatchObject({ role: TENANT_ROLE, tenant: "", sees_all: "off" });
  expect(await actAs(as(id), () => named())).toMatchObject({ tenant: id, sees_all: "off" });
});

test("the connection is told only when it changes hands", async () => {
  const sent = jest.spyOn(Client.prototype, "query");
  const tellings = () =>
    sent.mock.calls.filter(([first]) => (first as { name?: string })?.name === "tell-tenant").length;
  try {
    const [first, second] = [randomUUID(), randomUUID()];
    for (let round = 0; round < 5; round++) await actAs(as(first), () => named());
    expect(tellings()).toBe(1);
    await actAs(as(second), () => byTypeorm());
    await actAs(as(first), () => inTransaction());
    expect(tellings()).toBe(3);
  } finally {
    sent.mockRestore();
  }
});

test("a connection that could not be told is thrown away, and the statement was never sent", async () => {
  const { pid } = await actAs(as(randomUUID()), () => named());
  const unspeakable = "\0";
  await expect(actAs(as(unspeakable), () => named())).rejects.toMatchObject({ code: "22021" });
  await expect(actAs(as(unspeakable), () => inTransaction())).rejects.toMatchObject({ code: "22021" });
  const id = randomUUID();
  const next = await actAs(as(id), () => named());
  expect(next).toMatchObject({ tenant: id });
  expect(next.pid).not.toBe(pid);
});

test("a connection given back inside a transaction is not used again, whose rollback would bring back the tenant before", async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  const { pid } = await actAs(as(first), async () => {
    const client = await new Promise<{ query(text: string): Promise<unknown>; release(): void }>((resolve, reject) => {
      const pool = (db.source.driver as unknown as { master: { connect(done: unknown): void } }).master;
      pool.connect((error: unknown, connected: never) => (error ? reject(error as Error) : resolve(connected)));
    });
    await client.query("BEGIN");
    client.release();
    return { pid: (client as unknown as { processID: number }).processID };
  });
  const seen = await actAs(as(second), () => named());
  expect(seen).toMatchObject({ tenant: second });
  expect(seen.pid).not.toBe(pid);
});

test("a tenant's connection knows no way back to the login's role by RESET, and ends statements after 15 s", async () => {
  await actAs(as(randomUUID()), () =>
    transaction(db, async (tx) => {
      await tx.query("RESET ROLE");
      expect((await tx.query("SELECT current_user AS role"))[0].role).toBe(TENANT_ROLE);
      expect(await tx.query("SHOW statement_timeout")).toEqual([{ statement_timeout: "15s" }]);
    }),
  );
  expect(await db.source.query("SHOW statement_timeout")).toEqual([{ statement_timeout: "0" }]);
});

test("a refused statement leaves the connection as it is, for the next one", async () => {
  const id = randomUUID();
  const { pid } = await actAs(as(id), () => named());
  await expect(actAs(as(id), () => db.query({ name: "no", text: "SELECT * FROM hold" }, []))).rejects.toMatchObject({
    code: "42501",
  });
  await expect(
    actAs(as(id), () => db.source.getRepository(Organisation).query("SELECT * FROM transfer")),
  ).rejects.toMatchObject({ code: "42501" });
  expect((await actAs(as(id), () => named())).pid).toBe(pid);
});
