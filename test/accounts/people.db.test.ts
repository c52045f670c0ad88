/** Tokens of an identity provider on a real socket: which are taken, whom they stand for, and what holds while it is away. */
import { createHmac } from "node:crypto";
import { Member } from "../../entities/member";
import type { MemberRole } from "../../schema/enums";
import { Accounts } from "../../src/accounts/accounts";
import type { Viewer } from "../../src/accounts/viewer";
import { type LocalIssuer, startIssuer } from "../support/local-issuer";
import { openWorld, refusal, type World } from "./a-world";

const AUDIENCE = "exergy";
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

let world: World;
let startup: Viewer;
let idp: LocalIssuer;
let accounts: Accounts;

beforeAll(async () => {
  world = await openWorld();
  startup = await world.a("STARTUP");
  idp = await startIssuer(AUDIENCE, () => world.clock.now());
  accounts = accountsWith();
});
afterAll(async () => {
  await idp.goDown();
  await world.close();
});

/** With nothing remembered. */
const accountsWith = () =>
  new Accounts({
    db: world.db,
    bus: world.bus,
    clock: world.clock,
    pepper: Buffer.from("a pepper for tests"),
    identityProvider: { issuer: idp.url, audience: AUDIENCE },
  });
const login = (token: string, organisationId: string | null = null, by = accounts) =>
  by.people!.authenticate(token, organisationId);
const reason = (work: Promise<unknown>) => work.then(String, (error: Error) => error.message);

let people = 0;
async function invited(role: MemberRole = "ADMIN", to: Viewer = startup, email = `p${++people}@people.example`) {
  const { organisationId } = to;
  return world.accounts.members.add(to, { organisationId, email, displayName: "P", role });
}

describe("a token", () => {
  test("of a member's verified address makes a viewer with the scopes of the role, until it expires", async () => {
    const member = await invited("ADMIN");
    const expiresAt = new Date(Math.ceil(world.clock.nowMs() / SECOND_MS) * SECOND_MS + 5 * MINUTE_MS);
    const claims = { sub: "ada", email: member.email.toUpperCase(), email_verified: true };
    const token = await idp.token(claims, { expiresAt });
    expect(await login(token)).toEqual({
      organisationId: startup.organisationId,
      kind: "STARTUP",
      scopes: new Set(["READ", "WRITE"]),
      keyId: null,
      memberId: member.id,
      sessionId: null,
      expiresAt,
      persistedOnly: false,
    });
    const owner = await invited("OWNER");
    const viewer = await login(await idp.token({ sub: "bea", email: owner.email, email_verified: true }));
    expect(viewer.scopes).toEqual(new Set(["READ", "WRITE", "ADMIN"]));
  });

  test("binds at its first use: afterwards the address may change, or become somebody else's", async () => {
    const member = await invited("VIEWER");
    const { email } = member;
    expect((await login(await idp.token({ sub: "cleo", email, email_verified: true }))).memberId).toBe(member.id);
    const row = await world.db.source.getRepository(Member).findOneByOrFail({ id: member.id });
    expect([row.oidcIssuer, row.oidcSubject]).toEqual([idp.url, "cleo"]);
    expect((await login(await idp.token({ sub: "cleo" }))).memberId).toBe(member.id);
    const other = await idp.token({ sub: "somebody else", email, email_verified: true });
    expect(await refusal(login(other))).toBe("UNAUTHENTICATED");
    const bound = await world.db.source.query(
      "SELECT actor_member_id, change FROM audit_event WHERE action = 'member.bind' AND subject_id = $1",
      [member.id],
    );
    expect(bound).toEqual([
      {
        actor_member_id: member.id,
        change: { oidcIssuer: { from: null, to: idp.url }, oidcSubject: { from: null, to: "cleo" } },
      },
    ]);
  });

  test("binds once when two come at once", async () => {
    const { id, email } = await invited();
    const token = await idp.token({ sub: "twice", email, email_verified: true });
    const viewers = await world.atOnce("member", [() => login(token), () => login(token)]);
    expect(viewers.map(({ memberId }) => memberId)).toEqual([id, id]);
    const { email: wanted } = await invited();
    const rivals = await Promise.all(
      ["one", "two"].map((sub) => idp.token({ sub: `rival ${sub}`, email: wanted, email_verified: true })),
    );
    const results = await world.atOnce(
      "member",
      rivals.map((rival) => () => refusal(login(rival))),
    );
    expect(results.sort()).toEqual(["UNAUTHENTICATED", "nothing"]);
  });

  test("with an address that nobody vouches for, or of nobody invited, is nobody's", async () => {
    const { email } = await invited();
    for (const claims of [
      { sub: "dan", email },
      { sub: "dan", email, email_verified: false },
      { sub: "dan", email, email_verified: "true" },
      { sub: "dan", email: "stranger@people.example", email_verified: true },
      { sub: "dan" },
    ]) {
      expect(await refusal(login(await idp.token(claims)))).toBe("UNAUTHENTICATED");
    }
  });

  test("of somebody in several organisations needs the one that is meant", async () => {
    const other = await world.a("PROVIDER");
    const { email } = await invited("ADMIN");
    const elsewhere = await invited("VIEWER", other, email);
    const token = await idp.token({ sub: "eve", email, email_verified: true });
    expect(await reason(login(token))).toContain("x-exergy-organisation");
    const viewer = await login(token, other.organisationId);
    expect(viewer).toMatchObject({ memberId: elsewhere.id, kind: "PROVIDER", scopes: new Set(["READ"]) });
    expect(await refusal(login(token, (await world.a("STARTUP")).organisationId))).toBe("UNAUTHENTICATED");
    // Bound there, not yet here: without the header it is the bound one.
    expect((await login(token)).memberId).toBe(elsewhere.id);
  });

  test("stops with the removal of its person, and follows a change of role, at the next request", async () => {
    const { id, email } = await invited("ADMIN");
    const token = await idp.token({ sub: "fay", email, email_verified: true });
    expect((await login(token)).scopes).toEqual(new Set(["READ", "WRITE"]));
    await world.accounts.members.changeRole(startup, id, "VIEWER");
    expect((await login(token)).scopes).toEqual(new Set(["READ"]));
    await world.accounts.members.remove(startup, id);
    expect(await refusal(login(token))).toBe("UNAUTHENTICATED");
  });
});

describe("a bad token", () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const soon = () => Math.floor(world.clock.nowMs() / SECOND_MS) + 600;
  let good: { iss: string; aud: string; sub: string };

  beforeAll(async () => {
    const { email } = await invited();
    const claims = { sub: "gus", email, email_verified: true };
    await login(await idp.token(claims));
    good = { iss: idp.url, aud: AUDIENCE, sub: "gus" };
  });

  test.each<readonly [string, () => Promise<string> | string]>([
    ["for another audience", () => idp.token({ ...good, aud: "another service" })],
    ["of another issuer", () => idp.token({ ...good, iss: "https://evil.example" })],
    ["without an end", () => idp.token(good, { expiresAt: null })],
    ["without a subject", () => idp.token({ iss: idp.url, aud: AUDIENCE })],
    ["that expired six seconds ago", () => idp.token(good, { expiresAt: new Date(world.clock.nowMs() - 6_000) })],
    ["that is not valid yet", () => idp.token({ ...good, nbf: soon() })],
    ["with the algorithm none", () => `${part({ alg: "none" })}.${part({ ...good, exp: soon() })}.`],
    [
      "signed with the published key as a shared secret",
      () => {
        const text = `${part({ alg: "HS256", kid: idp.publicJwk.kid })}.${part({ ...good, exp: soon() })}`;
        const secret = JSON.stringify(idp.publicJwk);
        return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
      },
    ],
    [
      "whose claims were changed after the signature",
      async () => {
        const [header, , signature] = (await idp.token({ ...good, sub: "somebody" })).split(".");
        return `${header}.${part({ ...good, exp: soon() })}.${signature}`;
      },
    ],
    ["that is no token", () => "a.b.c"],
  ])("%s is refused", async (_what, make) => {
    expect((await login(await idp.token(good))).memberId).not.toBeNull();
    expect(await refusal(login(await make()))).toBe("UNAUTHENTICATED");
  });
});

describe("the issuer's keys", () => {
  let claims: { sub: string };
  beforeAll(async () => {
    const { email } = await invited();
    claims = { sub: "hal" };
    await login(await idp.token({ ...claims, email, email_verified: true }));
  });

  test("are fetched once for many, and again when a token names one that is not known", async () => {
    const fresh = accountsWith();
    const before = idp.asked.length;
    const token = await idp.token(claims);
    await Promise.all(Array.from({ length: 20 }, () => login(token, null, fresh)));
    expect(idp.asked.length - before).toBe(2);
    const old = await idp.changeKey("RS256");
    world.clock.advanceMs(5 * SECOND_MS);
    await login(await idp.token(claims), null, fresh);
    expect(idp.asked.length - before).toBe(4);
    // The old key is no longer published.
    expect(await refusal(login(await idp.token(claims, { key: old }), null, fresh))).toBe("UNAUTHENTICATED");
    // Nor do made-up ones send a request each.
    for (let n = 0; n < 5; n++)
      await refusal(login(await idp.token(claims, { key: { ...old, kid: `x${n}` } }), null, fresh));
    expect(idp.asked.length - before).toBe(4);
  });

  test("go on proving tokens while the issuer is away, for a day; what it withdrew meanwhile is noticed after", async () => {
    const fresh = accountsWith();
    await login(await idp.token(claims), null, fresh);
    await idp.goDown();
    world.clock.advanceMs(20 * MINUTE_MS);
    expect((await login(await idp.token(claims), null, fresh)).memberId).not.toBeNull();
    const old = await idp.changeKey();
    await idp.comeBack();
    world.clock.advanceMs(20 * MINUTE_MS);
    expect(await refusal(login(await idp.token(claims, { key: old }), null, fresh))).toBe("UNAUTHENTICATED");
    await login(await idp.token(claims), null, fresh);
    await idp.goDown();
    world.clock.advanceMs(25 * 60 * MINUTE_MS);
    expect(await refusal(login(await idp.token(claims), null, fresh))).toBe("IDENTITY_PROVIDER_UNAVAILABLE");
    expect(await refusal(login(await idp.token(claims), null, accountsWith()))).toBe("IDENTITY_PROVIDER_UNAVAILABLE");
    await idp.comeBack();
    await login(await idp.token(claims), null, fresh);
  });

  test("are not taken from a discovery that speaks for another issuer", async () => {
    idp.discovery = { issuer: "https://evil.example" };
    expect(await refusal(login(await idp.token(claims), null, accountsWith()))).toBe("IDENTITY_PROVIDER_UNAVAILABLE");
    idp.discovery = {};
  });
});
