/** A batch of payments as an ISO 20022 customer credit transfer, pain.001.001.09: the same batch is the same text. */
import { formatCents } from "../cents";
import type { PaymentBatch, PaymentOrder } from "./rail";

/** On whose behalf and from which account is paid. */
export interface Debtor {
  readonly name: string;
  readonly iban: string;
  readonly bic: string;
}

/** Max140Text; longer ones are cut, since a bank would refuse the whole file. */
const NAME_CHARS_MAX = 140;

export function pain001Document(batch: PaymentBatch, debtor: Debtor): string {
  const { orders, createdAt } = batch;
  const sum = formatCents(orders.reduce((cents, order) => cents + order.cents, 0n));
  const messageId = idOf(batch.id);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09">',
    "<CstmrCdtTrfInitn>",
    "<GrpHdr>",
    element("MsgId", messageId),
    element("CreDtTm", createdAt.toISOString()),
    element("NbOfTxs", `${orders.length}`),
    element("CtrlSum", sum),
    `<InitgPty>${element("Nm", nameOf(debtor.name))}</InitgPty>`,
    "</GrpHdr>",
    "<PmtInf>",
    element("PmtInfId", messageId),
    element("PmtMtd", "TRF"),
    element("NbOfTxs", `${orders.length}`),
    element("CtrlSum", sum),
    `<ReqdExctnDt>${element("Dt", createdAt.toISOString().slice(0, 10))}</ReqdExctnDt>`,
    `<Dbtr>${element("Nm", nameOf(debtor.name))}</Dbtr>`,
    `<DbtrAcct><Id>${element("IBAN", debtor.iban)}</Id></DbtrAcct>`,
    `<DbtrAgt><FinInstnId>${element("BICFI", debtor.bic)}</FinInstnId></DbtrAgt>`,
    element("ChrgBr", "SLEV"),
    ...orders.map(transfer),
    "</PmtInf>",
    "</CstmrCdtTrfInitn>",
    "</Document>",
  ];
  return `${lines.join("\n")}\n`;
}

function transfer({ endToEndId, cents, currency, creditor, remittance }: PaymentOrder): string {
  return [
    "<CdtTrfTxInf>",
    `<PmtId>${element("InstrId", endToEndId)}${element("EndToEndId", endToEndId)}</PmtId>`,
    `<Amt><InstdAmt Ccy="${currency}">${formatCents(cents)}</InstdAmt></Amt>`,
    `<CdtrAgt><FinInstnId>${element("BICFI", creditor.bic)}</FinInstnId></CdtrAgt>`,
    `<Cdtr>${element("Nm", nameOf(creditor.holder))}<PstlAdr>${element("Ctry", creditor.country)}</PstlAdr></Cdtr>`,
    `<CdtrAcct><Id>${element("IBAN", creditor.iban)}</Id></CdtrAcct>`,
    `<RmtInf>${element("Ustrd", remittance)}</RmtInf>`,
    "</CdtTrfTxInf>",
  ].join("\n");
}

/** Max35Text has no room for the hyphens of a UUID. */
export const idOf = (uuid: string): string => uuid.replaceAll("-", "");

const nameOf = (name: string): string => [...name].slice(0, NAME_CHARS_MAX).join("");

const element = (name: string, text: string): string => `<${name}>${escaped(text)}</${name}>`;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Characters that XML 1.0 cannot hold even escaped are left out: one of them would spoil the whole file. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "")
    .replace(/[&<>"']/g, (character) => entities[character]!);
}
