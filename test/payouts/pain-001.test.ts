/** Payment files: what a bank reads in them, whatever providers are called, and what is in the directory when. */
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { pain001Document } from "../../src/payouts/rails/pain-001-document";
import { Pain001FileRail } from "../../src/payouts/rails/pain-001-file";
import type { PaymentBatch, PaymentOrder } from "../../src/payouts/rails/rail";
import { anIban } from "./a-payout-world";
import { at, readXml, textAt } from "./xml";

const debtor = { name: "Exergy Trust", iban: "DE89370400440532013000", bic: "COBADEFFXXX" };
const order = (number: number, change: Partial<PaymentOrder["creditor"]> = {}, cents = 1_234n): PaymentOrder => ({
  key: `statement-${number}-1`,
  endToEndId: `019a0000000070008000000000000${number.toString().padStart(3, "0")}-1`,
  cents,
  currency: "USD",
  creditor: { holder: "Nordic GPU AS", iban: anIban(`${number}`), bic: "DEUTDEFF", country: "DE", ...change },
  remittance: "GPU capacity 2026-01",
});
const batch = (orders: readonly PaymentOrder[]): PaymentBatch => ({
  id: "019a0000-0000-7000-8000-0000000000ff",
  createdAt: new Date("2026-03-03T04:05:06.789Z"),
  orders,
});

test("a file says who pays whom how much, and sums it up twice", () => {
  const root = readXml(pain001Document(batch([order(1), order(2, { bic: "BNPAFRPP" }, 99n)]), debtor));
  expect([root.name, root.attributes.xmlns]).toEqual(["Document", "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"]);
  const [message] = at(root, "CstmrCdtTrfInitn");
  expect(message!.children.map(({ name }) => name)).toEqual(["GrpHdr", "PmtInf"]);
  const [header] = at(message!, "GrpHdr");
  expect(header!.children.map(({ name, text }) => [name, text])).toEqual([
    ["MsgId", "019a00000000700080000000000000ff"],
    ["CreDtTm", "2026-03-03T04:05:06.789Z"],
    ["NbOfTxs", "2"],
    ["CtrlSum", "13.33"],
    ["InitgPty", ""],
  ]);
  const [payment] = at(message!, "PmtInf");
  // The order that the schema prescribes.
  expect(payment!.children.map(({ name }) => name)).toEqual([
    ...["PmtInfId", "PmtMtd", "NbOfTxs", "CtrlSum", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt", "ChrgBr"],
    ...["CdtTrfTxInf", "CdtTrfTxInf"],
  ]);
  expect(textAt(payment!, "ReqdExctnDt/Dt")).toBe("2026-03-03");
  expect(textAt(payment!, "DbtrAcct/Id/IBAN")).toBe(debtor.iban);
  const transfers = at(payment!, "CdtTrfTxInf");
  for (const transfer of transfers) {
    expect(transfer.children.map(({ name }) => name)).toEqual([
      "PmtId",
      "Amt",
      "CdtrAgt",
      "Cdtr",
      "CdtrAcct",
      "RmtInf",
    ]);
    expect(at(transfer, "Amt/InstdAmt")[0]!.attributes).toEqual({ Ccy: "USD" });
    expect(textAt(transfer, "PmtId/EndToEndId")!.length).toBeLessThanOrEqual(35);
  }
  expect(transfers.map((transfer) => textAt(transfer, "Amt/InstdAmt"))).toEqual(["12.34", "0.99"]);
  expect(transfers.map((transfer) => textAt(transfer, "CdtrAgt/FinInstnId/BICFI"))).toEqual(["DEUTDEFF", "BNPAFRPP"]);
  expect(transfers.map((transfer) => textAt(transfer, "CdtrAcct/Id/IBAN"))).toEqual([anIban("1"), anIban("2")]);
});

test("whatever a holder is called, the file is well-formed and the name is read back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 200 }), (holder) => {
      const root = readXml(pain001Document(batch([order(1, { holder })]), debtor));
      const read = at(root, "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/Cdtr/Nm")[0]!.text;
      const kept = [...holder]
        .slice(0, 140)
        .filter((character) => /[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(character));
      expect(read).toBe(kept.join(""));
    }),
  );
});

test("a name that would close its element, or pay somebody else, stays a name", () => {
  const holder = `</Nm></Cdtr><CdtrAcct><Id><IBAN>DE00</IBAN></Id></CdtrAcct>&bomb;"'`;
  const root = readXml(pain001Document(batch([order(1, { holder })]), debtor));
  const [transfer] = at(root, "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf");
  expect([textAt(transfer!, "Cdtr/Nm"), at(transfer!, "CdtrAcct").length]).toEqual([holder, 1]);
});

describe("the directory of payment files", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "exergy-pain-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  test("has one file per batch, whole and for its owner alone, and the same when it is written again", async () => {
    const rail = new Pain001FileRail(join(home, "out"), debtor);
    const orders = [order(1), order(2)];
    const first = await rail.submit(batch(orders));
    const name = "pain.001-019a00000000700080000000000000ff.xml";
    expect(first).toEqual(orders.map(({ key }) => ({ key, result: "ACCEPTED", reference: name })));
    const text = await readFile(join(home, "out", name), "utf8");
    expect((await stat(join(home, "out", name))).mode & 0o777).toBe(0o600);
    await Promise.all([
      rail.submit(batch(orders)),
      new Pain001FileRail(join(home, "out"), debtor).submit(batch(orders)),
    ]);
    expect(await readdir(join(home, "out"))).toEqual([name]);
    expect(await readFile(join(home, "out", name), "utf8")).toBe(text);
  });

  test("that cannot be written leaves every payment to be tried again", async () => {
    const rail = new Pain001FileRail("/dev/null/out", debtor);
    const [answer] = await rail.submit(batch([order(1)]));
    expect(answer).toMatchObject({ key: "statement-1-1", result: "UNKNOWN", fault: { code: "ENOTDIR" } });
  });

  test("is not opened for a debtor whose account cannot be right", () => {
    expect(() => new Pain001FileRail(home, { ...debtor, iban: "DE89370400440532013001" })).toThrow("check digits");
  });
});
