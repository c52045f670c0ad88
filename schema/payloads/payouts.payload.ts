/** What the mutations of payouts answer. */
import { payload } from "../user-error";
import { PayoutAccountView, PayoutRunView, PayoutView } from "../views/payouts.view";

const keyed = ["IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_KEY_REUSED"] as const;

export const PayoutAccountPropose = payload<{ payoutAccount?: PayoutAccountView }>(
  "PayoutAccountPropose",
  { payoutAccount: [() => PayoutAccountView, "The account; it waits for a second person."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT"],
);

export const PayoutAccountConfirm = payload<{ payoutAccount?: PayoutAccountView }>(
  "PayoutAccountConfirm",
  { payoutAccount: [() => PayoutAccountView, "The account; its cooling period runs."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);

export const PayoutAccountCancel = payload<{ payoutAccount?: PayoutAccountView }>(
  "PayoutAccountCancel",
  { payoutAccount: [() => PayoutAccountView, "The account that was taken back."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);

export const PayoutApprove = payload<{ payout?: PayoutView }>(
  "PayoutApprove",
  { payout: [() => PayoutView, "The payout."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);

export const PayoutHold = payload<{ payout?: PayoutView }>(
  "PayoutHold",
  { payout: [() => PayoutView, "The payout that is held."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);

export const PayoutRelease = payload<{ payout?: PayoutView }>(
  "PayoutRelease",
  { payout: [() => PayoutView, "The payout that may leave again."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT"],
);

export const PayoutConfirm = payload<{ payout?: PayoutView }>(
  "PayoutConfirm",
  { payout: [() => PayoutView, "The payout as it now stands."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", ...keyed],
);

export const PayoutReissue = payload<{ payout?: PayoutView }>(
  "PayoutReissue",
  { payout: [() => PayoutView, "The payout; it leaves again with the next run."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", ...keyed],
);

export const PayoutRun = payload<{ run?: PayoutRunView }>(
  "PayoutRun",
  { run: [() => PayoutRunView, "What it handed over; of a repeated key what the first run did."] },
  ["BAD_USER_INPUT", ...keyed],
);
