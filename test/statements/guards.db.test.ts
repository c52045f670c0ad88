/** With every check of the application left out, PostgreSQL alone keeps a provider's request from deciding for the operator. */
import { encodeId } from "../../schema/node";
import { newId } from "../../src/platform/ids";
import { actAs } from "../../src/platform/tenancy";
import { uuidOf } from "../api/an-api";
import { StatementWorld } from "./a-month";
import { aDisputed, aProposal, aRateCard, aStatement } from "./planted";

let world: StatementWorld;
let ours: string;
let theirs: string;

beforeAll(async () => {
  world = await StatementWorld.open();
  [ours, theirs] = [await world.money.provider(), await world.money.provider()];
});
afterAll(() => world?.close());

const as = <T>(id: string | null, work: () => Promise<T>, seesAll = false): Promise<T> =>
  actAs({ tenant: { id, seesAll }, requestId: newId(), reads: "primary" }, work);
const sql = (text: string, values: unknown[] = []) => world.money.db.source.query(text, values);
const refused = { code: "42501" };

test("a provider approves and disputes its own statement, and can neither make it final nor change what it comes to", async () => {
  const { id } = await aStatement(world.money.db, ours);
  await as(ours, async () => {
    await sql("UPDATE statement SET approved_at = now() WHERE id = $1", [id]);
    await sql("UPDATE statement SET state = 'DISPUTED' WHERE id = $1", [id]);
    for (const change of [
      "state = 'FINAL', finalised_at = now()",
      "state = 'IN_REVIEW'",
      "total_nano_usd = 1000000000",
    ]) {
      await expect(sql(`UPDATE statement SET ${change} WHERE id = $1`, [id])).rejects.toMatchObject(refused);
    }
    await expect(
      sql(
        "INSERT INTO statement_line (id, statement_id, kind, amount_nano_usd, requests, gpu_nanos, created_at) VALUES ($1, $2, 'TRUE_UP', 1, 0, 0, now())",
        [newId(), id],
      ),
    ).rejects.toMatchObject(refused);
  });
  expect(await as(theirs, () => sql("UPDATE statement SET state = state WHERE id = $1", [id]))).toEqual([[], 0]);
});

test("a draft is not its provider's to see", async () => {
  const { id } = await aStatement(world.money.db, ours, { period: "2100-02", state: "DRAFT", reviewEndsAt: null });
  const seen = () => sql("SELECT id FROM statement WHERE id = $1", [id]);
  expect(await as(ours, seen)).toEqual([]);
  expect(await as(newId(), seen, true)).toHaveLength(1);
});

test("a provider cannot answer its own dispute, and an answer is given once", async () => {
  const id = await aDisputed(world.money.db, ours, "2100-03");
  const answer = () =>
    sql(
      "UPDATE statement_dispute SET state = 'UPHELD', answer = 'yes', credit_nano_usd = 9, resolved_at = now() WHERE id = $1",
      [id],
    );
  await as(ours, () => expect(answer()).rejects.toMatchObject(refused));
  await as(newId(), answer, true);
  await as(newId(), () => expect(answer()).rejects.toMatchObject(refused), true);
});

test("what was negotiated with one provider is nobody else's to read, its tiers neither, and a proposal is no provider's", async () => {
  const card = await aRateCard(world.money.db, ours);
  const proposal = await aProposal(world.money.db, ours, 2);
  const cards = async () =>
    (await sql("SELECT id FROM rate_card WHERE provider_id IS NOT NULL")).map((row: { id: string }) => row.id);
  const tiers = async () =>
    (await sql("SELECT DISTINCT rate_card_id FROM pricing_tier")).map(
      (row: { rate_card_id: string }) => row.rate_card_id,
    );
  expect(await as(ours, cards)).toEqual([card]);
  for (const id of [theirs, null]) {
    expect(await as(id, cards)).toEqual([]);
    expect(await as(id, tiers)).toEqual([uuidOf(encodeId("RateCard", world.money.quote.card.id))]);
  }
  expect(new Set(await as(newId(), cards, true))).toEqual(new Set([card, proposal]));
  const approve = () =>
    sql("UPDATE rate_card SET state = 'APPROVED', approved_at = now(), approved_by = $2 WHERE id = $1", [
      proposal,
      newId(),
    ]);
  expect(await as(ours, approve)).toEqual([[], 0]);
});
