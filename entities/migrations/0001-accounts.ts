/** Creates who: organisations, members, keys, and the first results of idempotent mutations. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Accounts implements MigrationInterface {
  readonly name = "accounts-1763900000001";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE organisation (
        id uuid NOT NULL,
        kind text NOT NULL,
        name text NOT NULL,
        created_at timestamptz NOT NULL,
        version integer NOT NULL,
        CONSTRAINT organisation_kind_check CHECK (kind IN ('PROVIDER','STARTUP','CAPITAL_PARTNER','OPERATOR')),
        CONSTRAINT organisation_pkey PRIMARY KEY (id)
      );
      CREATE TABLE member (
        id uuid NOT NULL,
        organisation_id uuid NOT NULL,
        email text NOT NULL,
        display_name text NOT NULL,
        role text NOT NULL,
        created_at timestamptz NOT NULL,
        CONSTRAINT member_role_check CHECK (role IN ('OWNER','ADMIN','VIEWER')),
        CONSTRAINT member_pkey PRIMARY KEY (id)
      );
      CREATE TABLE api_key (
        id uuid NOT NULL,
        organisation_id uuid NOT NULL,
        name text NOT NULL,
        prefix text NOT NULL,
        digest bytea NOT NULL,
        scopes text[] NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz,
        CONSTRAINT api_key_pkey PRIMARY KEY (id)
      );
      CREATE TABLE idempotency_key (
        organisation_id uuid NOT NULL,
        key text NOT NULL,
        operation text NOT NULL,
        fingerprint text NOT NULL,
        result jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        CONSTRAINT idempotency_key_pkey PRIMARY KEY (organisation_id, key)
      );
      CREATE UNIQUE INDEX member_organisation_email_key ON member (organisation_id, email);
      CREATE INDEX api_key_organisation ON api_key (organisation_id);
      CREATE UNIQUE INDEX api_key_digest_key ON api_key (digest);
      ALTER TABLE member ADD CONSTRAINT member_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
      ALTER TABLE api_key ADD CONSTRAINT api_key_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
      ALTER TABLE idempotency_key ADD CONSTRAINT idempotency_key_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
