/** Creates what an hour of a GPU costs. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Pricing implements MigrationInterface {
  readonly name = "pricing-1763900000004";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE spot_observation (
        id uuid NOT NULL,
        accelerator text NOT NULL,
        region text NOT NULL,
        source text NOT NULL,
        price_nano_usd bigint NOT NULL,
        confidence_ppm bigint NOT NULL,
        observed_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT spot_observation_confidence_check CHECK (confidence_ppm BETWEEN 0 AND 1000000),
        CONSTRAINT spot_observation_price_check CHECK (price_nano_usd > 0),
        CONSTRAINT spot_observation_pkey PRIMARY KEY (id)
      );
      CREATE TABLE fixing (
        id uuid NOT NULL,
        accelerator text NOT NULL,
        region text NOT NULL,
        hour timestamptz NOT NULL,
        price_nano_usd bigint NOT NULL,
        flags text[] NOT NULL,
        components jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        CONSTRAINT fixing_price_check CHECK (price_nano_usd > 0),
        CONSTRAINT fixing_pkey PRIMARY KEY (id)
      );
      CREATE TABLE rate_card (
        id uuid NOT NULL,
        version integer NOT NULL,
        effective_at timestamptz NOT NULL,
        base_share_ppm bigint NOT NULL,
        tier_reading text NOT NULL,
        premium_reading text NOT NULL,
        redemption_factor_ppm bigint NOT NULL,
        CONSTRAINT rate_card_premium_reading_check CHECK (premium_reading IN ('RELATIVE','POINTS')),
        CONSTRAINT rate_card_tier_reading_check CHECK (tier_reading IN ('VOLUME','GRADUATED')),
        CONSTRAINT rate_card_pkey PRIMARY KEY (id)
      );
      CREATE TABLE pricing_tier (
        rate_card_id uuid NOT NULL,
        position integer NOT NULL,
        up_to_gpu_hours bigint,
        premium_ppm bigint NOT NULL,
        negotiated boolean NOT NULL,
        CONSTRAINT pricing_tier_pkey PRIMARY KEY (rate_card_id, position)
      );
      CREATE INDEX spot_observation_place ON spot_observation (accelerator, region, observed_at);
      CREATE UNIQUE INDEX fixing_place_hour_key ON fixing (accelerator, region, hour);
      CREATE UNIQUE INDEX rate_card_version_key ON rate_card (version);
      ALTER TABLE spot_observation ADD CONSTRAINT spot_observation_accelerator_fkey FOREIGN KEY (accelerator) REFERENCES accelerator(code);
      ALTER TABLE fixing ADD CONSTRAINT fixing_accelerator_fkey FOREIGN KEY (accelerator) REFERENCES accelerator(code);
      ALTER TABLE pricing_tier ADD CONSTRAINT pricing_tier_rate_card_id_fkey FOREIGN KEY (rate_card_id) REFERENCES rate_card(id);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
