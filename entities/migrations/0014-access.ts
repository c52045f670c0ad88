/** Creates sessions and the audit trail, and what keys and members need for rotation, removal and log-in. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Access implements MigrationInterface {
  readonly name = "access-1763900000014";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE api_key
        ADD COLUMN persisted_only boolean NOT NULL DEFAULT false,
        ADD COLUMN rotated_from_id uuid,
        ADD COLUMN last_used_at timestamptz,
        ADD COLUMN version integer NOT NULL DEFAULT 1;
      ALTER TABLE api_key
        ALTER COLUMN persisted_only DROP DEFAULT,
        ALTER COLUMN version DROP DEFAULT,
        ADD CONSTRAINT api_key_rotated_from_id_fkey FOREIGN KEY (rotated_from_id) REFERENCES api_key(id);
      -- WRITE managed members and keys until now: who could, still can.
      UPDATE api_key SET scopes = scopes || '{ADMIN}' WHERE 'WRITE' = ANY (scopes);

      ALTER TABLE member
        ADD COLUMN removed_at timestamptz,
        ADD COLUMN oidc_issuer text,
        ADD COLUMN oidc_subject text,
        ADD COLUMN version integer NOT NULL DEFAULT 1;
      ALTER TABLE member ALTER COLUMN version DROP DEFAULT;
      DROP INDEX member_organisation_email_key;
      CREATE UNIQUE INDEX member_organisation_email_key ON member (organisation_id, email) WHERE removed_at IS NULL;
      CREATE UNIQUE INDEX member_subject_key ON member (oidc_issuer, oidc_subject, organisation_id)
        WHERE removed_at IS NULL;
      CREATE INDEX member_email ON member (email);

      CREATE TABLE session (
        id uuid NOT NULL,
        organisation_id uuid NOT NULL,
        member_id uuid,
        key_id uuid,
        digest bytea NOT NULL,
        scopes text[] NOT NULL,
        persisted_only boolean NOT NULL,
        created_at timestamptz NOT NULL,
        last_seen_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz,
        version integer NOT NULL,
        CONSTRAINT session_origin_check CHECK (num_nonnulls(member_id, key_id) = 1),
        CONSTRAINT session_pkey PRIMARY KEY (id)
      );
      CREATE UNIQUE INDEX session_digest_key ON session (digest);
      CREATE INDEX session_organisation ON session (organisation_id);
      CREATE INDEX session_member ON session (member_id);
      CREATE INDEX session_key ON session (key_id);
      ALTER TABLE session ADD CONSTRAINT session_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
      ALTER TABLE session ADD CONSTRAINT session_member_id_fkey FOREIGN KEY (member_id) REFERENCES member(id);
      ALTER TABLE session ADD CONSTRAINT session_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_key(id);

      CREATE TABLE audit_event (
        id uuid NOT NULL,
        at timestamptz NOT NULL,
        organisation_id uuid NOT NULL,
        actor_organisation_id uuid NOT NULL,
        actor_key_id uuid,
        actor_member_id uuid,
        actor_session_id uuid,
        request_id text,
        action text NOT NULL,
        subject_type text NOT NULL,
        subject_id uuid NOT NULL,
        change jsonb NOT NULL,
        CONSTRAINT audit_event_pkey PRIMARY KEY (id)
      );
      CREATE INDEX audit_event_organisation ON audit_event (organisation_id, id);
      CREATE INDEX audit_event_subject ON audit_event (subject_id, id);

      CREATE FUNCTION audit_event_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
      END $$;
      CREATE TRIGGER audit_event_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
        FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_final();
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
