/** Creates files, jobs and what jobs leave behind, and lets a hold be charged in stages. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { ownedBy, ownedThrough, sharedBetween, systemOnly } from "../row-policies";
import { stageFunctions } from "./workload-sql";

const files = `
  CREATE TABLE workload_file (
    id uuid NOT NULL,
    startup_id uuid NOT NULL,
    purpose text NOT NULL,
    filename text NOT NULL,
    bytes bigint NOT NULL,
    chunk_count integer NOT NULL,
    line_count integer NOT NULL,
    digest text,
    faults jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT workload_file_purpose_check CHECK (purpose IN ('BATCH','FINE_TUNE','BATCH_OUTPUT','FINE_TUNE_RESULTS')),
    CONSTRAINT workload_file_pkey PRIMARY KEY (id)
  );
  CREATE INDEX workload_file_startup ON workload_file (startup_id, id);
  CREATE INDEX workload_file_expiry ON workload_file (expires_at) WHERE deleted_at IS NULL;
  ALTER TABLE workload_file ADD CONSTRAINT workload_file_startup_id_fkey FOREIGN KEY (startup_id) REFERENCES organisation(id);

  CREATE TABLE workload_file_chunk (
    file_id uuid NOT NULL,
    number integer NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT workload_file_chunk_pkey PRIMARY KEY (file_id, number)
  );
  ALTER TABLE workload_file_chunk ADD CONSTRAINT workload_file_chunk_file_id_fkey FOREIGN KEY (file_id) REFERENCES workload_file(id);

  CREATE TABLE workload_file_line (
    file_id uuid NOT NULL,
    line integer NOT NULL,
    custom_id text NOT NULL,
    url text NOT NULL,
    model text NOT NULL,
    prompt_bytes integer NOT NULL,
    max_tokens integer,
    choices integer NOT NULL,
    CONSTRAINT workload_file_line_pkey PRIMARY KEY (file_id, line)
  );
  ALTER TABLE workload_file_line ADD CONSTRAINT workload_file_line_file_id_fkey FOREIGN KEY (file_id) REFERENCES workload_file(id);`;

const jobs = `
  CREATE TABLE workload_job (
    id uuid NOT NULL,
    startup_id uuid NOT NULL,
    api_key_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    model text NOT NULL,
    terms jsonb NOT NULL,
    input_file_id uuid NOT NULL,
    validation_file_id uuid,
    output_file_id uuid,
    error_file_id uuid,
    result_model text,
    line_count integer NOT NULL,
    answered_count integer NOT NULL,
    error_count integer NOT NULL,
    provider_id uuid,
    endpoint_id uuid,
    offering_id uuid,
    upstream_file_id text,
    upstream_validation_file_id text,
    upstream_job_id text,
    upstream_output_read bigint NOT NULL,
    upstream_step integer NOT NULL,
    fixing_id uuid,
    fixing_nano_usd_per_gpu_hour bigint NOT NULL,
    rate_card_id uuid,
    prefill_tokens_per_gpu_second integer NOT NULL,
    decode_tokens_per_gpu_second integer NOT NULL,
    gpu_count integer NOT NULL,
    max_output_tokens integer NOT NULL,
    prompt_tokens_bound bigint NOT NULL,
    completion_tokens_bound bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    held_nano_credit bigint NOT NULL,
    captured_nano_credit bigint NOT NULL,
    hold_id uuid,
    stage_count integer NOT NULL,
    usage_bounded boolean NOT NULL,
    uncaptured boolean NOT NULL,
    created_at timestamptz NOT NULL,
    submitted_at timestamptz,
    started_at timestamptz,
    finalising_at timestamptz,
    cancel_asked_at timestamptz,
    ended_at timestamptz,
    ends_by timestamptz NOT NULL,
    contact_at timestamptz,
    progress_at timestamptz,
    next_poll_at timestamptz NOT NULL,
    failures integer NOT NULL,
    failure text,
    faults jsonb NOT NULL,
    idempotency_key text,
    request_digest text NOT NULL,
    version integer NOT NULL,
    CONSTRAINT workload_job_kind_check CHECK (kind IN ('BATCH','FINE_TUNING')),
    CONSTRAINT workload_job_state_check CHECK (state IN ('QUEUED','SUBMITTED','RUNNING','FINALISING','SUCCEEDED','FAILED','CANCELLED','EXPIRED')),
    CONSTRAINT workload_job_amounts_check CHECK (captured_nano_credit BETWEEN 0 AND held_nano_credit),
    CONSTRAINT workload_job_ended_check CHECK ((ended_at IS NOT NULL) = (state IN ('SUCCEEDED','FAILED','CANCELLED','EXPIRED'))),
    CONSTRAINT workload_job_placed_check CHECK (endpoint_id IS NOT NULL OR state = 'FAILED'),
    CONSTRAINT workload_job_pkey PRIMARY KEY (id)
  );
  CREATE INDEX workload_job_startup ON workload_job (startup_id, id);
  CREATE INDEX workload_job_provider ON workload_job (provider_id, id);
  CREATE UNIQUE INDEX workload_job_idempotency_key ON workload_job (startup_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX workload_job_due ON workload_job (next_poll_at) WHERE ended_at IS NULL;
  CREATE INDEX workload_job_open ON workload_job (endpoint_id) WHERE ended_at IS NULL;
  ALTER TABLE workload_job ADD CONSTRAINT workload_job_startup_id_fkey FOREIGN KEY (startup_id) REFERENCES organisation(id);
  ALTER TABLE workload_job ADD CONSTRAINT workload_job_input_file_id_fkey FOREIGN KEY (input_file_id) REFERENCES workload_file(id);
  ALTER TABLE workload_job ADD CONSTRAINT workload_job_validation_file_id_fkey FOREIGN KEY (validation_file_id) REFERENCES workload_file(id);
  ALTER TABLE workload_job ADD CONSTRAINT workload_job_output_file_id_fkey FOREIGN KEY (output_file_id) REFERENCES workload_file(id);
  ALTER TABLE workload_job ADD CONSTRAINT workload_job_error_file_id_fkey FOREIGN KEY (error_file_id) REFERENCES workload_file(id);
  ALTER TABLE workload_job ADD CONSTRAINT workload_job_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id);
  ALTER TABLE workload_job ADD CONSTRAINT workload_job_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoint(id);
  ALTER TABLE workload_job ADD CONSTRAINT workload_job_offering_id_fkey FOREIGN KEY (offering_id) REFERENCES offering(id);

  CREATE TABLE workload_answer (
    job_id uuid NOT NULL,
    line integer NOT NULL,
    succeeded boolean NOT NULL,
    CONSTRAINT workload_answer_pkey PRIMARY KEY (job_id, line)
  );
  ALTER TABLE workload_answer ADD CONSTRAINT workload_answer_job_id_fkey FOREIGN KEY (job_id) REFERENCES workload_job(id);

  CREATE TABLE workload_capture (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    stage integer NOT NULL,
    charge_nano_credit bigint NOT NULL,
    captured_at timestamptz NOT NULL,
    CONSTRAINT workload_capture_pkey PRIMARY KEY (id)
  );
  CREATE UNIQUE INDEX workload_capture_stage_key ON workload_capture (job_id, stage);
  ALTER TABLE workload_capture ADD CONSTRAINT workload_capture_job_id_fkey FOREIGN KEY (job_id) REFERENCES workload_job(id);

  CREATE TABLE workload_event (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    level text NOT NULL,
    message text NOT NULL,
    metrics jsonb,
    created_at timestamptz NOT NULL,
    CONSTRAINT workload_event_level_check CHECK (level IN ('INFO','WARN','ERROR')),
    CONSTRAINT workload_event_pkey PRIMARY KEY (id)
  );
  CREATE INDEX workload_event_job ON workload_event (job_id, id);
  ALTER TABLE workload_event ADD CONSTRAINT workload_event_job_id_fkey FOREIGN KEY (job_id) REFERENCES workload_job(id);

  CREATE TABLE workload_checkpoint (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    step integer NOT NULL,
    model text NOT NULL,
    upstream_model text NOT NULL,
    metrics jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT workload_checkpoint_pkey PRIMARY KEY (id)
  );
  CREATE UNIQUE INDEX workload_checkpoint_step_key ON workload_checkpoint (job_id, step);
  ALTER TABLE workload_checkpoint ADD CONSTRAINT workload_checkpoint_job_id_fkey FOREIGN KEY (job_id) REFERENCES workload_job(id);`;

/** Requests read; relay and worker alone write. A job's provider sees the job, never what is in its files. */
const rows = [
  ownedBy("workload_file", "startup_id"),
  ownedThrough("workload_file_chunk", "file_id", "workload_file"),
  ownedThrough("workload_file_line", "file_id", "workload_file"),
  sharedBetween("workload_job", "startup_id", "provider_id"),
  ownedThrough("workload_capture", "job_id", "workload_job"),
  systemOnly("workload_answer"),
  systemOnly("workload_event"),
  systemOnly("workload_checkpoint"),
];

export class WorkloadJobs implements MigrationInterface {
  readonly name = "workload-jobs-1763900000027";

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [files, jobs, ...rows, ...stageFunctions]) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
