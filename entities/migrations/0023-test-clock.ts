/** A place for how far a test clock has been moved: the processes of one system share one time. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { operatorsOnly } from "../row-policies";

export class TestClock implements MigrationInterface {
  readonly name = "test-clock-1763900000023";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE test_clock (
        id integer NOT NULL CONSTRAINT test_clock_id_check CHECK (id = 1),
        offset_ms bigint NOT NULL CONSTRAINT test_clock_offset_ms_check CHECK (offset_ms >= 0),
        moved_at timestamptz,
        CONSTRAINT test_clock_pkey PRIMARY KEY (id)
      );
      INSERT INTO test_clock VALUES (1, 0, NULL);

      CREATE FUNCTION test_clock_runs_forwards() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.offset_ms < OLD.offset_ms THEN
          RAISE EXCEPTION 'the test clock runs forwards only' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER test_clock_runs_forwards BEFORE UPDATE ON test_clock
        FOR EACH ROW EXECUTE FUNCTION test_clock_runs_forwards();
    `);
    await runner.query(operatorsOnly("test_clock", { update: ["offset_ms", "moved_at"] }));
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
