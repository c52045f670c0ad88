/** The entities describe exactly the database that the migrations make. */
import { type Database, migrate, openDatabase } from "../../src/platform/database";
import { createTestDatabase } from "../support/template-database";

describe("migrations", () => {
  let db: Database;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const created = await createTestDatabase();
    drop = created.drop;
    db = await openDatabase({ url: created.url });
  });

  afterAll(async () => {
    await db.close();
    await drop();
  });

  it("leave nothing that the entities would still change", async () => {
    const { upQueries } = await db.source.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  it("are all applied, and applying them again does nothing", async () => {
    expect(await migrate(db)).toEqual([]);
  });

  it("bring the accelerators, the three service levels and a rate card of four tiers", async () => {
    const query = (text: string) => db.source.query(text);
    expect(await query("SELECT code FROM accelerator WHERE status = 'LISTED' ORDER BY code")).toEqual([
      { code: "A100" },
      { code: "H100" },
      { code: "H200" },
    ]);
    expect(await query("SELECT code, uptime_target_ppm, response_time_ms FROM sla_tier ORDER BY rank")).toEqual([
      { code: "STANDARD", uptime_target_ppm: 995_000, response_time_ms: 500 },
      { code: "PREMIUM", uptime_target_ppm: 999_000, response_time_ms: 200 },
      { code: "ENTERPRISE", uptime_target_ppm: 999_500, response_time_ms: 100 },
    ]);
    expect(await query("SELECT up_to_gpu_hours, premium_ppm, negotiated FROM pricing_tier ORDER BY position")).toEqual([
      { up_to_gpu_hours: "10000", premium_ppm: "0", negotiated: false },
      { up_to_gpu_hours: "50000", premium_ppm: "20000", negotiated: false },
      { up_to_gpu_hours: "200000", premium_ppm: "40000", negotiated: false },
      { up_to_gpu_hours: null, premium_ppm: "40000", negotiated: true },
    ]);
  });
});
