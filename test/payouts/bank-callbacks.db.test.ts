/** What a bank says by itself, on PostgreSQL: signed, once each, in any order, and the ledger moves once for it. */
import { createHmac, randomUUID } from "node:crypto";
import fc from "fast-check";
import type { Viewer } from "../../src/accounts/viewer";
import type { SignedMessage } from "../../src/payouts/webhook-signature";
import { refusal } from "../accounts/a-world";
import { CALLBACK_SECRET, openPayoutWorld, type PayoutWorld } from "./a-payout-world";
import { RailInMemory } from "./a-rail";

const USD = 1_000_000_000n;
const AMOUNT = 12n * USD;

let world: PayoutWorld;
let rail: RailInMemory;
let provider: Viewer;

interface Said {
  readonly state: string;
  readonly code?: string;
  readonly id?: string;
}

function message(
  key: string,
  { state, code, id = `msg_${randomUUID()}` }: Said,
  change: Partial<Signing> = {},
): SignedMessage {
  const body = Buffer.from(
    JSON.stringify({ type: "payment.updated", data: { key, state, code, reason: code && "why" } }),
  );
  return signed({ id, body, secret: CALLBACK_SECRET, atMs: world.clock.nowMs(), ...change });
}

interface Signing {
  readonly id: string;
  readonly body: Buffer;
  readonly secret: string;
  readonly atMs: number;
}

function signed({ id, body, secret, atMs }: Signing): SignedMessage {
  const timestamp = `${Math.floor(atMs / 1_000)}`;
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  return {
    headers: { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` },
    body,
  };
}

const receive = (said: SignedMessage) => world.payouts.callbacks.receive(said);
/** A payment on its way, by its key. */
async function submitted(): Promise<string> {
  const statement = await world.statement(provider, aPeriod(), AMOUNT);
  await world.payouts.runDue();
  return `${statement}-1`;
}
let months = 0;
const aPeriod = () => `20${50 + Math.floor(months / 12)}-${(1 + (months++ % 12)).toString().padStart(2, "0")}`;
const standingOf = async (key: string) => {
  const [row] = await world.db.source.query(
    "SELECT p.state, a.return_code, a.settled_at IS NOT NULL AS was_settled FROM payout p JOIN payout_attempt a ON a.payout_id = p.id WHERE a.key = $1",
    [key],
  );
  return { ...row, owed: await world.balance(`statement:${key.slice(0, -2)}`) };
};

beforeAll(async () => {
  rail = new RailInMemory();
  world = await openPayoutWorld(rail);
  provider = await world.provider();
  world.clock.moveTo("2099-01-01T00:00:00Z");
});
afterAll(() => world.close());

test("a callback moves the payment, and the ledger with it", async () => {
  const before = await world.totals();
  const key = await submitted();
  expect(await receive(message(key, { state: "IN_TRANSIT" }))).toBe("APPLIED");
  expect((await standingOf(key)).state).toBe("IN_TRANSIT");
  expect(await receive(message(key, { state: "SETTLED" }))).toBe("APPLIED");
  const after = await world.totals();
  expect([after.paid - before.paid, after.inTransit - before.inTransit]).toEqual([AMOUNT, 0n]);
});

test("copies of a message, ten at once, count once", async () => {
  const key = await submitted();
  const before = await world.totals();
  const copy = message(key, { state: "RETURNED", code: "AC04" });
  const answers = await Promise.all(Array.from({ length: 10 }, () => receive(copy)));
  expect(answers.filter((answer) => answer === "APPLIED")).toHaveLength(1);
  expect(answers.filter((answer) => answer === "DUPLICATE")).toHaveLength(9);
  expect((await world.totals()).owed - before.owed).toBe(AMOUNT);
  expect(await standingOf(key)).toEqual({ state: "RETURNED", return_code: "AC04", was_settled: false, owed: AMOUNT });
});

test("in whatever order and however often words come, the payment and the books end the same", async () => {
  const words = ["IN_TRANSIT", "SETTLED", "RETURNED"] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (said, atOnce) => {
        const key = await submitted();
        const before = await world.totals();
        const messages = said.map((state) => message(key, { state, code: "AC06" }));
        if (atOnce) await Promise.all(messages.map(receive));
        else for (const one of messages) await receive(one);
        const last = words.findLast((word) => said.includes(word))!;
        const after = await world.totals();
        const standing = await standingOf(key);
        expect(standing.state).toBe(last);
        expect(standing.owed).toBe(last === "RETURNED" ? AMOUNT : 0n);
        expect(after.inTransit - before.inTransit).toBe(last === "IN_TRANSIT" ? 0n : -AMOUNT);
        expect(after.paid - before.paid).toBe(last === "SETTLED" ? AMOUNT : 0n);
      },
    ),
    { numRuns: 40 },
  );
});

test("a payment that was settled can still come back, with the dollars", async () => {
  const key = await submitted();
  await receive(message(key, { state: "SETTLED" }));
  expect(await receive(message(key, { state: "RETURNED", code: "AC04" }))).toBe("APPLIED");
  expect(await standingOf(key)).toEqual({ state: "RETURNED", return_code: "AC04", was_settled: true, owed: AMOUNT });
});

test("what the bank forgot to say is found out by asking", async () => {
  const key = await submitted();
  rail.states.set(key, { state: "RETURNED", code: "AC01", reason: "no such account" });
  await world.payouts.runDue();
  expect((await standingOf(key)).return_code).toBe("AC01");
  expect(await receive(message(key, { state: "RETURNED", code: "AC01" }))).toBe("STALE");
});

test("a payment that is not ours is kept and changes nothing; what says nothing new neither", async () => {
  expect(await receive(message("nobody-1", { state: "SETTLED" }))).toBe("UNKNOWN_PAYMENT");
  const key = await submitted();
  expect(await receive(message(key, { state: "ACCEPTED" }))).toBe("STALE");
  expect((await standingOf(key)).state).toBe("SUBMITTED");
});

describe("a forged callback is refused and leaves nothing:", () => {
  const forged: Readonly<Record<string, (good: SignedMessage) => SignedMessage>> = {
    "no signature": (good) => header(good, "webhook-signature", undefined),
    "no id": (good) => header(good, "webhook-id", undefined),
    "no timestamp": (good) => header(good, "webhook-timestamp", undefined),
    "two ids": (good) => header(good, "webhook-id", ["a", "b"]),
    "an empty id": (good) => header(good, "webhook-id", ""),
    "an id of 257 characters": (good) => header(good, "webhook-id", "x".repeat(257)),
    "another id": (good) => header(good, "webhook-id", `msg_${randomUUID()}`),
    "another timestamp": (good) =>
      header(good, "webhook-timestamp", `${Number(good.headers["webhook-timestamp"]) + 1}`),
    "a timestamp in words": (good) => header(good, "webhook-timestamp", "now"),
    "a body changed by one letter": (good) => ({
      ...good,
      body: Buffer.from(`${good.body}`.replace("SETTLED", "SETTLEd")),
    }),
    "a body with a space more": (good) => ({ ...good, body: Buffer.concat([good.body, Buffer.from(" ")]) }),
    "another secret": (good) => resigned(good, { secret: `whsec_${Buffer.alloc(32, 7).toString("base64")}` }),
    "six minutes old": (good) => resigned(good, { atMs: world.clock.nowMs() - 301_000 }),
    "six minutes ahead": (good) => resigned(good, { atMs: world.clock.nowMs() + 302_000 }),
    "the signature of another version": (good) =>
      header(good, "webhook-signature", `${good.headers["webhook-signature"]}`.replace("v1,", "v1a,")),
    "half a signature": (good) =>
      header(good, "webhook-signature", `${good.headers["webhook-signature"]}`.slice(0, 20)),
    "an empty signature": (good) => header(good, "webhook-signature", "v1,"),
    "a signature in hexadecimal": (good) =>
      header(
        good,
        "webhook-signature",
        `v1,${Buffer.from(`${good.headers["webhook-signature"]}`.slice(3), "base64").toString("hex")}`,
      ),
  };
  const header = (good: SignedMessage, name: string, value: string | string[] | undefined): SignedMessage => ({
    ...good,
    headers: { ...good.headers, [name]: value },
  });
  const resigned = (good: SignedMessage, change: Partial<Signing>): SignedMessage =>
    signed({
      id: `${good.headers["webhook-id"]}`,
      body: good.body,
      secret: CALLBACK_SECRET,
      atMs: world.clock.nowMs(),
      ...change,
    });
  let key: string;
  beforeAll(async () => {
    key = await submitted();
  });

  test.each(Object.keys(forged))("%s", async (name) => {
    const good = message(key, { state: "SETTLED" });
    expect(await refusal(receive(forged[name]!(good)))).toBe("UNAUTHENTICATED");
    expect((await standingOf(key)).state).toBe("SUBMITTED");
    const kept = await world.db.source.query("SELECT id FROM bank_callback WHERE key = $1", [key]);
    expect(kept).toEqual([]);
  });

  test("while the same message as the bank signed it is taken, also beside another signature, also five minutes late", async () => {
    const good = message(key, { state: "IN_TRANSIT" }, { atMs: world.clock.nowMs() - 299_000 });
    const beside = header(good, "webhook-signature", `v1,AAAA v1a,x ${good.headers["webhook-signature"]}`);
    expect(await receive(beside)).toBe("APPLIED");
  });
});

test("a signed message that is none about a payment is refused", async () => {
  for (const text of [
    "",
    "[]",
    '{"type":"other"}',
    '{"type":"payment.updated","data":{"key":"k","state":"PAID"}}',
    "\u0000",
  ]) {
    const good = signed({
      id: `msg_${randomUUID()}`,
      body: Buffer.from(text),
      secret: CALLBACK_SECRET,
      atMs: world.clock.nowMs(),
    });
    expect(await refusal(receive(good))).toBe("MALFORMED_BODY");
  }
});

test("while a secret is exchanged both count, and without any there is no such route", async () => {
  const second = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
  const both = world.another(rail, { PAYOUT_CALLBACK_SECRET: `${CALLBACK_SECRET},${second}` });
  const key = await submitted();
  expect(await both.callbacks.receive(message(key, { state: "IN_TRANSIT" }))).toBe("APPLIED");
  expect(await both.callbacks.receive(message(key, { state: "SETTLED" }, { secret: second }))).toBe("APPLIED");
  const none = world.another(null, { PAYOUT_CALLBACK_SECRET: "" });
  expect(await refusal(none.callbacks.receive(message(key, { state: "SETTLED" })))).toBe("NOT_FOUND");
});
