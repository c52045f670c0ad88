/** What the group commit is sent of a lease's charges arrives as it was meant, whatever texts are in it. */
import { commitArguments } from "../../src/metering/commit-arguments";
import type { CaptureItem } from "../../src/metering/commit-items";
import { type Database, openDatabase } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = await openDatabase({ url: database.url, poolMax: 1 });
});
afterAll(async () => {
  await db?.close();
  await database?.drop();
});

const capture = (usage: Record<string, unknown>): CaptureItem => ({
  ...{ id: newId(), startupId: newId(), leaseId: newId(), rateCardId: newId(), providerId: newId() },
  ...{
    held: "9007199254740993",
    charge: "12",
    accrual: "0",
    at: new Date("2026-03-10T12:00:00.123Z"),
    period: "2026-03",
  },
  usage: { ...{ apiKeyId: newId(), endpointId: newId(), offeringId: newId(), fixingId: newId() }, ...usage },
});

async function arrived(items: readonly CaptureItem[]): Promise<Record<string, unknown>[]> {
  const [, charges] = commitArguments(items.map((content) => ({ kind: "captures", content })));
  const rows: { charge: Record<string, unknown> }[] = await db.source.query(
    "SELECT to_jsonb(c) || jsonb_build_object('held', c.held::text) AS charge FROM unnest($1::lease_charge[]) c",
    [charges],
  );
  return rows.map(({ charge }) => charge);
}

describe("a charge", () => {
  it("has each member in its place, and null where there is none", async () => {
    const usage = {
      ...{ model: "acme/m-1", workload: "INFERENCE", accelerator: "H100", region: "eu-west", outcome: "PARTIAL" },
      ...{
        promptTokens: 1,
        completionTokens: 2,
        usageBounded: true,
        claimedPromptTokens: 3,
        claimedCompletionTokens: 4,
      },
      ...{ gpuNanos: "5", accrualSharePpm: "850000", attempts: 6, streamed: false, ttftMs: null, durationMs: 7 },
      ...{ requestHash: "q-_Q", upstreamHash: undefined },
    };
    const items = [capture(usage), capture(usage)];
    const expected = items.map(({ usage: members, ...item }, index) => ({
      ord: index + 1,
      ...item,
      ...members,
      ...{ charge: 12, accrual: 0, gpuNanos: 5, accrualSharePpm: 850_000, upstreamHash: null },
      at: "2026-03-10T12:00:00.123+00:00",
    }));
    expect(await arrived(items)).toEqual(expected);
  });

  it.each([
    "",
    "NULL",
    " spaces ",
    'a "quoted" name',
    "back\\slash\\",
    "comma, brace {}, (paren)",
    "line\nbreak\ttab",
    "ü – 模型 🚀",
    "'; DROP TABLE transfer; --",
    '\\"\\\\"",',
  ])("keeps the text %j", async (model) => {
    const charges = await arrived([capture({ model, region: model }), capture({ model: "next" })]);
    expect(charges.map((charge) => [charge.model, charge.region])).toEqual([
      [model, model],
      ["next", null],
    ]);
  });
});
