/** Keys, organisations and members on PostgreSQL: who gets in, who sees whom, what is stored of a secret. */
import { Accounts } from "../../src/accounts/accounts";
import { makeSecret } from "../../src/accounts/api-keys";
import type { Viewer } from "../../src/accounts/viewer";
import type { Database } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { openWorld, refusal, viewerOf, type World } from "./a-world";

let world: World;
let startup: Viewer;

beforeAll(async () => {
  world = await openWorld();
  startup = await world.a("STARTUP");
});
afterAll(() => world.close());

/** The same accounts behind a database that counts the queries for keys. */
function countingAccounts(): { accounts: Accounts; queries: () => number } {
  let queries = 0;
  const db: Database = {
    ...world.db,
    query: (statement, values) => {
      queries += 1;
      return world.db.query(statement, values);
    },
  };
  const { bus, clock } = world;
  return {
    accounts: new Accounts({ db, bus, clock, pepper: Buffer.from("a pepper for tests") }),
    queries: () => queries,
  };
}

const aKey = (scopes: readonly ("READ" | "WRITE" | "INFER")[] = ["READ"], expiresAt: Date | null = null) =>
  world.accounts.createApiKey(startup, { organisationId: startup.organisationId, name: "key", scopes, expiresAt });

test("a created key authenticates as its organisation, with its scopes and no others", async () => {
  const { apiKey, secret } = await aKey(["READ", "INFER", "INFER"]);
  const viewer = await world.accounts.authenticate(secret);
  expect(viewer).toEqual({
    organisationId: startup.organisationId,
    kind: "STARTUP",
    scopes: new Set(["READ", "INFER"]),
    keyId: apiKey.id,
    memberId: null,
    sessionId: null,
    expiresAt: null,
    persistedOnly: false,
    limits: { requestsPerMinute: null, tokensPerMinute: null, concurrentRequests: null },
  });
  expect(
    await refusal(
      world.accounts.createApiKey(viewer, { organisationId: startup.organisationId, name: "x", scopes: ["READ"] }),
    ),
  ).toBe("FORBIDDEN");
});

test("a key with a wrong checksum is refused without a query, an unknown one with a single one", async () => {
  const { accounts, queries } = countingAccounts();
  expect(await accounts.authenticate(undefined)).toBeNull();
  expect(await accounts.authenticate("exg_")).toBeNull();
  expect(await accounts.authenticate(`${makeSecret().slice(0, -1)}_`)).toBeNull();
  expect(accounts.authenticateCached("Bearer nonsense")).toBeNull();
  expect(queries()).toBe(0);
  const unknown = makeSecret();
  expect(accounts.authenticateCached(unknown)).toBeUndefined();
  for (let times = 0; times < 3; times++) expect(await accounts.authenticate(unknown)).toBeNull();
  expect(accounts.authenticateCached(unknown)).toBeNull();
  expect(queries()).toBe(1);
});

test("the table holds a digest and a prefix, and nowhere the secret", async () => {
  const { apiKey, secret } = await aKey();
  const [row] = await world.db.source.query("SELECT *, encode(digest, 'escape') AS text FROM api_key WHERE id = $1", [
    apiKey.id,
  ]);
  expect(row.digest).toHaveLength(32);
  expect(secret.startsWith(row.prefix)).toBe(true);
  expect(JSON.stringify(row)).not.toContain(secret.slice(12));
});

test("a revoked key is refused at once in this process, though it was remembered a moment ago", async () => {
  const { accounts } = world;
  const { apiKey, secret } = await aKey();
  expect(await accounts.authenticate(secret)).not.toBeNull();
  expect(accounts.authenticateCached(secret)).not.toBeUndefined();
  const first = await accounts.revokeApiKey(startup, apiKey.id);
  expect(first.revokedAt).toEqual(world.clock.now());
  expect(accounts.authenticateCached(secret)).toBeUndefined();
  expect(await accounts.authenticate(secret)).toBeNull();
  world.clock.advanceMs(60_000);
  expect((await accounts.revokeApiKey(startup, apiKey.id)).revokedAt).toEqual(first.revokedAt);
});

test("an expired key is refused from its instant on; one cannot be made in the past", async () => {
  const expiresAt = new Date(world.clock.nowMs() + 3_000);
  const { secret } = await aKey(["READ"], expiresAt);
  expect(await world.accounts.authenticate(secret)).not.toBeNull();
  world.clock.moveTo(expiresAt);
  expect(await world.accounts.authenticate(secret)).toBeNull();
  expect(await refusal(aKey(["READ"], expiresAt))).toBe("BAD_USER_INPUT expiresAt");
});

test("another tenant's key, members and organisation do not exist", async () => {
  const stranger = await world.a("STARTUP", "Stranger");
  const { apiKey } = await aKey();
  const { accounts } = world;
  const organisationId = startup.organisationId;
  expect(await refusal(accounts.revokeApiKey(stranger, apiKey.id))).toBe("NOT_FOUND");
  expect(await refusal(accounts.revokeApiKey(stranger, newId()))).toBe("NOT_FOUND");
  expect(await refusal(accounts.revokeApiKey(stranger, "not an id"))).toBe("NOT_FOUND");
  expect(await refusal(accounts.createApiKey(stranger, { organisationId, name: "x", scopes: ["READ"] }))).toBe(
    "NOT_FOUND organisationId",
  );
  expect(await refusal(accounts.apiKeys(stranger, {}, { organisationId }))).toBe("NOT_FOUND");
  expect(await refusal(accounts.members.page(stranger, {}, { organisationId }))).toBe("NOT_FOUND");
  expect((await accounts.apiKeys(stranger, {})).rows).toEqual([]);
  expect((await accounts.organisations(stranger, {})).rows.map((row) => row.id)).toEqual([stranger.organisationId]);
  expect((await accounts.apiKeys(world.operator, {}, { organisationId })).rows.map((row) => row.id)).toContain(
    apiKey.id,
  );
});

test("an operator says how far a startup is; nothing else has a segment", async () => {
  const { accounts, operator } = world;
  const seed = await accounts.createOrganisation(operator, { kind: "STARTUP", name: "Seed", segment: "SEED" });
  const untold = await accounts.createOrganisation(operator, { kind: "STARTUP", name: "Untold" });
  expect([seed.segment, untold.segment]).toEqual(["SEED", "UNSPECIFIED"]);
  const provider = { kind: "PROVIDER" as const, name: "GPU", segment: "SEED" as const };
  expect(await refusal(accounts.createOrganisation(operator, provider))).toBe("BAD_USER_INPUT segment");
});

test("only operators make organisations, and make keys for all", async () => {
  const { accounts, operator } = world;
  expect(await refusal(accounts.createOrganisation(null, { kind: "STARTUP", name: "x" }))).toBe("UNAUTHENTICATED");
  expect(await refusal(accounts.createOrganisation(startup, { kind: "OPERATOR", name: "x" }))).toBe("FORBIDDEN");
  expect(await refusal(accounts.createOrganisation(operator, { kind: "STARTUP", name: " \u0000 " }))).toBe(
    "BAD_USER_INPUT name",
  );
  const readOnly = viewerOf("OPERATOR", operator.organisationId, ["READ"]);
  expect(await refusal(accounts.createOrganisation(readOnly, { kind: "STARTUP", name: "x" }))).toBe("FORBIDDEN");
  const provider = await accounts.createOrganisation(operator, { kind: "PROVIDER", name: "  North GPU  " });
  expect(provider.name).toBe("North GPU");
  const { secret } = await accounts.createApiKey(operator, {
    organisationId: provider.id,
    name: "ops",
    scopes: ["READ"],
  });
  expect((await accounts.authenticate(secret))?.kind).toBe("PROVIDER");
  expect(await refusal(accounts.createApiKey(operator, { organisationId: newId(), name: "x", scopes: ["READ"] }))).toBe(
    "NOT_FOUND organisationId",
  );
  expect(await refusal(accounts.createApiKey(operator, { organisationId: provider.id, name: "x", scopes: [] }))).toBe(
    "BAD_USER_INPUT scopes",
  );
  const providers = await accounts.organisations(operator, {}, { kind: "PROVIDER" });
  expect(providers.rows.map((row) => row.id)).toEqual([provider.id]);
  expect((await accounts.organisationsByIds([provider.id, newId(), "junk"])).map((row) => row.name)).toEqual([
    "North GPU",
  ]);
});

test("a member's e-mail address is one spelling and unique within the organisation", async () => {
  const organisationId = startup.organisationId;
  const ann = { organisationId, email: " Ann@Example.com ", displayName: "Ann", role: "ADMIN" as const };
  expect((await world.accounts.members.add(startup, ann)).email).toBe("ann@example.com");
  expect(await refusal(world.accounts.members.add(startup, { ...ann, email: "ANN@example.com" }))).toBe(
    "ALREADY_EXISTS email",
  );
  expect(await refusal(world.accounts.members.add(startup, { ...ann, email: "ann" }))).toBe("BAD_USER_INPUT email");
  expect((await world.accounts.members.page(startup, {})).rows.map((row) => row.displayName)).toEqual(["Ann"]);
});

test("lists come newest first, page by page", async () => {
  const viewer = await world.a("STARTUP", "Pages");
  const { organisationId } = viewer;
  for (const name of ["1", "2", "3"])
    await world.accounts.createApiKey(viewer, { organisationId, name, scopes: ["READ"] });
  const page = await world.accounts.apiKeys(viewer, { first: 2 });
  expect([page.rows.map((row) => row.name), page.hasNextPage]).toEqual([["3", "2"], true]);
});

test("parallel first starts end with one operator, each with a key that works", async () => {
  const made = await world.atOnce(
    "organisation",
    [1, 2, 3, 4].map(() => () => world.accounts.bootstrapOperator("Second operator")),
  );
  expect(new Set(made.map(({ organisation }) => organisation.id)).size).toBe(1);
  for (const { secret } of made) {
    const viewer = await world.accounts.authenticate(secret);
    expect([viewer?.kind, viewer?.scopes]).toEqual(["OPERATOR", new Set(["READ", "WRITE", "ADMIN"])]);
  }
});
