/** A receipt proves itself by the key set alone, to the startup what it was charged, to the provider what it earned. */
import { createHash } from "node:crypto";
import { createRemoteJWKSet, decodeJwt, jwtVerify } from "jose";
import { DeliveryReceiptsDocument, UsageReceiptsDocument } from "../../codegen/generated/graphql";
import { UsageRecord } from "../../entities/usage-record";
import { newRequestId } from "../../src/metering/metering";
import { RECEIPT_TYPE } from "../../src/metering/receipts";
import { formatNano } from "../../src/money/nano";
import { openApiOver, type WorldApi } from "../support/api-over-world";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld, type WorldProvider, type WorldStartup } from "../support/relay-world";
import { completion, httpAnswer } from "../support/scripted-provider";

const MODEL = "acme/scripted";
const body = { model: MODEL, messages: [{ role: "user", content: "Tell me about quiet racks." }] };

let world: RelayWorld;
let api: WorldApi;
let startup: WorldStartup;
let provider: WorldProvider;
let record: UsageRecord;

beforeAll(async () => {
  world = await openRelayWorld({ providers: [{ model: MODEL, scripted: true }] });
  api = await openApiOver(world);
  [provider] = world.providers as [WorldProvider];
  provider.scripted.play(({ socket }) => socket.write(httpAnswer("200 OK", completion("They hum."))));
  startup = await world.addStartup();
  const { headers } = await send(world.relay.url, { secret: startup.secret, body }).answer;
  record = await world.db.source.getRepository(UsageRecord).findOneByOrFail({ id: headers["x-request-id"] as string });
});
afterAll(async () => {
  await api.stop();
  await world.stop();
});

const sha256 = (text: string) => createHash("sha256").update(text).digest("base64url");
const receiptOf = (requestId: string, secret = startup.secret) =>
  send(world.relay.url, { method: "GET", path: `/v1/receipts/${requestId}`, secret }).answer;

/** As anybody would who knows where the API is. */
async function proven(jws: string, audience: string) {
  const keys = createRemoteJWKSet(new URL(`${api.url}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await jwtVerify(jws, keys, {
    issuer: "https://exergy.example",
    audience,
    typ: RECEIPT_TYPE,
    algorithms: ["EdDSA"],
  });
  expect(protectedHeader.kid).toBe(world.identity.kid);
  return payload;
}
async function startupsReceipt(): Promise<string> {
  const { usage } = await (await api.as(startup.id)).read(UsageReceiptsDocument, {});
  return usage.nodes[0]!.receipt.jws;
}
async function providersReceipt(): Promise<string> {
  const { deliveries } = await (await api.as(provider.organisationId)).read(DeliveryReceiptsDocument, {});
  return deliveries.nodes[0]!.receipt.jws;
}
const common = () => ({
  sub: record.id,
  model: MODEL,
  outcome: "COMPLETED",
  streamed: false,
  attempts: 1,
  tokens: {
    prompt: record.promptTokens,
    completion: record.completionTokens,
    bounded: record.usageBounded,
  },
  gpu_seconds: formatNano(record.gpuNanos),
  fixing: expect.objectContaining({ id: record.fixingId, accelerator: "H100", usd_per_gpu_hour: "2" }),
  completed_at: record.completedAt.toISOString(),
});

it("tells the startup what it was charged for the bytes that it sent", async () => {
  const { status, text } = await receiptOf(record.id);
  expect(status).toBe(200);
  const answer = JSON.parse(text);
  expect(answer).toMatchObject({ object: "receipt", id: record.id });
  expect(answer.jwks_uri).toBe("https://exergy.example/.well-known/jwks.json");
  const claims = await proven(answer.jws, startup.id);
  expect(claims).toEqual(answer.claims);
  expect(claims).toMatchObject({
    ...common(),
    body_sha256: sha256(JSON.stringify(body)),
    charge: { amount: formatNano(record.chargeNanoCredit), currency: "CRD" },
    rate_card: { id: record.rateCardId, version: 1, negotiated: false, redemption_factor: "1.35" },
  });
});

it("tells the provider what it earned for the bytes that it received, which its relay token names too", async () => {
  const [asked] = provider.scripted.requests;
  const claims = await proven(await providersReceipt(), provider.organisationId);
  const token = /x-exergy-relay-token: (\S+)/i.exec(asked!.head)![1]!;
  expect(claims).toMatchObject({
    ...common(),
    body_sha256: sha256(asked!.body),
    accrual: { amount: formatNano(record.accrualNanoUsd), currency: "USD" },
    rate_card: { id: record.rateCardId, version: 1, negotiated: false, share: "0.85" },
  });
  expect(decodeJwt(token).bsh).toBe(claims.body_sha256);
  // The relay put its own limit and the provider's name of the model in.
  expect(claims.body_sha256).not.toBe(record.requestHash);
});

it("is the same by every way and at every time", async () => {
  const { jws } = JSON.parse((await receiptOf(record.id)).text);
  expect(await startupsReceipt()).toBe(jws);
  expect(await providersReceipt()).toBe(await providersReceipt());
});

it("names neither party to the other, nor what the other's part of the money is", async () => {
  const [toStartup, toProvider] = [await startupsReceipt(), await providersReceipt()].map((jws) =>
    JSON.stringify(decodeJwt(jws)),
  );
  for (const secret of [...provider.canaries, provider.offeringId, formatNano(record.accrualNanoUsd), "accrual"])
    expect(toStartup).not.toContain(secret);
  for (const secret of [startup.id, startup.keyId, "Startup", formatNano(record.chargeNanoCredit), "charge"])
    expect(toProvider).not.toContain(secret);
});

it("proves nothing when one of its characters was changed", async () => {
  const [header, claims, signature] = (await startupsReceipt()).split(".") as [string, string, string];
  const forged = Buffer.from(
    Buffer.from(claims, "base64url").toString().replace('"attempts":1', '"attempts":2'),
  ).toString("base64url");
  expect(forged).not.toBe(claims);
  await expect(proven(`${header}.${forged}.${signature}`, startup.id)).rejects.toThrow();
  await expect(proven(`${header}.${claims}.${signature}`, provider.organisationId)).rejects.toThrow();
});

it("is nobody else's, and there is none of what was not charged", async () => {
  const other = await world.addStartup();
  for (const [id, secret] of [
    [record.id, other.secret],
    [newRequestId(), startup.secret],
    ["nonsense", startup.secret],
  ] as const) {
    const { status, text } = await receiptOf(id, secret);
    expect({ status, code: JSON.parse(text).error.code }).toEqual({ status: 404, code: "not_found" });
  }
  expect((await receiptOf(record.id, "exg_none")).status).toBe(401);
  const { usage } = await (await api.as(other.id)).read(UsageReceiptsDocument, {});
  expect(usage.nodes).toEqual([]);
});

it("hides from a startup which terms a provider negotiated", async () => {
  await world.rows("ALTER TABLE rate_card DISABLE TRIGGER USER");
  await world.rows("UPDATE rate_card SET provider_id = $1 WHERE id = $2", [provider.organisationId, record.rateCardId]);
  expect(decodeJwt(await startupsReceipt()).rate_card).toEqual({ negotiated: true, redemption_factor: "1.35" });
  expect(decodeJwt(await providersReceipt()).rate_card).toMatchObject({ id: record.rateCardId, negotiated: true });
  await world.rows("UPDATE rate_card SET provider_id = NULL WHERE id = $1", [record.rateCardId]);
  await world.rows("ALTER TABLE rate_card ENABLE TRIGGER USER");
});
