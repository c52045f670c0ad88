/** Blocks over the public graph: the act, what it answers and refuses, and the stream that tells of it. */
import {
  BlockAssignDocument,
  BlockChangesDocument,
  type BlockChangesSubscription,
  BlocksDocument,
  CreditBalanceDocument,
  CreditBlockDocument,
  CreditUnblockDocument,
  DrawdownCreateDocument,
  SpotPricesRecordDocument,
} from "../../codegen/generated/graphql";
import { newId } from "../../src/platform/ids";
import { openApi, opened, type Party, type TestApi } from "../api/an-api";
import { following } from "../support/follow";

let api: TestApi;
let partner: Party;
let rival: Party;
let startup: Party;
let facilityId: string;

beforeAll(async () => {
  api = await openApi();
  [partner, rival, startup] = [
    await api.a("CAPITAL_PARTNER", "Meadow"),
    await api.a("CAPITAL_PARTNER", "Granite"),
    await api.a("STARTUP", "Firefly"),
  ];
  const seen = { accelerator: "H100", region: "eu-north", source: "desk", price: "2.5", confidence: "0.9" };
  const input = { observations: [{ ...seen, observedAt: new Date().toISOString() }] };
  await api.operator.read(SpotPricesRecordDocument, { input });
  facilityId = await opened(partner, "1000");
  const drawn = await partner.read(DrawdownCreateDocument, {
    input: { facilityId, startupId: startup.id, amount: "100" },
    idempotencyKey: newId(),
  });
  expect(drawn.drawdownCreate.userErrors).toEqual([]);
});
afterAll(() => api.close());

const block = (by: Party, more: object = {}, idempotencyKey = newId()) =>
  by.read(CreditBlockDocument, {
    input: { target: { startupId: startup.id }, reason: "DEFAULT", ...more } as never,
    idempotencyKey,
  });
const balance = async () => (await startup.read(CreditBalanceDocument, {})).creditBalance;

test("a lender blocks a wallet, lifts that, blocks it again and takes it over, and its stream tells of each", async () => {
  const connection = following(api.url, partner.secret);
  const stream = connection.follow(BlockChangesDocument, {});
  const told = async () => {
    await api.services.outbox.publish();
    return (await stream.next()).blockChanges as BlockChangesSubscription["blockChanges"];
  };
  expect(await told()).toMatchObject({ __typename: "StreamCheckpoint" });

  const key = newId();
  const { creditBlock } = await block(partner, { explanation: "no instalment since May" }, key);
  expect(creditBlock).toMatchObject({
    userErrors: [],
    block: {
      scope: "WALLET",
      state: "ACTIVE",
      amount: null,
      byOperator: false,
      explanation: "no instalment since May",
      figures: { lots: 1, blocked: { amount: "135", currency: "CRD" } },
    },
  });
  const id = creditBlock.block!.id;
  expect((await block(partner, { explanation: "no instalment since May" }, key)).creditBlock.block?.id).toBe(id);
  expect(await balance()).toMatchObject({ available: { amount: "0" } });
  // Placed, and in effect: by the time that either is read the block is what it is now.
  for (const _ of ["placed", "in effect"]) {
    expect(await told()).toMatchObject({ __typename: "BlockEvent", change: "CHANGED", node: { id, state: "ACTIVE" } });
  }

  const lifted = await partner.read(CreditUnblockDocument, { input: { id }, idempotencyKey: newId() });
  expect(lifted.creditUnblock).toMatchObject({ userErrors: [], block: { id, state: "LIFTED" } });
  expect(await told()).toMatchObject({ node: { id, state: "LIFTED" } });
  expect(await balance()).toMatchObject({ available: { amount: "135" } });
  const late = await partner.read(CreditUnblockDocument, { input: { id }, idempotencyKey: newId() });
  expect(late.creditUnblock.userErrors).toMatchObject([{ code: "STATE_CONFLICT" }]);

  const again = (await block(partner)).creditBlock.block!.id;
  const assigned = await partner.read(BlockAssignDocument, { input: { id: again }, idempotencyKey: newId() });
  expect(assigned.blockAssign).toMatchObject({
    userErrors: [],
    block: { state: "ASSIGNED", figures: { assigned: { amount: "135" }, assignedBacking: { amount: "100" } } },
  });
  const { blocks } = await partner.read(BlocksDocument, { filter: { startupId: startup.id } });
  expect(blocks.nodes.map((node) => [node.id, node.state])).toEqual([
    [again, "ASSIGNED"],
    [id, "LIFTED"],
  ]);
  expect(blocks.nodes[0]).toMatchObject({ startup: { name: "Firefly" }, facility: null, creditLot: null });
  await connection.close();
});

test("what is refused is said as data, with the field and the figures", async () => {
  const drawn = await partner.read(DrawdownCreateDocument, {
    input: { facilityId, startupId: startup.id, amount: "10" },
    idempotencyKey: newId(),
  });
  expect(drawn.drawdownCreate.userErrors).toEqual([]);
  const errorsOf = async (by: Party, more: object) => (await block(by, more)).creditBlock.userErrors;
  expect(await errorsOf(rival, {})).toMatchObject([{ code: "NOT_FOUND", field: ["input", "target"] }]);
  expect(await errorsOf(partner, { amount: "13.500000001" })).toMatchObject([
    {
      code: "BLOCK_EXCEEDS_AVAILABLE",
      field: ["input", "amount"],
      message: expect.stringMatching(/^13\.500000001 credits .* 13\.5 are free/),
    },
  ]);
  expect(await errorsOf(partner, { amount: "-1" })).toMatchObject([{ code: "BAD_USER_INPUT" }]);
  expect(await errorsOf(partner, { reason: "OTHER" })).toMatchObject([{ field: ["input", "explanation"] }]);
  expect(await errorsOf(partner, { evidenceUrl: "http://evidence.example/1" })).toMatchObject([
    { code: "BAD_USER_INPUT", field: ["input", "evidenceUrl"] },
  ]);
  const { errors } = await startup.text(
    `mutation { creditBlock(input: { target: { startupId: "${startup.id}" }, reason: DISPUTE }) @idempotent(key: "k") { block { id } } }`,
  );
  expect(errors?.[0]?.extensions.code).toBe("FORBIDDEN");
  const keyless = await partner.text(
    `mutation { creditBlock(input: { target: { startupId: "${startup.id}" }, reason: DISPUTE }) { userErrors { code } } }`,
  );
  expect(keyless.data).toEqual({ creditBlock: { userErrors: [{ code: "IDEMPOTENCY_KEY_REQUIRED" }] } });
});
