/** Startups see what they used, providers what they delivered, and neither finds out who is on the other side. */

import type { OrganisationKind } from "../../schema/enums";
import type { Viewer } from "../../src/accounts/viewer";
import { newId } from "../../src/platform/ids";
import { viewerOf } from "../accounts/a-world";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

let database: TestDatabase;
let world: MoneyWorld;
let [one, two, provider, rival]: string[] = [];
let ids: { oneAtProvider: string; oneAtRival: string; twoAtProvider: string };

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  [one, two] = [await world.startupWith(10_000_000n), await world.startupWith(10_000_000n)];
  [provider, rival] = [await world.provider(), await world.provider()];
  ids = {
    oneAtProvider: await used(one, provider),
    oneAtRival: await used(one, rival),
    twoAtProvider: await used(two, provider),
  };
});

afterAll(async () => {
  await world?.close();
  await database?.drop();
});

async function used(startupId: string, providerId: string): Promise<string> {
  const requestId = await world.hold(startupId, 1_000_000n);
  await world.metering.settle(world.delivery({ requestId, startupId, providerId, heldNanoCredit: 1_000_000n }));
  return requestId;
}

const viewer = (kind: OrganisationKind, organisationId: string, scope: "READ" | "INFER" = "READ"): Viewer =>
  viewerOf(kind, organisationId, [scope]);
const usageOf = async (who: Viewer | null, filter = {}) =>
  (await world.metering.usage(who, { first: 50 }, filter)).rows.map((row) => row.id);
const deliveriesOf = async (who: Viewer | null, filter = {}) =>
  (await world.metering.deliveries(who, { first: 50 }, filter)).rows.map((row) => row.id);

test("a startup sees its own requests, newest first; a provider its own deliveries; the operator all", async () => {
  expect(await usageOf(viewer("STARTUP", one!))).toEqual([ids.oneAtRival, ids.oneAtProvider]);
  expect(await deliveriesOf(viewer("PROVIDER", provider!))).toEqual([ids.twoAtProvider, ids.oneAtProvider]);
  expect(await usageOf(viewer("OPERATOR", newId()))).toEqual([ids.twoAtProvider, ids.oneAtRival, ids.oneAtProvider]);
  expect(await deliveriesOf(viewer("OPERATOR", newId()), { providerId: rival })).toEqual([ids.oneAtRival]);
});

test("a startup cannot find out by filtering who served it, nor a provider whom it serves", async () => {
  expect(await usageOf(viewer("STARTUP", one!), { providerId: rival })).toEqual([ids.oneAtRival, ids.oneAtProvider]);
  expect(await usageOf(viewer("STARTUP", one!), { endpointId: newId() })).toHaveLength(2);
  expect(await deliveriesOf(viewer("PROVIDER", provider!), { startupId: one })).toHaveLength(2);
});

test("somebody else's records are not found, and the wrong kind, scope or no key at all is refused", async () => {
  await expect(usageOf(viewer("STARTUP", one!), { startupId: two })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(deliveriesOf(viewer("PROVIDER", rival!), { providerId: provider })).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
  await expect(usageOf(viewer("PROVIDER", provider!))).rejects.toMatchObject({ code: "FORBIDDEN" });
  await expect(deliveriesOf(viewer("STARTUP", one!))).rejects.toMatchObject({ code: "FORBIDDEN" });
  await expect(usageOf(viewer("STARTUP", one!, "INFER"))).rejects.toMatchObject({ code: "FORBIDDEN" });
  await expect(usageOf(null)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});

test("usage is narrowed by month, time, model and outcome", async () => {
  const operator = viewer("OPERATOR", newId());
  const at = world.clock.now();
  expect(await usageOf(operator, { period: "2026-03", model: "a-model", outcome: "COMPLETED", from: at })).toHaveLength(
    3,
  );
  for (const none of [{ period: "2026-04" }, { model: "another" }, { outcome: "PARTIAL" }, { to: at }]) {
    expect(await usageOf(operator, none)).toEqual([]);
  }
});
