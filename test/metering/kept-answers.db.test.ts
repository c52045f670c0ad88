/** One answer per idempotency key: whoever dies on the way leaves the key to the next, unless it was charged. */
import { randomBytes } from "node:crypto";
import {
  KEPT_BYTES_MAX,
  KEPT_FOR_MS,
  KeptAnswers,
  type KeyClaim,
  SILENT_AFTER_MS,
  type WholeAnswer,
} from "../../src/metering/kept-answers";
import { newRequestId } from "../../src/metering/metering";
import { newId } from "../../src/platform/ids";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { Lessee } from "./lessee";

const PRICE = 937_500n;
const answer: WholeAnswer = {
  status: 200,
  headers: { "content-type": "application/json", "x-request-id": "r" },
  body: Buffer.from('{"choices":[{"message":{"content":"Quiet racks hum."}}]}'),
};

let database: TestDatabase;
let world: MoneyWorld;
let lessee: Lessee;
let kept: KeptAnswers;
let startupId: string;
let key: string;
let keys = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
});
beforeEach(async () => {
  lessee = new Lessee(world);
  kept = aProcess();
  startupId = await world.startupWith(1_000n * PRICE);
  keys += 1;
  key = `key-${keys}`;
});
afterEach(() => lessee.metering.drain());
afterAll(async () => {
  await world?.close();
  await database?.drop();
});

const answerKey = randomBytes(32);
function aProcess(): KeptAnswers {
  return new KeptAnswers({
    db: world.db,
    clock: world.clock,
    key: answerKey,
    release: (requestId, organisationId) => lessee.metering.release(requestId, organisationId),
  });
}
const aClaim = (more: Partial<KeyClaim> = {}): KeyClaim => ({
  organisationId: startupId,
  key,
  requestId: newRequestId(),
  fingerprint: "route and body",
  ...more,
});
const inFlight = { code: "REQUEST_IN_FLIGHT" };
const silence = () => world.clock.advanceMs(SILENT_AFTER_MS);

/** Claims, and sets credit aside: from a lease, or in the ledger. */
async function begun(from: "lease" | "ledger") {
  if (from === "lease") await lessee.borrow(startupId, PRICE);
  const purpose = from === "lease" ? undefined : null;
  const requestId = newRequestId();
  const rateCardId = world.quote.card.id;
  const authorisation = {
    requestId,
    startupId,
    apiKeyId: newId(),
    amountNanoCredit: PRICE,
    rateCardId,
    ttlMs: 600_000,
  };
  const held =
    purpose === null
      ? {
          requestId,
          startupId,
          heldNanoCredit: PRICE,
          ...(await lessee.metering.authorise({ ...authorisation, purpose })),
        }
      : await lessee.hold(startupId, PRICE);
  expect(held.leaseId === null).toBe(from === "ledger");
  const claim = aClaim({ requestId: held.requestId });
  expect(await kept.claim(claim)).toBeNull();
  return { claim, held };
}

describe.each(["lease", "ledger"] as const)("a request whose credit comes from the %s", (from) => {
  it("is answered again, from what was stored, once it is charged", async () => {
    const { claim, held } = await begun(from);
    await kept.store(claim, answer, held.leaseId);
    await expect(kept.claim(aClaim())).rejects.toMatchObject(inFlight);
    const { chargedNanoCredit } = await lessee.settle(held);
    expect(await aProcess().claim(aClaim())).toEqual({
      requestId: claim.requestId,
      chargeNanoCredit: chargedNanoCredit,
      answer,
    });
  });

  it("keeps its key when it was stored and charged, however long its process is silent", async () => {
    const { claim, held } = await begun(from);
    await kept.store(claim, answer, held.leaseId);
    await lessee.settle(held);
    world.clock.advanceMs(KEPT_FOR_MS - 1);
    expect(await aProcess().claim(aClaim())).toMatchObject({ requestId: claim.requestId });
  });

  it("loses its key when its process died before it stored anything, and can then not settle", async () => {
    const { claim, held } = await begun(from);
    await expect(aProcess().claim(aClaim())).rejects.toMatchObject(inFlight);
    silence();
    expect(await aProcess().claim(aClaim())).toBeNull();
    await expect(kept.store(claim, answer, held.leaseId)).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
    await lessee.release(held);
  });

  it("says with an answer that is too large which request it was and what it cost", async () => {
    const { claim, held } = await begun(from);
    await kept.store(claim, { ...answer, body: Buffer.alloc(KEPT_BYTES_MAX) }, held.leaseId);
    const { chargedNanoCredit } = await lessee.settle(held);
    await expect(kept.claim(aClaim())).rejects.toMatchObject({
      code: "ANSWER_NOT_KEPT",
      details: { requestId: claim.requestId, costNanoCredit: chargedNanoCredit },
    });
  });
});

it("a process that died between storing and settling keeps its key until its lease is swept, and no longer", async () => {
  const { claim, held } = await begun("lease");
  await kept.store(claim, answer, held.leaseId);
  silence();
  await expect(aProcess().claim(aClaim())).rejects.toMatchObject(inFlight);
  await world.db.source.query("UPDATE lease SET expires_at = clock_timestamp() - interval '1 s' WHERE id = $1", [
    held.leaseId,
  ]);
  await lessee.recall.sweep();
  expect(await aProcess().claim(aClaim())).toBeNull();
  await expect(lessee.settle(held)).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
});

it("a process that died between storing and settling loses its hold in the ledger to whoever wants its key", async () => {
  const { claim, held } = await begun("ledger");
  await kept.store(claim, answer, null);
  silence();
  expect(await aProcess().claim(aClaim())).toBeNull();
  await expect(lessee.settle(held)).rejects.toMatchObject({ code: "SETTLEMENT_REFUSED" });
});

it("a process that says that it lives keeps its key", async () => {
  const { claim, held } = await begun("ledger");
  silence();
  await kept.renew();
  await expect(aProcess().claim(aClaim())).rejects.toMatchObject(inFlight);
  kept.ended(claim);
  silence();
  await kept.renew();
  expect(await aProcess().claim(aClaim())).toBeNull();
  await lessee.release(held);
});

it("a request that cost nothing leaves its key to the next at once; one that was charged keeps it", async () => {
  const { claim, held } = await begun("ledger");
  await kept.forgo(claim);
  const again = aClaim({ requestId: held.requestId });
  expect(await kept.claim(again)).toBeNull();
  await kept.store(again, answer, null);
  await lessee.settle(held);
  await kept.forgo(again);
  expect(await kept.claim(aClaim())).toMatchObject({ requestId: held.requestId });
});

it("the same key with another request is refused, in flight and afterwards; another organisation's is another key", async () => {
  const { claim, held } = await begun("ledger");
  const other = { fingerprint: "another body" };
  const reused = { code: "IDEMPOTENCY_KEY_REUSED" };
  await expect(kept.claim(aClaim(other))).rejects.toMatchObject(reused);
  await kept.store(claim, answer, null);
  await lessee.settle(held);
  await expect(kept.claim(aClaim(other))).rejects.toMatchObject(reused);
  const stranger = aClaim({ organisationId: await world.startupWith(PRICE) });
  expect(await kept.claim(stranger)).toBeNull();
});

it("after a day the key is free, also for another request, and what was kept is forgotten", async () => {
  const { claim, held } = await begun("ledger");
  await kept.store(claim, answer, null);
  await lessee.settle(held);
  world.clock.advanceMs(KEPT_FOR_MS);
  expect(await kept.claim(aClaim({ fingerprint: "another body" }))).toBeNull();
  world.clock.advanceMs(KEPT_FOR_MS);
  expect(await kept.forget()).toBeGreaterThanOrEqual(1);
  expect(await world.db.source.query("SELECT key FROM kept_answer")).toEqual([]);
});

it("of fifty that want a key at once one gets it", async () => {
  const claims = await Promise.allSettled(Array.from({ length: 50 }, () => aProcess().claim(aClaim())));
  expect(claims.filter(({ status }) => status === "fulfilled")).toEqual([{ status: "fulfilled", value: null }]);
});

it("nothing of an answer can be read in the table, nor opened under another key", async () => {
  const { claim, held } = await begun("ledger");
  await kept.store(claim, answer, null);
  await lessee.settle(held);
  const [{ sealed }] = await world.db.source.query("SELECT sealed FROM kept_answer WHERE key = $1", [key]);
  expect(sealed.includes("Quiet")).toBe(false);
  await world.db.source.query("UPDATE kept_answer SET key = $2 WHERE key = $1", [key, `${key}-moved`]);
  await expect(kept.claim(aClaim({ key: `${key}-moved` }))).rejects.toThrow();
});
