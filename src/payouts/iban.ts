/** International bank account numbers (ISO 13616) and bank identifiers (ISO 9362): what a slip of the pen is caught by. */
import { DomainError } from "../platform/errors";

/** Characters of an IBAN by its country; from the registry of SWIFT, release 99. */
const LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 " +
    "FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 " +
    "MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 " +
    "SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** Of the number with its first four characters last and letters as numbers from 10: 97 × n + 1 for a true one. */
function remainderOf(iban: string): number {
  let remainder = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    for (const digit of parseInt(character, 36).toString()) remainder = (remainder * 10 + Number(digit)) % 97;
  }
  return remainder;
}

/** As banks exchange it: without spaces, in capitals. Errors: BAD_USER_INPUT iban, which does not repeat the number. */
export function checkIban(text: string): string {
  const iban = text.replace(/[ \u00a0-]/g, "").toUpperCase();
  const refuse = (why: string): never => {
    throw new DomainError("BAD_USER_INPUT", `iban: ${why}`, { field: "iban" });
  };
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(iban)) refuse("is no IBAN: two letters, two digits, then the account");
  const length = LENGTHS[iban.slice(0, 2)];
  if (length === undefined) refuse(`${iban.slice(0, 2)} has no IBANs`);
  if (iban.length !== length) refuse(`one of ${iban.slice(0, 2)} has ${length} characters, this has ${iban.length}`);
  // 00, 01 and 99 would pass the division and are never given out.
  if (remainderOf(iban) !== 1 || !/^(0[2-9]|[1-8]\d|9[0-8])$/.test(iban.slice(2, 4))) {
    refuse("its check digits are wrong: a character is missing or mistyped");
  }
  return iban;
}

/** Errors: BAD_USER_INPUT bic. */
export function checkBic(text: string): string {
  const bic = text.trim().toUpperCase();
  if (/^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$/.test(bic)) return bic;
  throw new DomainError("BAD_USER_INPUT", "bic: has 8 or 11 letters and digits, e.g. COBADEFFXXX", { field: "bic" });
}
