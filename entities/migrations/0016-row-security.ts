/** Holds tenants apart in PostgreSQL itself: the role that requests run as, what it may do, and whose every row is. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import {
  operatorsOnly,
  ownedBy,
  ownedThrough,
  readableByAll,
  rowPolicies,
  sharedBetween,
  systemOnly,
  TENANT,
  TENANT_ROLE,
} from "../row-policies";

/**
 * A role belongs to the whole server: another database may have made it, and another migration may be making it now.
 * Granted, so that the system's connections may take it on.
 */
const role = `
  DO $$
  BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${TENANT_ROLE}') THEN
      CREATE ROLE ${TENANT_ROLE} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT;
    END IF;
  EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
      RAISE EXCEPTION 'The database user % may not create the role ${TENANT_ROLE}, which requests run as.', current_user
        USING ERRCODE = 'insufficient_privilege', HINT = format('As a superuser, once per server: CREATE ROLE ${TENANT_ROLE} NOLOGIN; GRANT ${TENANT_ROLE} TO %I WITH ADMIN OPTION;', current_user);
  END $$;
  DO $$
  BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '${TENANT_ROLE}' AND (rolsuper OR rolbypassrls)) THEN
      RAISE EXCEPTION 'The role ${TENANT_ROLE} bypasses row level security: ALTER ROLE ${TENANT_ROLE} NOSUPERUSER NOBYPASSRLS';
    END IF;
    -- A superuser takes on any role, and a grant that is there needs no second one.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper)
       AND NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = '${TENANT_ROLE}'::regrole AND m.member = current_user::regrole
                          AND coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)) THEN
      GRANT ${TENANT_ROLE} TO CURRENT_USER;
    END IF;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'The database user % may not take on the role ${TENANT_ROLE}, which requests run as.', current_user
      USING ERRCODE = 'insufficient_privilege', HINT = format('As a superuser, once per server: GRANT ${TENANT_ROLE} TO %I', current_user);
  END $$;`;

const who = `
  CREATE FUNCTION acting_tenant_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('exergy.tenant_id', true), '')::uuid
  $$;
  CREATE FUNCTION acting_sees_all() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('exergy.sees_all', true) = 'on', false)
  $$;`;

/** Whoever may read of another organisation's: a capital partner of the startups that it has funded. */
const organisations = rowPolicies(
  "organisation",
  {
    sees: `id = ${TENANT} OR EXISTS (SELECT FROM credit_lot l WHERE l.startup_id = organisation.id)`,
    changes: "false",
  },
  { insert: true },
);

const accounts = [
  organisations,
  ownedBy("member", "organisation_id", {
    insert: true,
    update: ["email", "display_name", "role", "removed_at", "oidc_issuer", "oidc_subject", "version"],
  }),
  ownedBy("api_key", "organisation_id", {
    insert: true,
    update: ["name", "expires_at", "revoked_at", "last_used_at", "version"],
  }),
  ownedBy("session", "organisation_id", {
    insert: true,
    update: ["last_seen_at", "expires_at", "revoked_at", "version"],
    delete: true,
  }),
  ownedBy("idempotency_key", "organisation_id", { insert: true }),
  rowPolicies(
    "audit_event",
    { sees: `organisation_id = ${TENANT}`, changes: `actor_organisation_id = ${TENANT}` },
    { insert: true },
  ),
];

const supply = [
  ownedBy("endpoint", "provider_id", { insert: true, update: ["state", "version"] }),
  ownedThrough("offering", "endpoint_id", "endpoint", { insert: true, update: ["state", "version"] }),
  ownedBy("capacity_window", "provider_id", { insert: true, update: ["cancelled_at", "version"] }),
  ownedThrough("sla_minute", "endpoint_id", "endpoint"),
  ownedThrough("sla_breach", "endpoint_id", "endpoint"),
];

/** A capital partner writes what its facilities gave; the startup that got it reads along. */
const given = {
  sees: `startup_id = ${TENANT} OR facility_id IN (SELECT id FROM facility)`,
  changes: "facility_id IN (SELECT id FROM facility)",
};

const money = [
  ownedBy("facility", "capital_partner_id", { insert: true, update: ["drawn_nano_usd", "version"] }),
  rowPolicies("drawdown", given, { insert: true }),
  rowPolicies("credit_lot", given, { insert: true }),
  rowPolicies("ledger_account", {
    sees: `organisation_id = ${TENANT} OR facility_id IN (SELECT id FROM facility)`,
    changes: "false",
  }),
  sharedBetween("usage_record", "startup_id", "provider_id"),
  rowPolicies("routing_decision", {
    sees: `startup_id = ${TENANT} OR provider_ids @> ARRAY[${TENANT}]`,
    changes: "false",
  }),
  systemOnly("transfer"),
  systemOnly("hold"),
];

const market = [
  readableByAll("accelerator"),
  readableByAll("sla_tier"),
  readableByAll("rate_card"),
  readableByAll("pricing_tier"),
  readableByAll("fixing", { insert: true }),
  operatorsOnly("spot_observation", { insert: true }),
];

const events = [ownedBy("outbox_event", "organisation_id", { insert: true }), systemOnly("outbox_epoch")];

/** What a request may make the ledger do, checked against what its own transaction has written under the policies. */
const ledger = (schema: string) => `
  CREATE FUNCTION is_organisation(organisation uuid, its_kind text) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
    SELECT EXISTS (SELECT FROM organisation o WHERE o.id = organisation AND o.kind = its_kind)
  $$;

  -- The settings count only on a tenant's connection; inside a function of the owner, SET ROLE still shows who called.
  CREATE FUNCTION acting_may_fund(facility uuid) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
    SELECT current_setting('role') <> '${TENANT_ROLE}' OR acting_sees_all()
        OR EXISTS (SELECT FROM facility f WHERE f.id = acting_may_fund.facility AND f.capital_partner_id = acting_tenant_id())
  $$;

  CREATE FUNCTION ledger_open_facility(facility uuid, backing uuid, issuance uuid, redeemed uuid, opened_at timestamptz) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF NOT acting_may_fund(facility) THEN
      RAISE EXCEPTION 'not a facility of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO ledger_account (id, name, ledger, kind, facility_id, limited, created_at) VALUES
      (backing, 'facility:' || facility || ':backing', 'USD', 'FACILITY_BACKING', facility, true, opened_at),
      (issuance, 'facility:' || facility || ':issuance', 'CRD', 'CREDIT_ISSUANCE', facility, false, opened_at),
      (redeemed, 'facility:' || facility || ':redeemed', 'CRD', 'CREDIT_REDEEMED', facility, false, opened_at);
  END $$;

  -- Members of lot: groupId, accountId, fundingId, issuanceId, lotId, facilityId, startupId, funded, credit, multiplierPpm, bookedAt.
  CREATE FUNCTION ledger_issue_lot(lot json) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  DECLARE
    i record;
    cash uuid := (SELECT id FROM ledger_account WHERE name = 'cash:trust');
    backing uuid;
    issuance uuid;
  BEGIN
    SELECT * INTO i FROM json_to_record(lot) AS r("groupId" uuid, "accountId" uuid, "fundingId" uuid, "issuanceId" uuid, "lotId" uuid,
      "facilityId" uuid, "startupId" uuid, funded bigint, credit bigint, "multiplierPpm" bigint, "bookedAt" timestamptz);
    IF NOT acting_may_fund(i."facilityId") THEN
      RAISE EXCEPTION 'not a facility of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- A request issues what its own drawdown says, once, at the facility's multiplier, and nothing else.
    IF current_setting('role') = '${TENANT_ROLE}' AND (
         NOT EXISTS (SELECT FROM drawdown d JOIN facility f ON f.id = d.facility_id
                      WHERE d.id = i."groupId" AND d.facility_id = i."facilityId" AND d.startup_id = i."startupId"
                        AND d.funded_nano_usd = i.funded AND f.multiplier_ppm = i."multiplierPpm")
         OR abs(i.credit::numeric * 1000000 - i.funded::numeric * i."multiplierPpm") > 500000
         OR EXISTS (SELECT FROM transfer t WHERE t.group_id = i."groupId")) THEN
      RAISE EXCEPTION 'a lot is issued as its drawdown says, once' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT id INTO STRICT backing FROM ledger_account WHERE name = 'facility:' || i."facilityId" || ':backing';
    SELECT id INTO STRICT issuance FROM ledger_account WHERE name = 'facility:' || i."facilityId" || ':issuance';
    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, facility_id, multiplier_ppm, limited, created_at)
    VALUES (i."accountId", 'wallet:' || i."startupId" || ':lot:' || i."lotId", 'CRD', 'WALLET_LOT', i."startupId", i."facilityId",
            i."multiplierPpm", true, i."bookedAt");
    PERFORM ledger_post(json_build_array(
      json_build_object('id', i."fundingId", 'groupId', i."groupId", 'code', 'FUNDING', 'debit', cash, 'credit', backing,
                        'amount', i.funded, 'bookedAt', i."bookedAt"),
      json_build_object('id', i."issuanceId", 'groupId', i."groupId", 'code', 'ISSUANCE', 'debit', issuance, 'credit', i."accountId",
                        'amount', i.credit, 'bookedAt', i."bookedAt")));
  END $$;

  REVOKE EXECUTE ON FUNCTION ledger_lock(), ledger_open_lots(uuid), ledger_post(json), ledger_place_holds(hold_request[]),
    ledger_resolve_holds(hold_resolution[]), metering_commit(json, json, json), acting_may_fund(uuid),
    ledger_open_facility(uuid, uuid, uuid, uuid, timestamptz), ledger_issue_lot(json), is_organisation(uuid, text) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION ledger_open_facility(uuid, uuid, uuid, uuid, timestamptz), ledger_issue_lot(json),
    is_organisation(uuid, text) TO ${TENANT_ROLE};`;

export class RowSecurity implements MigrationInterface {
  readonly name = "row-security-1763900000016";

  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = await runner.query("SELECT quote_ident(current_schema()) AS schema");
    const policies = [...accounts, ...supply, ...money, ...market, ...events];
    for (const statement of [role, who, ...policies, ledger(schema)]) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
