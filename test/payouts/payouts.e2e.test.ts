/** A payout from the public API to a bank on a real socket and back: paid, returned, repaired and paid again; nobody else's word counts. */

import {
  PayoutAccountConfirmDocument,
  PayoutAccountProposeDocument,
  PayoutAccountsDocument,
  PayoutChangesDocument,
  PayoutExportDocument,
  PayoutReissueDocument,
  PayoutRunDocument,
  PayoutsDocument,
} from "../../codegen/generated/graphql";
import { signedMessage } from "../../examples/simulated-bank/callbacks";
import { type SimulatedBank, startSimulatedBank } from "../../examples/simulated-bank/server";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { openApi, type Party, type TestApi } from "../api/an-api";
import { Example } from "../examples/an-example";
import { aStatement } from "../statements/planted";
import { apiClient } from "../support/api-client";
import { type Following, following } from "../support/follow";
import { until } from "../support/leftovers";
import { anIban, CALLBACK_SECRET } from "./a-payout-world";

const CENT = 10_000_000n;
const callbacks = { url: "", secret: CALLBACK_SECRET, copies: 3, shuffle: true };

let bank: SimulatedBank;
let api: TestApi;
let provider: Party;
let connection: Following;

beforeAll(async () => {
  bank = await startSimulatedBank({ rules: { return: { "0002": "AC04" } }, callbacks });
  api = await openApi({
    PAYOUT_RAIL: "simulated-bank",
    PAYOUT_BANK_URL: bank.url,
    PAYOUT_CALLBACK_SECRET: CALLBACK_SECRET,
    PAYOUT_COOLING_HOURS: "0",
  });
  callbacks.url = `${api.url}/webhooks/bank`;
  provider = await api.a("PROVIDER", "Nordic GPU");
  connection = following(api.url, provider.secret);
});
afterAll(async () => {
  await connection?.close();
  await bank?.close();
  await api?.close();
});

async function owed(period: string, totalNanoUsd: bigint): Promise<void> {
  const finalised = { state: "FINAL" as const, finalisedAt: new Date(), totalNanoUsd };
  const { id } = await aStatement(api.db, provider.uuid, { period, ...finalised });
  const { ledger } = api.services;
  await transaction(api.db, async (tx) => {
    const name = `statement:${id}`;
    const account = { ledger: "USD" as const, kind: "STATEMENT_PAYABLE" as const, organisationId: provider.uuid };
    await ledger.openAccount(tx, { name, ...account, limited: true });
    const posting = { id: newId(), code: "STATEMENT" as const, debit: "expense:claims", credit: name };
    await ledger.post(tx, { groupId: id, bookedAt: new Date(), postings: [{ ...posting, amountNano: totalNanoUsd }] });
  });
}

async function account(ibanEnd: string): Promise<string> {
  const input = { holder: "Nordic GPU AS", iban: anIban(ibanEnd), bic: "COBADEFFXXX", country: "DE" };
  const { payoutAccountPropose } = await provider.read(PayoutAccountProposeDocument, { input });
  return payoutAccountPropose.payoutAccount!.id;
}

/** A second key of the provider, older than any proposal. */
async function secondKey(): Promise<Party> {
  const { data } = await provider.text(
    `mutation { apiKeyCreate(input: { name: "second", scopes: [READ, WRITE, ADMIN] }) { secret } }`,
  );
  const { secret } = data!.apiKeyCreate as { secret: string };
  return { ...provider, ...apiClient(api.url, secret), secret };
}

const run = () => api.operator.read(PayoutRunDocument, { input: { note: "month end" }, idempotencyKey: newId() });

/** Every change that the provider's stream tells until one of them comes. */
function changes() {
  const follower = connection.follow(PayoutChangesDocument, {});
  const told: string[] = [];
  const listen = (async () => {
    for (;;) {
      const { payoutChanges: message } = await follower.next();
      if (message.__typename === "PayoutEvent") told.push(message.change);
      else told.push(message.__typename!);
    }
  })();
  listen.catch(() => undefined);
  return {
    told,
    upTo: (change: string) =>
      until(change, async () => {
        await api.services.outbox.publish();
        return told.at(-1) === change;
      }),
    stop: () => follower.stop(),
  };
}

test("a provider is paid what a statement says, in cents, although the bank says everything thrice and in the wrong order", async () => {
  const id = await account("0000000001");
  const { payoutAccountConfirm } = await api.operator.read(PayoutAccountConfirmDocument, { input: { id } });
  expect(payoutAccountConfirm.payoutAccount).toMatchObject({ state: "ACTIVE", maskedIban: "DE•• •••• 0001" });
  await owed("2025-01", 1_234n * CENT + 7n);
  const stream = changes();
  await stream.upTo("StreamCheckpoint");
  const { payoutRun } = await run();
  expect(payoutRun).toEqual({ run: { submitted: 1, amount: { amount: "12.34", currency: "USD" } }, userErrors: [] });
  await stream.upTo("SETTLED");
  expect(stream.told).toEqual(["StreamCheckpoint", "SCHEDULED", "SUBMITTED", "SETTLED"]);
  stream.stop();
  expect(bank.payments()).toMatchObject([{ order: { amount: "12.34", creditor: { iban: anIban("0000000001") } } }]);
  const { payouts } = await provider.read(PayoutsDocument, {});
  expect(payouts.nodes).toMatchObject([
    {
      state: "SETTLED",
      leftOver: { amount: "0.000000007" },
      heldFor: [],
      statement: { period: "2025-01", total: { amount: "12.340000007" } },
      attempts: [{ number: 1, state: "SETTLED", rail: "SIMULATED_BANK", reference: "SIM-000001" }],
    },
  ]);
});

test("what comes back is owed again, repaired by two people and paid", async () => {
  const second = await secondKey();
  const closed = await account("0000000002");
  await second.read(PayoutAccountConfirmDocument, { input: { id: closed } });
  await owed("2025-02", 500n * CENT);
  const stream = changes();
  await stream.upTo("StreamCheckpoint");
  await run();
  await stream.upTo("RETURNED");
  const { payouts } = await provider.read(PayoutsDocument, { filter: { state: "RETURNED" } });
  const [returned] = payouts.nodes;
  expect(returned!.attempts).toMatchObject([{ returnCode: "AC04", returnReason: "Closed account number" }]);
  const again = { input: { id: returned!.id }, idempotencyKey: newId() };
  expect((await provider.codes(PayoutReissueDocument, again))[0]).toBe("FORBIDDEN");
  const { payoutReissue } = await api.operator.read(PayoutReissueDocument, again);
  expect(payoutReissue.payout!.state).toBe("SCHEDULED");
  const open = await account("0000000003");
  await second.read(PayoutAccountConfirmDocument, { input: { id: open } });
  await run();
  await stream.upTo("SETTLED");
  stream.stop();
  expect(bank.payments().map(({ order, state }) => [order.amount, order.creditor.iban.slice(-1), state])).toEqual([
    ["12.34", "1", "SETTLED"],
    ["5.00", "2", "RETURNED"],
    ["5.00", "3", "SETTLED"],
  ]);
});

test("nothing that the API says has a whole account number in it", async () => {
  const answers = [
    await provider.text(
      `{ payoutAccounts { nodes { holder maskedIban bic } } payouts { nodes { attempts { account { maskedIban } } } } }`,
    ),
    await provider.ask(PayoutAccountsDocument, {}),
    await provider.ask(PayoutExportDocument, {}),
    await api.operator.text(`{ auditEvents(first: 100) { nodes { changes { field from to } } } }`),
  ];
  expect(JSON.stringify(answers)).toContain("0003");
  expect(JSON.stringify([answers, api.logged])).not.toContain("37040044");
});

describe("the bank's route", () => {
  const url = () => callbacks.url;
  const body = () =>
    JSON.stringify({ type: "payment.updated", data: { key: bank.payments()[0]!.key, state: "RETURNED" } });

  test("takes what is signed as agreed", async () => {
    const said = JSON.stringify({ type: "payment.updated", data: { key: "nobody-1", state: "SETTLED" } });
    const headers = signedMessage(CALLBACK_SECRET, `msg_${newId()}`, new Date(), said);
    expect((await fetch(url(), { method: "POST", headers, body: said })).status).toBe(204);
  });

  test("refuses what is not, an API key beside it or not, and moves nothing", async () => {
    const wrong = signedMessage(`whsec_${Buffer.alloc(32).toString("base64")}`, "msg_1", new Date(), body());
    for (const headers of [{}, wrong, { ...wrong, authorization: `Bearer ${api.operator.secret}` }]) {
      const answer = await fetch(url(), { method: "POST", headers, body: body() });
      expect(answer.status).toBe(401);
    }
    const { payouts } = await provider.read(PayoutsDocument, { filter: { period: "2025-01" } });
    expect(payouts.nodes[0]!.state).toBe("SETTLED");
  });

  test("takes POST alone, and no more than 64 KiB", async () => {
    const get = await fetch(url());
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
    const large = await fetch(url(), { method: "POST", body: "x".repeat(65_537) }).catch(() => null);
    expect(large === null || large.status === 413).toBe(true);
  });
});

test("the simulated bank is a program of its own that says what it is", async () => {
  const program = new Example("simulated-bank", {}, ["--port", "0", "--transit-ms", "0", "--settle-ms", "0"]);
  await program.prints(/"simulated":true/);
  const { url } = JSON.parse(program.lines[0]!) as { url: string };
  const order = { endToEndId: "e", amount: "1.00", currency: "USD", creditor: { iban: anIban("5") }, remittance: "r" };
  const pay = (key: string, change = {}) =>
    fetch(`${url}/payments`, {
      method: "POST",
      headers: { "idempotency-key": key },
      body: JSON.stringify({ ...order, ...change }),
    });
  const answers = [
    await pay("a"),
    await pay("a"),
    await pay("a", { amount: "2.00" }),
    await pay("b", { amount: "0.00" }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([202, 200, 409, 422]);
  expect(answers[0]!.headers.get("x-simulated")).toBe("true");
  await until("it is settled", async () => {
    const payment = (await (await fetch(`${url}/payments/a`)).json()) as { state: string };
    return payment.state === "SETTLED";
  });
  expect(await program.stop("SIGTERM")).toBe(0);
  const wrong = new Example("simulated-bank", {}, ["--return", "nonsense"]);
  expect(await wrong.end()).toBe(64);
  expect(wrong.stderr).toContain("is not an ending and a reason");
});
