/** With every check of the application left out, PostgreSQL alone keeps tenants apart. */
import { randomUUID } from "node:crypto";
import { TENANT_ROLE } from "../../entities/row-policies";
import type { Viewer } from "../../src/accounts/viewer";
import { Capacity } from "../../src/capacity/capacity";
import { Catalog } from "../../src/catalog/catalog";
import { MemoryBus } from "../../src/events/event-bus";
import { Outbox } from "../../src/events/outbox";
import { Funding } from "../../src/funding/funding";
import { Ledger } from "../../src/ledger/ledger";
import { Metering } from "../../src/metering/metering";
import { Accruals } from "../../src/payouts/accruals";
import { systemClock as clock } from "../../src/platform/clock";
import { type Database, openDatabase } from "../../src/platform/database";
import { actAs } from "../../src/platform/tenancy";
import { transaction } from "../../src/platform/transaction";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { aMarket, insert, keyOf, type Market, type PartyKind, parties } from "./two-markets";

/** Read by everybody, also by who has not said who they are. */
const publicTables = ["accounting_period", "accelerator", "fixing", "pricing_tier", "rate_card", "sla_tier"];
const operatorsTables = ["journal_page", "spot_observation", "test_clock"];
/** No request touches them. */
const systemTables = [
  "bank_callback",
  "budget_epoch",
  "credit_use_mark",
  "hold",
  "hold_budget",
  "kept_answer",
  "lease",
  "lease_budget",
  "lease_slice",
  "migration",
  "outbox_epoch",
  "transfer",
  "workload_answer",
  "workload_checkpoint",
  "workload_event",
];

let created: TestDatabase;
let db: Database;
let ours: Market;
let theirs: Market;

beforeAll(async () => {
  created = await createTestDatabase();
  db = await openDatabase({ url: created.url, poolMax: 3 });
  [ours, theirs] = [await aMarket(db), await aMarket(db)];
});
afterAll(async () => {
  await db.close();
  await created.drop();
});

const as = <T>(id: string | null, work: () => Promise<T>, seesAll = false): Promise<T> =>
  actAs({ tenant: { id, seesAll }, requestId: randomUUID(), reads: "primary" }, work);
const query = (text: string, values: unknown[] = []) => db.source.query(text, values);
const keys = async (table: string): Promise<string[]> =>
  (await query(`SELECT ${keyOf(table)}::text AS key FROM ${table}`)).map(({ key }: { key: string }) => key);
const tables = Object.keys(parties);
const refused = { code: "42501" };

test("every table is somebody's, everybody's or the system's, and says so in PostgreSQL", async () => {
  const found: { name: string; secured: boolean; policies: number; reachable: boolean }[] = await query(
    `SELECT c.relname AS name, c.relrowsecurity AS secured, (SELECT count(*)::int FROM pg_policy p WHERE p.polrelid = c.oid) AS policies,
            has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege($1, c.oid, 'DELETE, TRUNCATE') AS reachable
       FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1`,
    [TENANT_ROLE],
  );
  const withPolicies = found.filter(({ policies }) => policies > 0);
  expect(withPolicies.map(({ name }) => name)).toEqual([...tables, ...publicTables, ...operatorsTables].sort());
  expect(withPolicies.filter(({ secured }) => !secured)).toEqual([]);
  const without = found.filter(({ policies }) => policies === 0);
  expect(without.map(({ name }) => name)).toEqual(systemTables);
  expect(without.filter(({ reachable }) => reachable)).toEqual([]);
});

test("the role of requests owns nothing, bypasses nothing, logs in nowhere and is in no other role", async () => {
  const [role] = await query(
    `SELECT rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb AS mighty,
            EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) AS member,
            EXISTS (SELECT FROM pg_class WHERE relowner = r.oid) AS owner FROM pg_roles r WHERE rolname = $1`,
    [TENANT_ROLE],
  );
  expect(role).toEqual({ mighty: false, member: false, owner: false });
});

describe.each(tables)("%s", (table) => {
  const insiders = parties[table]!;

  test("is seen by its own parties, by an operator, and by nobody of another market", async () => {
    for (const kind of insiders) expect(await as(ours[kind], () => keys(table))).toContain(ours.rows[table]);
    for (const kind of ["provider", "startup", "partner"] as const) {
      expect(await as(theirs[kind], () => keys(table))).not.toContain(ours.rows[table]);
      if (insiders.includes(kind)) continue;
      const seen = await as(ours[kind], () => keys(table));
      expect(seen).not.toContain(ours.rows[table]);
    }
    const all = await as(randomUUID(), () => keys(table), true);
    expect(all).toEqual(expect.arrayContaining([ours.rows[table], theirs.rows[table]]));
    expect(await as(null, () => keys(table))).toEqual([]);
  });

  test("takes no row of another market, nor does one change hands, change or go", async () => {
    const [row] = await query(`SELECT to_jsonb(t) AS row FROM ${table} t WHERE ${keyOf(table)}::text = $1`, [
      ours.rows[table],
    ]);
    const copy = { ...row.row, ...("id" in row.row ? { id: randomUUID() } : {}) };
    for (const kind of ["provider", "startup", "partner"] as const) {
      await as(theirs[kind], async () => {
        await expect(insert(db, table, copy)).rejects.toMatchObject(refused);
        await expectUntouched(table);
      });
    }
    await as(null, () => expect(insert(db, table, copy)).rejects.toMatchObject(refused));
    const [after] = await query(`SELECT to_jsonb(t) AS row FROM ${table} t WHERE ${keyOf(table)}::text = $1`, [
      ours.rows[table],
    ]);
    expect(after).toEqual(row);
  });
});

/** By every column that may be written at all; whoever acts must reach no row of ours. */
async function expectUntouched(table: string): Promise<void> {
  const where = `WHERE ${keyOf(table)}::text = $1`;
  const columns: { name: string }[] = await query(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
        AND has_column_privilege(attrelid, attnum, 'UPDATE')`,
    [table],
  );
  for (const { name } of columns) {
    expect(await query(`UPDATE ${table} SET ${name} = ${name} ${where}`, [ours.rows[table]])).toEqual([[], 0]);
  }
  const owners = columns.filter(({ name }) => /^(id|.*_id)$/.test(name));
  expect(owners).toEqual([]);
  const [{ deletes }] = await query("SELECT has_table_privilege($1, 'DELETE') AS deletes", [table]);
  const gone = query(`DELETE FROM ${table} ${where}`, [ours.rows[table]]);
  if (deletes) expect(await gone).toEqual([[], 0]);
  else await expect(gone).rejects.toMatchObject(refused);
}

test("a row's own party may not give it away: owners are no columns that change", async () => {
  await as(ours.provider, async () => {
    const moved = query("UPDATE endpoint SET provider_id = $1 WHERE id = $2", [theirs.provider, ours.endpoint]);
    await expect(moved).rejects.toMatchObject(refused);
    const foreign = insert(db, "offering", {
      id: randomUUID(),
      endpoint_id: theirs.endpoint,
      model: "mine",
      upstream_model: "m",
    });
    await expect(foreign).rejects.toMatchObject(refused);
  });
});

test("facts of the market are read by everybody and written by operators only, who cannot change them either", async () => {
  for (const table of publicTables) {
    const all = await query(`SELECT count(*)::int AS count FROM ${table}`);
    for (const id of [null, ours.startup])
      expect(await as(id, () => query(`SELECT count(*)::int AS count FROM ${table}`))).toEqual(all);
    for (const seesAll of [false, true]) {
      await as(ours.startup, () => expect(query(`DELETE FROM ${table}`)).rejects.toMatchObject(refused), seesAll);
    }
  }
  const seen = {
    id: randomUUID(),
    accelerator: "H100",
    region: "r",
    source: "s",
    price_nano_usd: 1,
    confidence_ppm: 1,
    observed_at: "2026-11-01",
    recorded_at: "2026-11-01",
  };
  await as(ours.provider, () => expect(insert(db, "spot_observation", seen)).rejects.toMatchObject(refused));
  await as(randomUUID(), () => insert(db, "spot_observation", seen), true);
  expect(await as(ours.provider, () => keys("spot_observation"))).toEqual([]);
});

test.each(systemTables)("%s is closed to every request, an operator's too", async (table) => {
  for (const seesAll of [false, true]) {
    await as(ours.startup, () => expect(query(`SELECT * FROM ${table}`)).rejects.toMatchObject(refused), seesAll);
  }
});

test("a capital partner reads of the startups that it funds, and of no others", async () => {
  const organisations = await as(ours.partner, () => keys("organisation"));
  expect(organisations.sort()).toEqual([ours.partner, ours.startup].sort());
  expect(await as(theirs.startup, () => keys("organisation"))).toEqual([theirs.startup]);
});

test("doors that took everybody for an operator would still show a tenant its own rows only", async () => {
  const everything: Viewer = {
    organisationId: ours.provider,
    kind: "OPERATOR",
    scopes: new Set(["READ", "WRITE"]),
    keyId: null,
    memberId: null,
    sessionId: null,
    expiresAt: null,
    persistedOnly: false,
  };
  const bus = new MemoryBus();
  const catalog = new Catalog({ db, bus, clock, egress: { allowLoopback: true, ownHosts: [] } });
  const funding = new Funding({
    db,
    bus,
    clock,
    outbox: new Outbox(db, bus, clock),
    ledger: new Ledger({ db, clock }),
  });
  const lists = {
    endpoint: async () => (await catalog.endpoints(everything, {})).rows.map(({ id }) => id),
    offering: async () => (await catalog.offerings(everything, {})).rows.map(({ id }) => id),
    facility: async () => (await funding.facilities(everything, {})).rows.map(({ id }) => id),
    credit_lot: async () => (await funding.lots(everything, {})).rows.map(({ id }) => id),
    usage_record: async () =>
      (await new Metering({ db, bus, clock }).usage(everything, {}, {})).rows.map(({ id }) => id),
    loaded: async () => (await catalog.endpointsByIds([ours.endpoint, theirs.endpoint])).map(({ id }) => id),
    accruals: async () => (await new Accruals({ db }).page(everything, {})).rows.map(({ id }) => id),
  };
  const of = (market: Market, kind: PartyKind, list: keyof typeof lists) => as(market[kind], lists[list]);
  for (const market of [ours, theirs]) {
    expect(await of(market, "provider", "endpoint")).toEqual([market.endpoint]);
    expect(await of(market, "provider", "loaded")).toEqual([market.endpoint]);
    expect(await of(market, "provider", "offering")).toEqual([market.rows.offering]);
    expect(await of(market, "partner", "facility")).toEqual([market.facility]);
    expect(await of(market, "partner", "credit_lot")).toEqual([market.rows.credit_lot]);
    expect(await of(market, "startup", "usage_record")).toEqual([market.rows.usage_record]);
    expect(await of(market, "startup", "endpoint")).toEqual([]);
    expect(await of(market, "provider", "accruals")).toEqual([]);
  }
  const capacity = new Capacity({ db, bus, outbox: new Outbox(db, bus, clock), clock });
  const move = as(theirs.provider, () => catalog.moveEndpoint(everything, ours.endpoint, "SUSPENDED"));
  await expect(move).rejects.toMatchObject({ code: "NOT_FOUND" });
  const cancel = as(theirs.provider, () => capacity.cancelWindow(everything, ours.rows.capacity_window!));
  await expect(cancel).rejects.toMatchObject({ code: "NOT_FOUND" });
});

describe("the ledger, for a request,", () => {
  const lotOf = (market: Market, more: Record<string, unknown> = {}) =>
    JSON.stringify({
      groupId: market.drawdown,
      accountId: randomUUID(),
      fundingId: randomUUID(),
      issuanceId: randomUUID(),
      lotId: randomUUID(),
      facilityId: market.facility,
      startupId: market.startup,
      funded: "8",
      credit: "10",
      multiplierPpm: "1250000",
      fee: "0",
      feeId: randomUUID(),
      priority: 100,
      bookedAt: "2026-11-01T10:00:00Z",
      ...more,
    });
  const issue = (lot: string) => transaction(db, (tx) => tx.query("SELECT ledger_issue_lot($1)", [lot]));
  const open = (facility: string) =>
    query("SELECT ledger_open_facility($1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now())", [
      facility,
    ]);

  test("posts nothing, holds nothing, moves no counter", async () => {
    const post = [
      {
        id: randomUUID(),
        groupId: randomUUID(),
        code: "X",
        debit: ours.rows.ledger_account,
        credit: ours.rows.ledger_account,
        amount: 1,
        bookedAt: "2026-11-01",
      },
    ];
    for (const seesAll of [false, true]) {
      await as(
        ours.startup,
        async () => {
          for (const attempt of [
            () => query("SELECT ledger_post($1)", [JSON.stringify(post)]),
            () => query("SELECT metering_commit('{}')"),
            () => query("SELECT * FROM ledger_place_holds('{}')"),
            () => query("SELECT * FROM ledger_resolve_holds('{}')"),
            () => query("SELECT * FROM ledger_capture('{}')"),
            () => query("SELECT metering_capture('{}')"),
            () => query("SELECT metering_capture_plain('{}')"),
            () => query("SELECT metering_record('{}', '[]')"),
            () => query("SELECT metering_stage('{}')"),
            () => query("SELECT ledger_carry_hold(gen_random_uuid(), gen_random_uuid(), now())"),
            () => query("SELECT * FROM ledger_open_lots($1, NULL, NULL, now())", [ours.startup]),
            () => query("SELECT * FROM lease_sweep()"),
            () => query("SELECT * FROM lease_recall($1, NULL, NULL)", [ours.startup]),
            () => query("UPDATE ledger_account SET credits_posted = 1000000"),
            () => query("INSERT INTO usage_record DEFAULT VALUES"),
          ]) {
            await expect(attempt()).rejects.toMatchObject(refused);
          }
        },
        seesAll,
      );
    }
  });

  test("opens accounts and posts by their names for an operator alone", async () => {
    const account = { id: randomUUID(), name: `t:${randomUUID()}`, ledger: "USD", kind: "HOLDBACK", limited: false };
    const opened = () =>
      query("SELECT ledger_open_account($1)", [JSON.stringify({ ...account, createdAt: "2026-11-01T10:00:00Z" })]);
    const leg = {
      id: randomUUID(),
      groupId: randomUUID(),
      code: "HOLDBACK",
      amount: "5",
      bookedAt: "2026-11-01T10:00:00Z",
    };
    const posted = () =>
      query("SELECT ledger_post_named($1)", [JSON.stringify([{ ...leg, debit: "cash:trust", credit: account.name }])]);
    for (const tenant of [ours.startup, ours.partner, ours.provider, null]) {
      await as(tenant, async () => {
        await expect(opened()).rejects.toMatchObject(refused);
        await expect(posted()).rejects.toMatchObject(refused);
      });
    }
    await as(randomUUID(), opened, true);
    await as(randomUUID(), posted, true);
    const [{ credits }] = await query("SELECT credits_posted::text AS credits FROM ledger_account WHERE name = $1", [
      account.name,
    ]);
    expect(credits).toBe("5");
  });

  test("opens the accounts of the partner's own facility, and issues what its drawdown says, once", async () => {
    await as(theirs.partner, () => expect(open(ours.facility)).rejects.toMatchObject(refused));
    await as(ours.startup, () => expect(open(ours.facility)).rejects.toMatchObject(refused));
    await as(ours.partner, () => open(ours.facility));
    await as(theirs.partner, () => expect(issue(lotOf(ours))).rejects.toMatchObject(refused));
    await as(ours.startup, () => expect(issue(lotOf(ours))).rejects.toMatchObject(refused));
    await as(ours.partner, async () => {
      for (const wrong of [
        { credit: "12" },
        { funded: "9" },
        { startupId: theirs.startup },
        { groupId: randomUUID() },
        { multiplierPpm: "1500000", credit: "12" },
      ]) {
        await expect(issue(lotOf(ours, wrong))).rejects.toMatchObject(refused);
      }
      await issue(lotOf(ours));
      await expect(issue(lotOf(ours))).rejects.toMatchObject(refused);
    });
    const [{ issued }] = await query(
      "SELECT sum(debits_posted)::text AS issued FROM ledger_account WHERE kind = 'CREDIT_ISSUANCE' AND facility_id = $1",
      [ours.facility],
    );
    expect(issued).toBe("10");
  });
});

test("a startup's list still goes by its index, and who asks is found out once", async () => {
  const text = "SELECT * FROM usage_record WHERE startup_id = $1 ORDER BY id DESC LIMIT 51";
  await query(
    `INSERT INTO usage_record SELECT (jsonb_populate_record(NULL::usage_record, to_jsonb(u) || jsonb_build_object('id', gen_random_uuid(), 'startup_id', gen_random_uuid()))).*
       FROM usage_record u, generate_series(1, 3000) WHERE u.id = $1`,
    [ours.rows.usage_record],
  );
  await query("ANALYZE usage_record");
  const lines: { "QUERY PLAN": string }[] = await as(ours.startup, () =>
    query(`EXPLAIN ${text.replace("$1", `'${ours.startup}'`)}`),
  );
  const plan = lines.map((line) => line["QUERY PLAN"]).join("\n");
  expect(plan).toContain("usage_record_startup");
  expect(plan).toContain("InitPlan");
  expect(plan).not.toContain("Seq Scan");
});
