/** Amounts as they come over the wire, decimal strings, held as whole nano-units: no figure of the demo is ever a float. */

const DECIMALS = 9;
const UNIT = 10n ** BigInt(DECIMALS);
const DECIMAL = /^(-?)(\d+)(?:\.(\d{1,9}))?$/;

/** "1.25" → 1_250_000_000n. RangeError for anything but a plain decimal with at most nine decimals. */
export function nanoOf(text: string): bigint {
  const match = DECIMAL.exec(text);
  if (match === null) throw new RangeError(`${JSON.stringify(text)} is no amount with at most nine decimals.`);
  const [, sign, whole = "", decimals = ""] = match;
  const nano = BigInt(whole) * UNIT + BigInt(decimals.padEnd(DECIMALS, "0"));
  return sign === "-" ? -nano : nano;
}

/** 1_250_000_000n → "1.250000000"; `decimals` may cut zeros only, so that nothing shown is rounded. */
export function shown(nano: bigint, decimals = DECIMALS): string {
  const size = nano < 0n ? -nano : nano;
  const fraction = (size % UNIT).toString().padStart(DECIMALS, "0");
  const kept = /^0*$/.test(fraction.slice(decimals)) ? fraction.slice(0, decimals) : fraction;
  const whole = (size / UNIT).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  return `${nano < 0n ? "-" : ""}${whole}${kept === "" ? "" : `.${kept}`}`;
}

export const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

/** Dollars that a charge sets free: charge ÷ multiplier, cut off, as the ledger books it. */
export function releasedNanoUsd(chargeNanoCredit: bigint, multiplierNano: bigint): bigint {
  return (chargeNanoCredit * UNIT) / multiplierNano;
}
