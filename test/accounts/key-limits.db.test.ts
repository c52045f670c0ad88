/** What a key may send is its organisation's own choice: given, changed, kept through a rotation, known to the relay within seconds. */
import { Accounts } from "../../src/accounts/accounts";
import type { Viewer } from "../../src/accounts/viewer";
import { MemoryBus } from "../../src/events/event-bus";
import { openWorld, refusal, viewerOf, type World } from "./a-world";

let world: World;
let startup: Viewer;

beforeAll(async () => {
  world = await openWorld();
  startup = await world.a("STARTUP");
});
afterAll(() => world.close());

const none = { requestsPerMinute: null, tokensPerMinute: null, concurrentRequests: null };
const aKey = (limits?: { requestsPerMinute?: number; tokensPerMinute?: number; concurrentRequests?: number }) =>
  world.accounts.createApiKey(startup, {
    organisationId: startup.organisationId,
    name: "key",
    scopes: ["INFER"],
    limits,
  });
const change = (id: string, limits: object, expectedVersion?: number) =>
  world.accounts.changeKeyLimits(startup, { id, limits, expectedVersion });

test("a key has the limits that it was made with, and none of its own when none were given", async () => {
  const plain = await aKey();
  const limited = await aKey({ requestsPerMinute: 60, concurrentRequests: 2 });
  expect(plain.apiKey).toMatchObject(none);
  expect((await world.accounts.authenticate(plain.secret))!.limits).toEqual(none);
  expect((await world.accounts.authenticate(limited.secret))!.limits).toEqual({
    ...none,
    requestsPerMinute: 60,
    concurrentRequests: 2,
  });
});

test("a change sets all limits anew, here at once and in other processes within five seconds", async () => {
  const { apiKey, secret } = await aKey({ requestsPerMinute: 60, concurrentRequests: 2 });
  const elsewhere = new Accounts({
    db: world.db,
    bus: new MemoryBus(),
    clock: world.clock,
    pepper: Buffer.from("a pepper for tests"),
  });
  await elsewhere.authenticate(secret);
  await world.accounts.authenticate(secret);
  const changed = { ...none, tokensPerMinute: 9_000 };
  expect(await change(apiKey.id, { tokensPerMinute: 9_000 }, 1)).toMatchObject({ ...changed, version: 2 });
  expect((await world.accounts.authenticate(secret))!.limits).toEqual(changed);
  world.clock.advanceMs(5_000);
  expect((await elsewhere.authenticate(secret))!.limits).toEqual(changed);
});

test("a rotated key hands its limits on", async () => {
  const { apiKey } = await aKey({ concurrentRequests: 3 });
  const made = await world.accounts.rotateApiKey(startup, { id: apiKey.id });
  expect(made.apiKey).toMatchObject({ ...none, concurrentRequests: 3 });
});

test("what cannot be is refused: no limit below one, no stale version, no foreign key, none that is revoked, nobody without ADMIN", async () => {
  const { apiKey } = await aKey();
  for (const limits of [{ requestsPerMinute: 0 }, { tokensPerMinute: -1 }, { concurrentRequests: 2 ** 31 }]) {
    const fault = `BAD_USER_INPUT limits.${Object.keys(limits)[0]}`;
    expect(await refusal(change(apiKey.id, limits))).toBe(fault);
    expect(await refusal(aKey(limits))).toBe(fault);
  }
  expect(await refusal(change(apiKey.id, {}, 7))).toBe("VERSION_CONFLICT expectedVersion");
  const limits = { requestsPerMinute: 1 };
  const stranger = await world.a("STARTUP");
  expect(await refusal(world.accounts.changeKeyLimits(stranger, { id: apiKey.id, limits }))).toBe("NOT_FOUND");
  const writer = viewerOf("STARTUP", startup.organisationId, ["READ", "WRITE", "INFER"]);
  expect(await refusal(world.accounts.changeKeyLimits(writer, { id: apiKey.id, limits }))).toBe("FORBIDDEN");
  await world.accounts.revokeApiKey(startup, apiKey.id);
  expect(await refusal(change(apiKey.id, limits))).toBe("STATE_CONFLICT");
});
