/** The way of paying that the configuration names; none: payouts are scheduled and stay. */
import type { Config } from "../../platform/config";
import { Pain001FileRail } from "./pain-001-file";
import type { PayoutRail } from "./rail";
import { SimulatedBankRail } from "./simulated-bank";

/** Errors: BAD_USER_INPUT when the debtor's account cannot be right. */
export function openRail({ rail }: Config["payouts"]): PayoutRail | null {
  if (rail === null) return null;
  if (rail.kind === "simulated-bank") return new SimulatedBankRail(rail.bankUrl);
  return new Pain001FileRail(rail.directory, rail.debtor);
}
