/** Keys that are rotated, people whose roles change, sessions that end: what each may do, and from when on no more. */

import type { ApiKeyScope } from "../../schema/enums";
import { Accounts } from "../../src/accounts/accounts";
import type { Viewer } from "../../src/accounts/viewer";
import { MemoryBus } from "../../src/events/event-bus";
import { newId } from "../../src/platform/ids";
import { until } from "../support/leftovers";
import { openWorld, refusal, viewerOf, type World } from "./a-world";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let world: World;
let startup: Viewer;

beforeAll(async () => {
  world = await openWorld();
  startup = await world.a("STARTUP");
});
afterAll(() => world.close());

const aKey = (scopes: readonly ApiKeyScope[] = ["READ"], more: { expiresAt?: Date; persistedOnly?: boolean } = {}) =>
  world.accounts.createApiKey(startup, { organisationId: startup.organisationId, name: "key", scopes, ...more });
const aMember = (role: "OWNER" | "ADMIN" | "VIEWER", by: Viewer = startup) =>
  world.accounts.members.add(by, {
    organisationId: by.organisationId,
    email: `${newId()}@people.example`,
    displayName: "Somebody",
    role,
  });
/** As a token of this person would make it. */
const person = (organisationId: string, memberId: string, scopes: readonly ApiKeyScope[]): Viewer => ({
  ...viewerOf("STARTUP", organisationId, scopes),
  keyId: null,
  memberId,
});
/** The same database, in another process that no bus connects with this one. */
const anotherProcess = () =>
  new Accounts({ db: world.db, bus: new MemoryBus(), clock: world.clock, pepper: Buffer.from("a pepper for tests") });

describe("a key without ADMIN", () => {
  test.each<readonly [string, (viewer: Viewer) => Promise<unknown>]>([
    ["makes no key", (viewer) => world.accounts.createApiKey(viewer, { ...viewer, name: "x", scopes: ["READ"] })],
    ["rotates none", async (viewer) => world.accounts.rotateApiKey(viewer, { id: (await aKey()).apiKey.id })],
    ["revokes none", async (viewer) => world.accounts.revokeApiKey(viewer, (await aKey()).apiKey.id)],
    ["adds nobody", (viewer) => aMember("VIEWER", viewer)],
    [
      "gives no role",
      async (viewer) => world.accounts.members.changeRole(viewer, (await aMember("VIEWER")).id, "OWNER"),
    ],
    ["removes nobody", async (viewer) => world.accounts.members.remove(viewer, (await aMember("VIEWER")).id)],
  ])("%s", async (_what, attempt) => {
    const viewer = viewerOf("STARTUP", startup.organisationId, ["READ", "WRITE", "INFER"]);
    expect(await refusal(attempt(viewer))).toBe("FORBIDDEN");
  });

  test("sees and ends its own sessions only", async () => {
    const { secret } = await aKey(["READ"]);
    const viewer = await world.accounts.authenticate(secret);
    const { sessions } = world.accounts;
    const own = (await sessions.open(viewer)).session;
    const other = (await sessions.open((await world.accounts.authenticate((await aKey()).secret))!)).session;
    expect((await sessions.page(viewer, {})).rows.map(({ id }) => id)).toEqual([own.id]);
    expect((await sessions.page(startup, {})).rows.map(({ id }) => id)).toEqual([other.id, own.id]);
    expect(await refusal(sessions.revoke(viewer, other.id))).toBe("NOT_FOUND");
    expect((await sessions.revoke(viewer, own.id)).revokedAt).toEqual(world.clock.now());
  });
});

test("a key that takes persisted documents only hands out nothing freer", async () => {
  const { secret } = await aKey(["READ", "ADMIN"], { persistedOnly: true });
  const viewer = await world.accounts.authenticate(secret);
  expect(viewer!.persistedOnly).toBe(true);
  const { organisationId } = startup;
  const { apiKey } = await world.accounts.createApiKey(viewer, { organisationId, name: "freer", scopes: ["READ"] });
  expect(apiKey.persistedOnly).toBe(true);
  const { rotated, apiKey: renewed } = await world.accounts.rotateApiKey(viewer, { id: (await aKey()).apiKey.id });
  expect([rotated.persistedOnly, renewed.persistedOnly]).toEqual([false, true]);
  const { cookie } = await world.accounts.sessions.open(viewer);
  expect((await world.accounts.sessions.authenticate(cookie))!.persistedOnly).toBe(true);
});

describe("a rotation", () => {
  test("leaves both keys working for the overlap, then the new one alone", async () => {
    const old = await aKey(["READ", "INFER"]);
    const made = await world.accounts.rotateApiKey(startup, { id: old.apiKey.id, overlapMs: HOUR_MS });
    expect(made.apiKey).toMatchObject({ name: "key", scopes: ["READ", "INFER"], rotatedFromId: old.apiKey.id });
    expect(made.apiKey.expiresAt).toBeNull();
    expect(made.rotated).toMatchObject({ id: old.apiKey.id, version: 2, revokedAt: null });
    const working = async () => [
      (await world.accounts.authenticate(old.secret)) !== null,
      (await world.accounts.authenticate(made.secret)) !== null,
    ];
    expect(await working()).toEqual([true, true]);
    world.clock.advanceMs(HOUR_MS - 1);
    expect(await working()).toEqual([true, true]);
    world.clock.advanceMs(1);
    expect(await working()).toEqual([false, true]);
  });

  test("without an overlap ends the old key at once, and its sockets", async () => {
    const { apiKey, secret } = await aKey();
    expect(await world.accounts.authenticate(secret)).not.toBeNull();
    const told = await world.published("api-key.revoked", () =>
      world.accounts.rotateApiKey(startup, { id: apiKey.id, overlapMs: 0 }),
    );
    expect(told).toBe(1);
    expect(await world.accounts.authenticate(secret)).toBeNull();
  });

  test("gives as long a life again, and never lengthens that of the old key", async () => {
    const old = await aKey(["READ"], { expiresAt: new Date(world.clock.nowMs() + 2 * HOUR_MS) });
    world.clock.advanceMs(HOUR_MS);
    const made = await world.accounts.rotateApiKey(startup, { id: old.apiKey.id });
    expect(made.rotated.expiresAt).toEqual(old.apiKey.expiresAt);
    expect(made.apiKey.expiresAt).toEqual(new Date(world.clock.nowMs() + 2 * HOUR_MS));
  });

  test("is of a key that works, of the version that was read, with an overlap of up to a week", async () => {
    const { accounts } = world;
    const { apiKey } = await aKey();
    const { id } = apiKey;
    expect(await refusal(accounts.rotateApiKey(startup, { id, overlapMs: 7 * DAY_MS + 1 }))).toBe(
      "BAD_USER_INPUT overlap",
    );
    expect(await refusal(accounts.rotateApiKey(startup, { id, expectedVersion: 2 }))).toBe(
      "VERSION_CONFLICT expectedVersion",
    );
    expect(await refusal(accounts.rotateApiKey(await world.a("STARTUP"), { id }))).toBe("NOT_FOUND");
    await accounts.revokeApiKey(startup, id, 1);
    expect(await refusal(accounts.rotateApiKey(startup, { id }))).toBe("STATE_CONFLICT");
  });
});

test("a key's last use is known to the minute, and costs the request nothing", async () => {
  const { apiKey, secret } = await aKey();
  const lastUse = async () => (await world.accounts.apiKeysByIds([apiKey.id]))[0]!.lastUsedAt?.getTime() ?? null;
  expect(await lastUse()).toBeNull();
  const firstMs = world.clock.nowMs();
  await world.accounts.authenticate(secret);
  await until("the use is written", async () => (await lastUse()) === firstMs);
  world.clock.advanceMs(59_000);
  await world.accounts.authenticate(secret);
  world.clock.advanceMs(5_000);
  await world.accounts.authenticate(secret);
  await until("the use is written", async () => (await lastUse()) === firstMs + 64_000);
});

describe("another process without a bus", () => {
  test("lets a key that it remembers in for less than five seconds after its revocation", async () => {
    const elsewhere = anotherProcess();
    const { apiKey, secret } = await aKey();
    expect(await elsewhere.authenticate(secret)).not.toBeNull();
    await world.accounts.revokeApiKey(startup, apiKey.id);
    world.clock.advanceMs(4_000);
    expect(await elsewhere.authenticate(secret)).toBeNull();
  });

  test("does not keep its open sockets: it reads anew whether their viewers may stay", async () => {
    const elsewhere = anotherProcess();
    const { accounts } = world;
    const expiring = await aKey(["READ"], { expiresAt: new Date(world.clock.nowMs() + 1_000) });
    const [kept, revoked, rotated] = [await aKey(), await aKey(), await aKey()];
    const keys = await Promise.all(
      [expiring, kept, revoked, rotated].map(({ secret }) => elsewhere.authenticate(secret)),
    );
    const [owner, demoted, removed] = [await aMember("OWNER"), await aMember("ADMIN"), await aMember("ADMIN")];
    const { organisationId } = startup;
    const people = [
      person(organisationId, owner.id, ["READ", "WRITE", "ADMIN"]),
      person(organisationId, demoted.id, ["READ", "WRITE"]),
      person(organisationId, removed.id, ["READ", "WRITE"]),
    ];
    const opened = await Promise.all([keys[1]!, keys[2]!, people[2]!].map((viewer) => accounts.sessions.open(viewer)));
    const browsers = await Promise.all(opened.map(({ cookie }) => elsewhere.sessions.authenticate(cookie)));
    const all = [...keys, ...people, ...browsers].map((viewer) => viewer!);
    expect(await elsewhere.stillValid(all)).toEqual(new Set(all));

    await accounts.revokeApiKey(startup, revoked.apiKey.id);
    await accounts.rotateApiKey(startup, { id: rotated.apiKey.id, overlapMs: 0 });
    await accounts.members.changeRole(startup, demoted.id, "VIEWER");
    await accounts.members.remove(startup, removed.id);
    world.clock.advanceMs(1_000);
    expect(await elsewhere.stillValid(all)).toEqual(new Set([keys[1], people[0], browsers[0]]));
  });

  test("is asked in one statement, however many sockets there are", async () => {
    let statements = 0;
    const db = {
      ...world.db,
      query: (...query: Parameters<typeof world.db.query>) => {
        statements += 1;
        return world.db.query(...query);
      },
    } as typeof world.db;
    const accounts = new Accounts({ db, bus: world.bus, clock: world.clock, pepper: Buffer.from("x") });
    const viewer = (await world.accounts.authenticate((await aKey()).secret))!;
    const many = Array.from({ length: 1_000 }, () => ({ ...viewer }));
    expect((await accounts.stillValid([...many, viewerOf("STARTUP", newId())])).size).toBe(1_000);
    expect(statements).toBe(1);
    expect(await accounts.stillValid([])).toEqual(new Set());
    expect(statements).toBe(1);
  });
});

describe("a person's role", () => {
  test("narrows an open session from the next request on, and closes what had more", async () => {
    const { accounts } = world;
    const { id } = await aMember("ADMIN");
    const { cookie } = await accounts.sessions.open(person(startup.organisationId, id, ["READ", "WRITE"]));
    expect((await accounts.sessions.authenticate(cookie))!.scopes).toEqual(new Set(["READ", "WRITE"]));
    const changed = await accounts.members.changeRole(startup, id, "VIEWER", 1);
    expect([changed.role, changed.version]).toEqual(["VIEWER", 2]);
    expect((await accounts.sessions.authenticate(cookie))!.scopes).toEqual(new Set(["READ"]));
    expect(await refusal(accounts.members.changeRole(startup, id, "OWNER", 1))).toBe(
      "VERSION_CONFLICT expectedVersion",
    );
    // More than what the log-in had, it does not become.
    await accounts.members.changeRole(startup, id, "OWNER", 2);
    expect((await accounts.sessions.authenticate(cookie))!.scopes).toEqual(new Set(["READ", "WRITE"]));
  });

  test("of the last OWNER stays, and of two who remove each other at once one stays", async () => {
    const founded = await world.a("STARTUP", "Founders");
    const { members } = world.accounts;
    const [one, two] = [await aMember("OWNER", founded), await aMember("OWNER", founded)];
    const results = await world.atOnce("member", [
      () => refusal(members.remove(founded, one.id)),
      () => refusal(members.remove(founded, two.id)),
    ]);
    expect(results.sort()).toEqual(["STATE_CONFLICT", "nothing"]);
    const [last] = (await members.page(founded, {})).rows;
    expect(await refusal(members.remove(founded, last!.id))).toBe("STATE_CONFLICT");
    expect(await refusal(members.changeRole(founded, last!.id, "ADMIN"))).toBe("STATE_CONFLICT");
    await aMember("OWNER", founded);
    expect(await refusal(members.changeRole(founded, last!.id, "ADMIN"))).toBe("nothing");
  });

  test("ends with the removal: sessions close at once, the address is free again, a stranger cannot tell", async () => {
    const { accounts } = world;
    const { id, email } = await aMember("ADMIN");
    const { cookie } = await accounts.sessions.open(person(startup.organisationId, id, ["READ"]));
    expect(await refusal(accounts.members.remove(await world.a("STARTUP"), id))).toBe("NOT_FOUND");
    const told = await world.published("session.revoked", () => accounts.members.remove(startup, id));
    expect(told).toBe(1);
    expect(await accounts.sessions.authenticate(cookie)).toBeNull();
    expect(await refusal(accounts.members.remove(startup, id))).toBe("NOT_FOUND");
    const again = { organisationId: startup.organisationId, email, displayName: "Again", role: "VIEWER" as const };
    expect(await refusal(accounts.members.add(startup, again))).toBe("nothing");
  });
});

describe("a session", () => {
  test("ends twelve hours after its last request, and seven days after its first", async () => {
    const { sessions } = world.accounts;
    const viewer = await world.accounts.authenticate((await aKey()).secret);
    const { session, cookie } = await sessions.open(viewer);
    const lastSeenMs = async () =>
      (await sessions.page(startup, { first: 1 })).rows.find(({ id }) => id === session.id)!.lastSeenAt.getTime();
    for (let hour = 0; hour < 7 * 24 - 11; hour += 11) {
      expect(await sessions.authenticate(cookie)).not.toBeNull();
      const seenMs = world.clock.nowMs();
      await until("the request is written", async () => (await lastSeenMs()) === seenMs);
      world.clock.advanceMs(11 * HOUR_MS);
    }
    expect(await sessions.authenticate(cookie)).not.toBeNull();
    world.clock.moveTo(session.expiresAt);
    expect(await sessions.authenticate(cookie)).toBeNull();

    const idle = await sessions.open(await world.accounts.authenticate((await aKey()).secret));
    world.clock.advanceMs(12 * HOUR_MS - 1);
    expect(await anotherProcess().sessions.authenticate(idle.cookie)).not.toBeNull();
    const unused = await sessions.open(await world.accounts.authenticate((await aKey()).secret));
    world.clock.advanceMs(12 * HOUR_MS);
    expect(await sessions.authenticate(unused.cookie)).toBeNull();
    expect((await world.accounts.stillValid([(await viewerBehind(unused.session.id))!])).size).toBe(0);
  });

  const viewerBehind = async (sessionId: string) => ({ ...startup, keyId: null, sessionId });

  test("ends with its key, and does not outlive it", async () => {
    const { sessions } = world.accounts;
    const { apiKey, secret } = await aKey(["READ"], { expiresAt: new Date(world.clock.nowMs() + HOUR_MS) });
    const { cookie, session } = await sessions.open(await world.accounts.authenticate(secret));
    expect(session.expiresAt).toEqual(apiKey.expiresAt);
    expect(await sessions.authenticate(cookie)).toMatchObject({ keyId: apiKey.id, expiresAt: apiKey.expiresAt });
    await world.accounts.revokeApiKey(startup, apiKey.id);
    expect(await sessions.authenticate(cookie)).toBeNull();
  });

  test("opens no other, is stored as a digest only, and the hundred-and-first of a key ends the first", async () => {
    const { sessions } = world.accounts;
    const viewer = await world.accounts.authenticate((await aKey()).secret);
    const first = await sessions.open(viewer);
    expect(await refusal(sessions.open(await sessions.authenticate(first.cookie)))).toBe("STATE_CONFLICT");
    const [row] = await world.db.source.query("SELECT s::text AS text FROM session s WHERE id = $1", [
      first.session.id,
    ]);
    expect(row.text).not.toContain(first.cookie);
    for (let n = 1; n < 100; n++) await sessions.open(viewer);
    expect(await anotherProcess().sessions.authenticate(first.cookie)).not.toBeNull();
    await sessions.open(viewer);
    expect(await anotherProcess().sessions.authenticate(first.cookie)).toBeNull();
  });

  test("of nobody is nobody's", async () => {
    const { sessions } = world.accounts;
    for (const cookie of ["", "short", "x".repeat(43), "é".repeat(43), "a".repeat(44)]) {
      expect(await sessions.authenticate(cookie)).toBeNull();
    }
    expect(await refusal(sessions.open(null))).toBe("UNAUTHENTICATED");
  });
});
