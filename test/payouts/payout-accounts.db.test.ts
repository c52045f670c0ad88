/** Bank accounts on PostgreSQL: two people, a time to notice, and nothing that a stolen database would tell. */
import { ApiKey } from "../../entities/api-key";
import { Member } from "../../entities/member";
import type { Viewer } from "../../src/accounts/viewer";
import { newId } from "../../src/platform/ids";
import { refusal, viewerOf } from "../accounts/a-world";
import { aKeyOf, anIban, COOLING_MS, openPayoutWorld, type PayoutWorld } from "./a-payout-world";

let world: PayoutWorld;
let one: Viewer;
let two: Viewer;
const iban = anIban("0000004711");
const account = { holder: "Nordic GPU AS", iban, bic: "COBADEFFXXX", country: "DE" };
const propose = (viewer: Viewer | null = one, change: object = {}) =>
  world.payouts.accounts.propose(viewer, { ...account, ...change });
const confirm = (viewer: Viewer | null, id: string) => world.payouts.accounts.confirm(viewer, id);
const cancel = (viewer: Viewer | null, id: string) => world.payouts.accounts.cancel(viewer, id);
const states = async (viewer: Viewer = one) =>
  (await world.payouts.accounts.page(viewer, {})).rows.map(({ state }) => state);

beforeAll(async () => {
  world = await openPayoutWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  one = await aKeyOf(world, await world.a("PROVIDER"));
  two = await aKeyOf(world, one);
  world.clock.advanceMs(1_000);
});

test("proposed by one and confirmed by another it cools, and then payouts go to it", async () => {
  const { id } = await propose();
  expect(await states()).toEqual(["PROPOSED"]);
  expect(await confirm(two, id)).toMatchObject({ state: "COOLING", ibanEnd: "4711", holder: "Nordic GPU AS" });
  world.clock.advanceMs(COOLING_MS - 1);
  expect(await states()).toEqual(["COOLING"]);
  world.clock.advanceMs(1);
  expect(await states()).toEqual(["ACTIVE"]);
  const next = await propose(two, { iban: anIban("0000000002") });
  await confirm(one, next.id);
  expect(await states()).toEqual(["COOLING", "ACTIVE"]);
  world.clock.advanceMs(COOLING_MS);
  expect(await states()).toEqual(["ACTIVE", "REPLACED"]);
  expect(await refusal(cancel(one, next.id))).toBe("STATE_CONFLICT");
});

describe("the second person is no second name of the first:", () => {
  test("not the same key", async () => {
    const { id } = await propose();
    expect(await refusal(confirm(one, id))).toBe("FORBIDDEN");
    expect(await states()).toEqual(["PROPOSED"]);
  });

  test("not a key that came after the proposal", async () => {
    const { id } = await propose();
    world.clock.advanceMs(1);
    expect(await refusal(confirm(await aKeyOf(world, one), id))).toBe("FORBIDDEN");
  });

  test("not the key that replaces it, nor the one that it replaces", async () => {
    await world.db.source.getRepository(ApiKey).update({ id: two.keyId! }, { rotatedFromId: one.keyId });
    const { id } = await propose();
    expect(await refusal(confirm(two, id))).toBe("FORBIDDEN");
    await cancel(one, id);
    const back = await propose(two);
    expect(await refusal(confirm(one, back.id))).toBe("FORBIDDEN");
  });

  test("not without ADMIN, not of another provider, not of another kind", async () => {
    const { id } = await propose();
    const writer = { ...two, scopes: new Set(["READ", "WRITE"] as const) };
    expect(await refusal(confirm(writer, id))).toBe("FORBIDDEN");
    expect(await refusal(confirm(await aKeyOf(world, await world.a("PROVIDER")), id))).toBe("NOT_FOUND");
    expect(await refusal(confirm(await aKeyOf(world, await world.a("STARTUP")), id))).toBe("FORBIDDEN");
    expect(await refusal(confirm(null, id))).toBe("UNAUTHENTICATED");
  });

  test("but a member beside a key is, who was there before", async () => {
    const memberId = newId();
    const row = { id: memberId, organisationId: one.organisationId, email: `${memberId}@p.example`, displayName: "M" };
    const rest = { role: "OWNER" as const, createdAt: world.clock.now(), version: 1 };
    await world.db.source.getRepository(Member).insert({ ...row, ...rest });
    const member = { ...viewerOf("PROVIDER", one.organisationId), keyId: null, memberId };
    expect(await refusal(confirm(member, (await propose()).id))).toBe("FORBIDDEN");
    await cancel(one, (await world.payouts.accounts.page(one, {})).rows[0]!.id);
    world.clock.advanceMs(1);
    expect(await confirm(member, (await propose()).id)).toMatchObject({ state: "COOLING" });
  });
});

test("an operator confirms a first account, and no change of one", async () => {
  const [operator] = world.operators;
  const first = await propose();
  expect(await confirm(operator, first.id)).toMatchObject({ state: "COOLING" });
  world.clock.advanceMs(COOLING_MS);
  const change = await propose();
  expect(await refusal(confirm(operator, change.id))).toBe("FORBIDDEN");
  expect(await confirm(two, change.id)).toMatchObject({ state: "COOLING" });
});

test("one change at a time, and either person alone takes it back while it cools", async () => {
  const { id } = await propose();
  expect(await refusal(propose(two))).toBe("STATE_CONFLICT");
  await confirm(two, id);
  expect((await cancel(one, id)).state).toBe("CANCELLED");
  expect((await cancel(one, id)).state).toBe("CANCELLED");
  expect(await refusal(confirm(two, id))).toBe("STATE_CONFLICT");
  expect((await propose()).state).toBe("PROPOSED");
});

test("a repeat of the confirmation changes nothing, above all not the end of the cooling period", async () => {
  const { id } = await propose();
  const first = await confirm(two, id);
  world.clock.advanceMs(60_000);
  expect(await confirm(two, id)).toEqual(first);
});

test.each([
  ["iban", { iban: iban.replace(/.$/, (end) => `${(Number(end) + 1) % 10}`) }, "BAD_USER_INPUT iban"],
  ["bic", { bic: "COBA" }, "BAD_USER_INPUT bic"],
  ["country", { country: "FR" }, "BAD_USER_INPUT country"],
  ["holder", { holder: "  " }, "BAD_USER_INPUT holder"],
])("a slip in the %s is refused, by name", async (_name, change, expected) => {
  expect(await refusal(propose(one, change))).toBe(expected);
});

test("the database holds neither the number nor the holder, and a sealed value opens in its own place alone", async () => {
  const { id } = await propose();
  const other = await propose(await aKeyOf(world, await world.a("PROVIDER")));
  const [{ row }] = await world.db.source.query("SELECT to_jsonb(a)::text AS row FROM payout_account a WHERE id = $1", [
    id,
  ]);
  expect(row).not.toMatch(new RegExp(`${iban.slice(0, 12)}|Nordic`));
  expect(row).not.toContain(Buffer.from(iban).toString("hex"));
  const trail = await world.db.source.query("SELECT change::text AS change FROM audit_event WHERE subject_id = $1", [
    id,
  ]);
  expect(JSON.stringify(trail)).not.toMatch(new RegExp(`${iban}|Nordic`));
  expect(JSON.stringify(trail)).toContain("4711");

  const swap =
    "UPDATE payout_account SET holder_sealed = (SELECT holder_sealed FROM payout_account WHERE id = $2) WHERE id = $1";
  await world.db.source.query(swap, [id, other.id]);
  await expect(world.payouts.accounts.page(one, {})).rejects.toThrow(/authenticate|unable/i);
  await world.db.source.query("UPDATE payout_account SET holder_sealed = iban_sealed WHERE id = $1", [id]);
  await expect(world.payouts.accounts.page(one, {})).rejects.toThrow(/authenticate|unable/i);
});

test("PostgreSQL itself refuses one person for both", async () => {
  const { id } = await propose();
  const alone = world.db.source.query(
    "UPDATE payout_account SET state = 'CONFIRMED', confirmed_by = proposed_by, confirmed_at = now(), usable_from = now() WHERE id = $1",
    [id],
  );
  await expect(alone).rejects.toThrow("payout_account_two_people_check");
});

test("a provider sees its own, an operator all", async () => {
  await propose();
  const stranger = await aKeyOf(world, await world.a("PROVIDER"));
  expect((await world.payouts.accounts.page(stranger, {})).rows).toEqual([]);
  const all = await world.payouts.accounts.page(world.operator, {}, { providerId: one.organisationId });
  expect(all.rows).toHaveLength(1);
  expect(await refusal(world.payouts.accounts.page(stranger, {}, { providerId: one.organisationId }))).toBe(
    "NOT_FOUND",
  );
});
