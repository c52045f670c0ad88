/** Puts the room together: what services.ts need not know of it. */
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import type { Clock } from "../platform/clock";
import type { Config } from "../platform/config";
import type { Database } from "../platform/database";
import type { Log } from "../platform/log";
import type { Statements } from "../statements/statements";
import { AccountSeal } from "./account-seal";
import { Accruals } from "./accruals";
import { BankCallbacks } from "./bank-callbacks";
import { PaymentHandover } from "./payment-handover";
import { PaymentProgress } from "./payment-progress";
import { PayoutAccounts } from "./payout-accounts";
import { PayoutActs } from "./payout-acts";
import { PayoutRun } from "./payout-run";
import { PayoutSchedule } from "./payout-schedule";
import { Payouts } from "./payouts";
import { openRail } from "./rails/open-rail";
import type { PayoutRail } from "./rails/rail";

export interface PayoutsPlatform {
  readonly config: Pick<Config, "payouts">;
  readonly db: Database;
  readonly clock: Clock;
  /** The clock that others on the wire go by, where operators may move ours. */
  readonly realClock: Clock;
  readonly log: Log;
  readonly outbox: Outbox;
  readonly ledger: Ledger;
  readonly statements: Pick<Statements, "dueForPayout">;
  /** Key of the seal on bank accounts. */
  readonly sealingKey: Buffer;
}

/** `rail` is the configuration's unless given. Errors: BAD_USER_INPUT when the debtor's account cannot be right. */
export function openPayouts(
  platform: PayoutsPlatform,
  rail: PayoutRail | null = openRail(platform.config.payouts),
): Payouts {
  const { config, db, sealingKey } = platform;
  const { coolingMs, approvalLimitNanoUsd, callbackSecrets } = config.payouts;
  const rules = { hasRail: rail !== null, approvalLimitNanoUsd };
  const seal = new AccountSeal(sealingKey);
  const progress = new PaymentProgress(platform);
  const handover = new PaymentHandover({ ...platform, progress, seal });
  const schedule = new PayoutSchedule(platform);
  return new Payouts({
    ...platform,
    rules,
    run: new PayoutRun({ ...platform, schedule, progress, handover, rail, rules }),
    acts: new PayoutActs({ ...platform, progress, rules }),
    accounts: new PayoutAccounts({ ...platform, seal, coolingMs }),
    accruals: new Accruals({ db }),
    callbacks: new BankCallbacks({ ...platform, progress, secrets: callbackSecrets }),
  });
}
