/** Says whose a row is, in SQL that a migration runs: what tenants may read and write is refused by PostgreSQL beyond this. */

/** What every statement of a request runs as: no log-in, no ownership, nothing but what is granted to it here. */
export const TENANT_ROLE = "exergy_tenant";

/** The organisation that a request runs for; null when nobody has said who they are. In a SELECT of its own it is evaluated once per statement. */
export const TENANT = "(SELECT acting_tenant_id())";
/** Whether the request is an operator's. */
export const SEES_ALL = "(SELECT acting_sees_all())";

export interface May {
  readonly insert?: true;
  /** Columns that may change; the others never do. */
  readonly update?: readonly string[];
  readonly delete?: true;
}

/** `sees` and `changes` are conditions on a row for those who do not see all. Run it once per table. */
export function rowPolicies(table: string, rows: { sees: string; changes: string }, may: May = {}): string {
  const sees = `${SEES_ALL} OR ${rows.sees}`;
  const changes = `${SEES_ALL} OR ${rows.changes}`;
  const grants = [
    "SELECT",
    ...(may.insert ? ["INSERT"] : []),
    ...(may.update ? [`UPDATE (${may.update.join(", ")})`] : []),
    ...(may.delete ? ["DELETE"] : []),
  ];
  return [
    `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`,
    `GRANT ${grants.join(", ")} ON ${table} TO ${TENANT_ROLE};`,
    `CREATE POLICY ${table}_select ON ${table} FOR SELECT TO ${TENANT_ROLE} USING (${sees});`,
    may.insert ? `CREATE POLICY ${table}_insert ON ${table} FOR INSERT TO ${TENANT_ROLE} WITH CHECK (${changes});` : "",
    may.update
      ? `CREATE POLICY ${table}_update ON ${table} FOR UPDATE TO ${TENANT_ROLE} USING (${changes}) WITH CHECK (${changes});`
      : "",
    may.delete ? `CREATE POLICY ${table}_delete ON ${table} FOR DELETE TO ${TENANT_ROLE} USING (${changes});` : "",
  ].join("\n");
}

/** One party: the organisation in this column sees the row, and alone may change it. */
export function ownedBy(table: string, column: string, may: May = {}): string {
  const own = `${column} = ${TENANT}`;
  return rowPolicies(table, { sees: own, changes: own }, may);
}

/** Rows that belong to a row of another table, and are whose that one is. */
export function ownedThrough(table: string, column: string, owner: string, may: May = {}): string {
  const own = `${column} IN (SELECT id FROM ${owner})`;
  return rowPolicies(table, { sees: own, changes: own }, may);
}

/** Several parties see the row; requests never write it. */
export function sharedBetween(table: string, ...columns: readonly string[]): string {
  const sees = columns.map((column) => `${column} = ${TENANT}`).join(" OR ");
  return rowPolicies(table, { sees, changes: "false" });
}

/** Facts of the market: everybody reads them, also who has not said who they are; operators may add some. */
export function readableByAll(table: string, may: May = {}): string {
  return rowPolicies(table, { sees: "true", changes: "false" }, may);
}

export function operatorsOnly(table: string, may: May = {}): string {
  return rowPolicies(table, { sees: "false", changes: "false" }, may);
}

/** No request ever reads or writes it: jobs, the relay and functions of the ledger do. */
export function systemOnly(table: string): string {
  return `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY; REVOKE ALL ON ${table} FROM PUBLIC, ${TENANT_ROLE};`;
}
