/** A billing month over the API: closed by the operator, read, disputed, corrected and approved by its provider, who learns no client's name. */
import {
  DisputeResolveDocument,
  PeriodCloseDocument,
  StatementApproveDocument,
  StatementChangesDocument,
  StatementCsvDocument,
  StatementDisputeDocument,
  StatementLinesDocument,
  StatementReplayDocument,
  StatementsDocument,
} from "../../codegen/generated/graphql";
import { Fixing } from "../../entities/fixing";
import { encodeId } from "../../schema/node";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { openApi, type Party, type TestApi, uuidOf } from "../api/an-api";
import { aUsage } from "../api/records";
import { following } from "../support/follow";

const PERIOD = "2026-09";

let api: TestApi;
let provider: Party;
let startup: Party;

beforeAll(async () => {
  api = await openApi();
  [provider, startup] = [await api.a("PROVIDER", "North GPU"), await api.a("STARTUP", "Zq Firefly Labs")];
  await earned(NANO);
});
afterAll(() => api?.close());

const once = () => ({ idempotencyKey: newId() });
const linesOf = async (id: string) => {
  const { node } = await provider.read(StatementLinesDocument, { id });
  if (!node || !("lines" in node)) throw new Error("no statement");
  return node;
};

test("a month goes from its close to what is owed, each change of it told, and comes to the same when it is worked out again", async () => {
  const connection = following(api.url, provider.secret);
  const told = connection.follow(StatementChangesDocument, {});
  const next = async () => {
    await api.services.outbox.publish();
    return told.next();
  };
  try {
    expect((await next()).statementChanges).toMatchObject({ serverTime: expect.any(String) });
    const close = { input: { period: PERIOD }, ...once() };
    const { periodClose } = await api.operator.read(PeriodCloseDocument, close);
    expect(periodClose).toMatchObject({ accountingPeriod: { period: PERIOD }, userErrors: [] });
    const { nodes } = (await provider.read(StatementsDocument, {})).statements;
    const id = nodes[0]!.id;
    expect(nodes).toMatchObject([
      { period: PERIOD, state: "IN_REVIEW", total: { amount: "0.85" }, dueAt: "2026-10-31T00:00:00.000Z" },
    ]);
    // One event when it was drafted, one when its review began: both show it as it is now.
    for (const _ of [1, 2]) expect((await next()).statementChanges).toMatchObject({ node: { id, state: "IN_REVIEW" } });

    const [line] = (await linesOf(id)).lines.nodes;
    expect(line).toMatchObject({
      kind: "ACCRUAL",
      segment: "SEED",
      workload: "INFERENCE",
      share: "0.85",
      requests: 1,
      gpuSeconds: "3600",
    });
    const objection = { input: { lineId: line!.id, reason: "Two hours were delivered." } };
    const { dispute } = (await provider.read(StatementDisputeDocument, objection)).statementDispute;
    const approval = { input: { id } };
    const early = await provider.read(StatementApproveDocument, { ...approval, ...once() });
    expect(early.statementApprove.userErrors).toMatchObject([{ code: "STATE_CONFLICT" }]);
    const answer = { id: dispute!.id, outcome: "UPHELD" as const, answer: "They were.", credit: "0.85" };
    const { disputeResolve } = await api.operator.read(DisputeResolveDocument, { input: answer, ...once() });
    expect(disputeResolve.dispute).toMatchObject({ statement: { state: "IN_REVIEW", total: { amount: "1.7" } } });
    const { statementApprove } = await provider.read(StatementApproveDocument, { ...approval, ...once() });
    expect(statementApprove.statement).toMatchObject({ state: "FINAL", total: { amount: "1.7" } });
    let last = await next();
    while (
      (last.statementChanges as { node?: { version: number } }).node?.version !== statementApprove.statement!.version
    )
      last = await next();

    const { statementReplay } = await provider.read(StatementReplayDocument, { statementId: id });
    expect(statementReplay).toMatchObject({ matches: true, requests: 1, replayed: { amount: "1.7" }, differences: [] });
    const { node } = await provider.read(StatementCsvDocument, { id });
    const shown = JSON.stringify([await linesOf(id), node, statementReplay]);
    expect(shown).toContain("TOTAL");
    for (const hidden of [startup.id, startup.uuid, "Firefly"]) expect(shown).not.toContain(hidden);
  } finally {
    await connection.close();
  }
});

/** As settlement leaves it: one request of one GPU-hour at a dollar, and its accrual on the month's payable. */
async function earned(priceNanoUsd: bigint): Promise<void> {
  const fixing = {
    id: newId(),
    accelerator: "H100",
    region: "eu-north",
    hour: new Date(`${PERIOD}-15T12:00:00Z`),
    priceNanoUsd,
  };
  await api.db.source.getRepository(Fixing).insert({ ...fixing, flags: [], components: [], createdAt: fixing.hour });
  const accrualNanoUsd = (priceNanoUsd * 85n) / 100n;
  const served = { startup: startup.id, provider: provider.id, endpoint: encodeId("Endpoint", newId()) };
  const usage = { period: PERIOD, gpuNanos: 3_600n * NANO, accrualNanoUsd, segment: "SEED" as const };
  const id = await aUsage(api, { ...served, fixing: encodeId("Fixing", fixing.id) }, usage);
  const [providerId, { ledger }] = [uuidOf(provider.id), api.services];
  const name = `payable:${providerId}:${PERIOD}`;
  await transaction(api.db, async (tx) => {
    await ledger.openAccount(tx, {
      name,
      ledger: "USD",
      kind: "PROVIDER_PAYABLE",
      organisationId: providerId,
      period: PERIOD,
      limited: true,
    });
    const posting = {
      id: newId(),
      code: "ACCRUAL" as const,
      debit: "revenue:spread",
      credit: name,
      amountNano: accrualNanoUsd,
    };
    await ledger.post(tx, { groupId: id, bookedAt: fixing.hour, postings: [posting] });
  });
}
