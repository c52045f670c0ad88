/** The facts that the marketplace starts with: accelerators, service levels, the first rate card. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class ReferenceData implements MigrationInterface {
  readonly name = "reference-data-1763900000013";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      INSERT INTO accelerator (code, name, form_factor, memory_gb, status) VALUES
        ('H100', 'NVIDIA H100', 'SXM5', 80, 'LISTED'),
        ('H200', 'NVIDIA H200', 'SXM5', 141, 'LISTED'),
        ('A100', 'NVIDIA A100', 'SXM4', 80, 'LISTED'),
        ('MI300X', 'AMD Instinct MI300X', 'OAM', 192, 'EVALUATING');
      INSERT INTO sla_tier (code, rank, uptime_target_ppm, response_time_ms, best_for, bad_minute_requests_min,
                            bad_minute_failed_share_ppm, bad_minute_probes_min, latency_samples_min) VALUES
        ('STANDARD', 1, 995000, 500, 'Inference workloads, batch processing', 10, 500000, 2, 20),
        ('PREMIUM', 2, 999000, 200, 'Production inference, real-time applications', 10, 500000, 2, 20),
        ('ENTERPRISE', 3, 999500, 100, 'Mission-critical training, continuous inference', 10, 500000, 2, 20);
      INSERT INTO rate_card (id, version, effective_at, base_share_ppm, tier_reading, premium_reading, redemption_factor_ppm) VALUES
        ('019a0000-0000-7000-8000-000000000001', 1, '2025-01-01T00:00:00Z', 850000, 'VOLUME', 'RELATIVE', 1350000);
      INSERT INTO pricing_tier (rate_card_id, position, up_to_gpu_hours, premium_ppm, negotiated) VALUES
        ('019a0000-0000-7000-8000-000000000001', 1, 10000, 0, false),
        ('019a0000-0000-7000-8000-000000000001', 2, 50000, 20000, false),
        ('019a0000-0000-7000-8000-000000000001', 3, 200000, 40000, false),
        ('019a0000-0000-7000-8000-000000000001', 4, NULL, 40000, true);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
