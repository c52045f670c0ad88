/** Work that was never charged: claimed by the relay's token, kept in suspense, paid or not, and never the startup's. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { Endpoint } from "../../entities/endpoint";
import { LedgerAccount } from "../../entities/ledger-account";
import { Offering } from "../../entities/offering";
import { Organisation } from "../../entities/organisation";
import type { ProviderClaim } from "../../entities/provider-claim";
import { RoutingDecision } from "../../entities/routing-decision";
import type { Viewer } from "../../src/accounts/viewer";
import { newRequestId } from "../../src/metering/metering";
import type { NewClaim } from "../../src/payouts/claim-worth";
import { Claims } from "../../src/payouts/claims";
import { FlaggedUsage } from "../../src/payouts/flagged-usage";
import type { DomainError } from "../../src/platform/errors";
import { newId } from "../../src/platform/ids";
import { Pricing } from "../../src/pricing/pricing";
import { viewerOf } from "../accounts/a-world";
import { acting } from "../funding/a-lender";
import { faultsInTheBooks } from "../ledger/books";
import { MoneyWorld, reportedUsage } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { aRelayToken } from "./a-relay-token";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** 1,000 tokens of output are a GPU-second: 2.50 USD an hour × 85 %, in nano-dollars. */
const SECOND_NANO_USD = 590_278n;

const keyPair = generateKeyPairSync("ed25519");
const relay = { signingKey: keyPair.privateKey, kid: "k", clientCertSha256: "c" };

let database: TestDatabase;
let world: MoneyWorld;
let claims: Claims;
let provider: Viewer;
let stranger: Viewer;
let operator: Viewer;
let endpointId: string;
let offeringId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  const { db, bus, clock } = world;
  claims = new Claims({
    db,
    clock,
    pricing: new Pricing({ db, bus, clock }),
    keys: [{ kid: "k", publicKey: keyPair.publicKey }],
  });
  provider = viewerOf("PROVIDER", world.providerId);
  stranger = viewerOf("PROVIDER", await world.provider());
  operator = viewerOf("OPERATOR", newId());
  const row = {
    id: operator.organisationId,
    kind: "OPERATOR" as const,
    name: "Operator",
    createdAt: clock.now(),
    version: 1,
  };
  await db.source.getRepository(Organisation).insert(row);
  [endpointId, offeringId] = await anEndpointOf(world.providerId);
});
afterEach(async () => {
  expect(await faultsInTheBooks(world.db)).toEqual([]);
});
afterAll(async () => {
  await world?.close();
  await database?.drop();
});

/** In the region of the world's fixing. */
async function anEndpointOf(providerId: string): Promise<[string, string]> {
  const { db, clock } = world;
  const [{ region }] = await db.source.query("SELECT region FROM fixing");
  const [endpointId, offeringId] = [newId(), newId()];
  await db.source.getRepository(Endpoint).insert({
    id: endpointId,
    providerId,
    name: "e",
    kind: "INFERENCE",
    tenancy: "SHARED",
    baseUrl: `https://${endpointId}.example`,
    caPem: "pem",
    accelerator: "H100",
    region,
    zone: "a",
    gpuCount: 8,
    slots: 8,
    slaTier: "STANDARD",
    state: "LIVE",
    createdAt: clock.now(),
    version: 1,
  });
  await db.source.getRepository(Offering).insert({
    id: offeringId,
    endpointId,
    model: "a-model",
    upstreamModel: "upstream/a-model",
    architecture: "chat",
    contextLength: 8_192,
    maxOutputTokens: 4_096,
    prefillTokensPerGpuSecond: 10_000,
    decodeTokensPerGpuSecond: 1_000,
    state: "LIVE",
    createdAt: clock.now(),
    version: 1,
  });
  return [endpointId, offeringId];
}

/** Signed so long ago on the world's clock. */
const aToken = (
  options: { requestId?: string; attempt?: number; body?: string; agoMs?: number; endpoint?: string } = {},
) => {
  const { agoMs = HOUR_MS, endpoint = endpointId, ...of } = options;
  return aRelayToken(endpoint, { ...of, at: new Date(world.clock.nowMs() - agoMs), by: relay });
};
const submit = (claim: Partial<NewClaim> = {}, by = provider, key: string = randomUUID()) => {
  const input = { relayToken: aToken(), offeringId, promptTokens: 0, completionTokens: 1_000, ...claim };
  return acting(by, () => claims.submit(by, input, key));
};
const decide = (id: string, pays: boolean, by = operator, key: string = randomUUID()) =>
  acting(by, () => claims.decide(by, { id, pays, reason: "the relay was down" }, key));
const refusal = (work: Promise<unknown>): Promise<DomainError> =>
  work.then(
    () => Promise.reject(new Error("was not refused")),
    (error: DomainError) => error,
  );
async function amounts(): Promise<Record<string, bigint>> {
  const rows = await world.db.source.getRepository(LedgerAccount).find();
  const of = (name: string) => {
    const row = rows.find((account) => account.name === name);
    return row === undefined ? 0n : row.creditsPosted - row.debitsPosted;
  };
  return {
    suspense: of("suspense:claims"),
    expense: of("expense:claims"),
    payable: of(`payable:${world.providerId}:2026-03`),
  };
}
async function moved(work: () => Promise<unknown>): Promise<Record<string, bigint>> {
  const before = await amounts();
  await work();
  const after = await amounts();
  return Object.fromEntries(Object.entries(after).map(([name, amount]) => [name, amount - before[name]!]));
}

describe("a claim by relay token", () => {
  it("puts what the tokens would have earned into suspense, and a decision pays it into the month, at no startup's cost", async () => {
    let claim!: ProviderClaim;
    const suspended = await moved(async () => {
      claim = await submit({ evidence: "served, see our log" });
    });
    expect(claim).toMatchObject({
      providerId: world.providerId,
      endpointId,
      attempt: 1,
      state: "SUBMITTED",
      claimedNanoUsd: SECOND_NANO_USD,
      amountNanoUsd: SECOND_NANO_USD,
      boundedBy: "CLAIM",
      sharePpm: 850_000n,
      attemptedAt: new Date(world.clock.nowMs() - HOUR_MS),
    });
    expect(suspended).toEqual({ suspense: SECOND_NANO_USD, expense: -SECOND_NANO_USD, payable: 0n });
    const paid = await moved(async () => {
      expect(await decide(claim.id, true)).toMatchObject({
        state: "PAID",
        period: "2026-03",
        decision: "the relay was down",
      });
    });
    expect(paid).toEqual({ suspense: -SECOND_NANO_USD, expense: 0n, payable: SECOND_NANO_USD });
    expect((await refusal(decide(claim.id, false))).code).toBe("STATE_CONFLICT");
    const [{ credits }] = await world.db.source.query(
      "SELECT count(*)::int AS credits FROM transfer t JOIN ledger_account a ON a.id = t.debit_account_id WHERE t.group_id = $1 AND a.ledger = 'CRD'",
      [claim.id],
    );
    expect(credits).toBe(0);
  });

  it("that is rejected gives its amount back, with a reason for the provider to read", async () => {
    const total = await moved(async () => {
      const { id } = await submit();
      expect(await decide(id, false)).toMatchObject({ state: "REJECTED", period: null });
      const { rows } = await acting(provider, () => claims.page(provider, {}, { state: "REJECTED" }));
      expect(rows).toMatchObject([{ id, decision: "the relay was down" }]);
    });
    expect(total).toEqual({ suspense: 0n, expense: 0n, payable: 0n });
  });

  it("is one per attempt for ever, whatever becomes of it, and one per key however often it is sent", async () => {
    const relayToken = aToken();
    const key = randomUUID();
    const one = await moved(async () => {
      const copies = await Promise.all([1, 2, 3, 4].map(() => submit({ relayToken }, provider, key)));
      expect(new Set(copies.map(({ id }) => id)).size).toBe(1);
      await decide(copies[0]!.id, false);
    });
    expect(one.suspense).toBe(0n);
    expect((await refusal(submit({ relayToken }))).code).toBe("ALREADY_EXISTS");
    expect((await refusal(submit({ relayToken, completionTokens: 5 }, provider, key))).code).toBe(
      "IDEMPOTENCY_KEY_REUSED",
    );
    const requestId = newRequestId();
    await submit({ relayToken: aToken({ requestId }) });
    await submit({ relayToken: aToken({ requestId, attempt: 2 }) });
  });

  it("is decided once, also by two operators at once", async () => {
    const { id } = await submit();
    const results = await Promise.allSettled([decide(id, true), decide(id, false), decide(id, true)]);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("for an attempt that was charged is refused, and one that is charged before the decision is not paid", async () => {
    const startupId = await world.startupWith(10_000_000n);
    const requestId = await world.hold(startupId, 1_000_000n);
    const settle = () => {
      const of = { requestId, startupId, heldNanoCredit: 1_000_000n, endpointId };
      return world.metering.settle(world.delivery(of));
    };
    const relayToken = aToken({ requestId });
    expect(await refusal(submit({ relayToken }))).toMatchObject({
      code: "STATE_CONFLICT",
      message: expect.stringContaining("set aside"),
    });
    await settle();
    expect(await refusal(submit({ relayToken }))).toMatchObject({
      code: "STATE_CONFLICT",
      message: expect.stringContaining("was charged"),
    });
    const late = newRequestId();
    const claim = await submit({ relayToken: aToken({ requestId: late }) });
    await world.hold(startupId, 1_000_000n, { requestId: late });
    await world.metering.settle(world.delivery({ requestId: late, startupId, heldNanoCredit: 1_000_000n, endpointId }));
    expect((await refusal(decide(claim.id, true))).code).toBe("STATE_CONFLICT");
    expect((await decide(claim.id, false)).state).toBe("REJECTED");
    // The attempt that lost to another endpoint was not charged: its provider may claim, and the operator sees why not.
    const [loser, itsOffering] = await anEndpointOf(world.providerId);
    const lost = await submit({ relayToken: aToken({ requestId, endpoint: loser }), offeringId: itsOffering });
    expect(lost.state).toBe("SUBMITTED");
  });

  it("is bounded by what was set aside for the request, and by its body where the provider shows that", async () => {
    const startupId = await world.startupWith(10_000_000n);
    const requestId = await world.hold(startupId, 135_000n);
    await world.metering.release(requestId, startupId);
    expect(await submit({ relayToken: aToken({ requestId }) })).toMatchObject({
      claimedNanoUsd: SECOND_NANO_USD,
      boundNanoUsd: 85_000n,
      amountNanoUsd: 85_000n,
      boundedBy: "HOLD",
    });
    const requestBody = JSON.stringify({ model: "upstream/a-model", max_tokens: 10, messages: [] });
    const relayToken = aToken({ body: requestBody });
    const bounded = await submit({ relayToken, requestBody });
    expect(bounded.boundedBy).toBe("REQUEST_BODY");
    expect(bounded.amountNanoUsd).toBeLessThan(SECOND_NANO_USD / 50n);
    const stored = await world.db.source.query("SELECT to_jsonb(c)::text AS text FROM provider_claim c WHERE id = $1", [
      bounded.id,
    ]);
    expect(stored[0].text).not.toContain("max_tokens");
    const other = JSON.stringify({ model: "upstream/another", messages: [] });
    expect(await refusal(submit({ relayToken: aToken({ body: other }), requestBody: other }))).toMatchObject({
      code: "BAD_USER_INPUT",
      field: ["offeringId"],
    });
    expect(await refusal(submit({ relayToken: aToken(), requestBody: other }))).toMatchObject({
      code: "BAD_USER_INPUT",
      field: ["requestBody"],
    });
    expect((await submit({ completionTokens: 2_000_000_000 })).boundedBy).toBe("OFFERING");
    expect((await refusal(submit({ completionTokens: 0 }))).code).toBe("BAD_USER_INPUT");
    expect((await refusal(submit({ completionTokens: -1 }))).code).toBe("BAD_USER_INPUT");
  });

  it("carries what the relay wrote down about the attempt", async () => {
    const requestId = newRequestId();
    await world.db.source.getRepository(RoutingDecision).insert({
      id: requestId,
      startupId: await world.startup(),
      model: "a-model",
      outcome: "FAILED",
      endpointId: null,
      providerIds: [world.providerId],
      candidates: [{ endpointId, refusal: null }],
      attempts: [
        { endpointId: newId(), result: "CONNECT", durationMs: 3 },
        { endpointId, result: "CUT", durationMs: 900 },
      ],
      candidateCount: 1,
      decidedAt: world.clock.now(),
    });
    expect(await submit({ relayToken: aToken({ requestId, attempt: 2 }) })).toMatchObject({
      routingOutcome: "FAILED",
      attemptResult: "CUT",
    });
    expect(await submit({ relayToken: aToken({ requestId, attempt: 1 }) })).toMatchObject({
      routingOutcome: "FAILED",
      attemptResult: null,
    });
  });

  it("comes in its time: not while the request may still be charged, nor after thirty days", async () => {
    expect((await refusal(submit({ relayToken: aToken({ agoMs: 14 * 60_000 }) }))).code).toBe("STATE_CONFLICT");
    await submit({ relayToken: aToken({ agoMs: 15 * 60_000 }) });
    await submit({ relayToken: aToken({ agoMs: 30 * DAY_MS - 2_000 }) });
    expect((await refusal(submit({ relayToken: aToken({ agoMs: 30 * DAY_MS + 2_000 }) }))).code).toBe("STATE_CONFLICT");
  });

  it("is its provider's alone, and an operator's to decide", async () => {
    const { id } = await submit();
    expect((await refusal(submit({}, stranger))).code).toBe("NOT_FOUND");
    const theirs = await anEndpointOf(stranger.organisationId);
    expect((await refusal(submit({ offeringId: theirs[1] }))).code).toBe("NOT_FOUND");
    expect((await refusal(submit({ relayToken: `${aToken()}x` }))).code).toBe("BAD_USER_INPUT");
    expect((await refusal(decide(id, true, provider))).code).toBe("FORBIDDEN");
    expect((await acting(stranger, () => claims.page(stranger, {}))).rows).toEqual([]);
    expect((await acting(operator, () => claims.page(operator, {}, { endpointId }))).rows.length).toBeGreaterThan(0);
  });

  it("moves nothing for a tenant but what its own row says, in PostgreSQL too", async () => {
    const { id } = await submit();
    const query = (text: string, values: unknown[]) => world.db.source.query(text, values);
    const refused = { code: "42501" };
    await acting(stranger, async () => {
      await expect(query("SELECT ledger_suspend_claim($1)", [id])).rejects.toMatchObject(refused);
      await expect(query("SELECT * FROM claim_evidence($1, $2, 1)", [newId(), endpointId])).rejects.toMatchObject(
        refused,
      );
    });
    await acting(provider, async () => {
      await expect(query("SELECT ledger_decide_claim($1, true, 'mine', now())", [id])).rejects.toMatchObject(refused);
      await expect(query("UPDATE provider_claim SET amount_nano_usd = 5", [])).rejects.toMatchObject(refused);
      const again = await moved(() => query("SELECT ledger_suspend_claim($1)", [id]));
      expect(again).toEqual({ suspense: 0n, expense: 0n, payable: 0n });
    });
    const [row] = await query("SELECT to_jsonb(c) AS row FROM provider_claim c WHERE id = $1", [id]);
    const greedy = {
      ...row.row,
      id: newId(),
      request_id: newId(),
      amount_nano_usd: 10_000_000_001,
      claimed_nano_usd: 10_000_000_001,
    };
    const forge = (claim: object) =>
      query("INSERT INTO provider_claim SELECT * FROM jsonb_populate_record(NULL::provider_claim, $1)", [
        JSON.stringify(claim),
      ]);
    await expect(forge(greedy)).rejects.toMatchObject({ code: "23514" });
  });
});

test("usage whose provider claimed too much, or nothing usable, is shown to operators, with who does it most", async () => {
  const flagged = new FlaggedUsage(world.db, world.clock);
  const providerId = await world.provider();
  const startupId = await world.startupWith(100_000_000n);
  const charge = async (usage: ReturnType<typeof reportedUsage>, of = providerId) => {
    const requestId = await world.hold(startupId, 1_000_000n);
    const delivery = { requestId, startupId, heldNanoCredit: 1_000_000n, providerId: of, usage };
    await world.metering.settle(world.delivery(delivery));
    return requestId;
  };
  const inflated = await charge({ ...reportedUsage(100), clamped: true, claimedCompletionTokens: 9_000 });
  const silent = await charge({
    ...reportedUsage(100),
    source: "ESTIMATED",
    claimedPromptTokens: null,
    claimedCompletionTokens: null,
  });
  await charge(reportedUsage(100));
  const ids = async (filter = {}) => {
    const page = await acting(operator, () => flagged.page(operator, {}, { providerId, ...filter }));
    return page.rows.map(({ id }) => id);
  };
  expect(await ids()).toEqual([silent, inflated]);
  expect(await ids({ inflated: true })).toEqual([inflated]);
  expect(await ids({ inflated: false, period: "2026-03" })).toEqual([silent]);
  expect(await ids({ period: "2026-02" })).toEqual([]);
  expect(await acting(operator, () => flagged.counts(operator))).toEqual([
    { providerId, requests: 3n, flagged: 2n, inflated: 1n, excessTokens: 8_900n },
  ]);
  expect((await refusal(flagged.page(provider, {}))).code).toBe("FORBIDDEN");
  expect((await refusal(flagged.counts(provider, "2026-03"))).code).toBe("FORBIDDEN");
});
