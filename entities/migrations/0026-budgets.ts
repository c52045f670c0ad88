/** Creates projects of API keys and the budgets of both, with the counters that holds, leases and charges keep. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { ownedBy, ownedThrough, rowPolicies, systemOnly, TENANT, TENANT_ROLE } from "../row-policies";
import { budgetActFunctions } from "./ledger-sql/budget-acts";
import { budgetFunctions } from "./ledger-sql/budgets";

const projects = `
  CREATE TABLE project (
    id uuid NOT NULL,
    startup_id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL,
    CONSTRAINT project_pkey PRIMARY KEY (id)
  );
  CREATE UNIQUE INDEX project_startup_name_key ON project (startup_id, name) WHERE archived_at IS NULL;
  ALTER TABLE project ADD CONSTRAINT project_startup_id_fkey FOREIGN KEY (startup_id) REFERENCES organisation(id);

  ALTER TABLE api_key
    ADD COLUMN project_id uuid,
    ADD COLUMN origin_id uuid,
    ADD CONSTRAINT api_key_project_id_fkey FOREIGN KEY (project_id) REFERENCES project(id),
    ADD CONSTRAINT api_key_origin_id_fkey FOREIGN KEY (origin_id) REFERENCES api_key(id);
  CREATE INDEX api_key_project ON api_key (project_id) WHERE project_id IS NOT NULL;
  CREATE INDEX api_key_origin ON api_key (origin_id) WHERE origin_id IS NOT NULL;
  WITH RECURSIVE line AS (
    SELECT id, id AS origin_id FROM api_key WHERE rotated_from_id IS NULL
    UNION ALL SELECT k.id, l.origin_id FROM api_key k JOIN line l ON k.rotated_from_id = l.id
  )
  UPDATE api_key k SET origin_id = l.origin_id FROM line l WHERE l.id = k.id AND l.origin_id <> k.id;`;

const budgets = `
  CREATE TABLE budget (
    id uuid NOT NULL,
    startup_id uuid NOT NULL,
    api_key_id uuid,
    project_id uuid,
    period text NOT NULL,
    amount_nano_credit bigint NOT NULL,
    hard_stop boolean NOT NULL,
    thresholds_ppm integer[] NOT NULL,
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    version integer NOT NULL,
    CONSTRAINT budget_owner_check CHECK (num_nonnulls(api_key_id, project_id) = 1),
    CONSTRAINT budget_period_check CHECK (period IN ('MONTH','TOTAL')),
    CONSTRAINT budget_amount_check CHECK (amount_nano_credit > 0),
    CONSTRAINT budget_pkey PRIMARY KEY (id)
  );
  CREATE INDEX budget_startup ON budget (startup_id);
  CREATE UNIQUE INDEX budget_api_key_key ON budget (api_key_id) WHERE removed_at IS NULL;
  CREATE UNIQUE INDEX budget_project_key ON budget (project_id) WHERE removed_at IS NULL;
  ALTER TABLE budget ADD CONSTRAINT budget_startup_id_fkey FOREIGN KEY (startup_id) REFERENCES organisation(id);
  ALTER TABLE budget ADD CONSTRAINT budget_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_key(id);
  ALTER TABLE budget ADD CONSTRAINT budget_project_id_fkey FOREIGN KEY (project_id) REFERENCES project(id);

  CREATE TABLE budget_period (
    budget_id uuid NOT NULL,
    period text NOT NULL,
    limit_nano_credit bigint NOT NULL,
    hard_stop boolean NOT NULL,
    spent_nano_credit bigint NOT NULL DEFAULT 0,
    held_nano_credit bigint NOT NULL DEFAULT 0,
    leased_nano_credit bigint NOT NULL DEFAULT 0,
    ceiling_nano_credit bigint NOT NULL,
    CONSTRAINT budget_period_counters_check CHECK (spent_nano_credit >= 0 AND held_nano_credit >= 0 AND leased_nano_credit >= 0),
    CONSTRAINT budget_period_ceiling_check CHECK (ceiling_nano_credit >= limit_nano_credit),
    CONSTRAINT budget_period_limit_check CHECK (NOT hard_stop OR spent_nano_credit + held_nano_credit + leased_nano_credit <= ceiling_nano_credit),
    CONSTRAINT budget_period_pkey PRIMARY KEY (budget_id, period)
  );
  ALTER TABLE budget_period ADD CONSTRAINT budget_period_budget_id_fkey FOREIGN KEY (budget_id) REFERENCES budget(id);

  CREATE TABLE budget_alert (
    id uuid NOT NULL,
    budget_id uuid NOT NULL,
    startup_id uuid NOT NULL,
    period text NOT NULL,
    threshold_ppm integer NOT NULL,
    limit_nano_credit bigint NOT NULL,
    spent_nano_credit bigint NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT budget_alert_pkey PRIMARY KEY (id)
  );
  CREATE UNIQUE INDEX budget_alert_once_key ON budget_alert (budget_id, period, threshold_ppm);
  CREATE INDEX budget_alert_startup ON budget_alert (startup_id, id);
  ALTER TABLE budget_alert ADD CONSTRAINT budget_alert_budget_id_fkey FOREIGN KEY (budget_id) REFERENCES budget(id);

  CREATE TABLE hold_budget (
    hold_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    period text NOT NULL,
    CONSTRAINT hold_budget_pkey PRIMARY KEY (hold_id, budget_id)
  );
  CREATE TABLE lease_budget (
    lease_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    period text NOT NULL,
    CONSTRAINT lease_budget_pkey PRIMARY KEY (lease_id, budget_id)
  );
  CREATE TABLE budget_epoch (
    startup_id uuid NOT NULL,
    epoch integer NOT NULL,
    standing boolean NOT NULL,
    CONSTRAINT budget_epoch_pkey PRIMARY KEY (startup_id)
  );`;

/** A key comes into no other startup's project: not when it is made, nor when it is moved, which is a function's work. */
const keysInProjects = (schema: string) => `
  CREATE POLICY api_key_project_insert ON api_key AS RESTRICTIVE FOR INSERT TO ${TENANT_ROLE}
    WITH CHECK (project_id IS NULL OR project_id IN (SELECT p.id FROM project p WHERE p.startup_id = organisation_id));
  CREATE FUNCTION api_key_move(key uuid, into_project uuid, next_version integer) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    UPDATE api_key k SET project_id = into_project, version = next_version
     WHERE k.id = key AND (current_setting('role') <> '${TENANT_ROLE}' OR acting_sees_all() OR k.organisation_id = acting_tenant_id())
       AND (into_project IS NULL OR EXISTS (SELECT FROM project p WHERE p.id = into_project AND p.startup_id = k.organisation_id));
    IF NOT FOUND THEN
      RAISE EXCEPTION 'not a key, or not a project, of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
  END $$;
  REVOKE EXECUTE ON FUNCTION api_key_move(uuid, uuid, integer) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION api_key_move(uuid, uuid, integer) TO ${TENANT_ROLE};`;

/** A startup sets budgets over its own keys and projects; what counts against them is the ledger's to write. */
const policies = [
  ownedBy("project", "startup_id", { insert: true, update: ["name", "archived_at", "version"] }),
  rowPolicies(
    "budget",
    {
      sees: `startup_id = ${TENANT}`,
      changes: `startup_id = ${TENANT} AND (api_key_id IS NULL OR api_key_id IN (SELECT id FROM api_key)) AND (project_id IS NULL OR project_id IN (SELECT id FROM project))`,
    },
    { insert: true, update: ["amount_nano_credit", "hard_stop", "thresholds_ppm", "removed_at", "version"] },
  ),
  ownedThrough("budget_period", "budget_id", "budget"),
  ownedBy("budget_alert", "startup_id"),
  systemOnly("hold_budget"),
  systemOnly("lease_budget"),
  systemOnly("budget_epoch"),
];

export class Budgets implements MigrationInterface {
  readonly name = "budgets-1763900000026";

  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = await runner.query("SELECT quote_ident(current_schema()) AS schema");
    const statements = [
      projects,
      budgets,
      ...policies,
      keysInProjects(schema),
      ...budgetFunctions,
      ...budgetActFunctions(schema),
    ];
    for (const statement of statements) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
