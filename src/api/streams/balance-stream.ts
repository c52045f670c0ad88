/** One startup's credit: as it is, then after each change, at most four times a second. */
import type { EventBus } from "../../events/event-bus";
import type { CreditBalance, Ledger } from "../../ledger/ledger";
import { isConnectionLoss } from "../../platform/database";
import { pullStream } from "./pull-stream";

export const BALANCE_PAUSE_MS = 250;
/** When the database is away, and as a safety for a change that another process made. */
export const BALANCE_RETRY_MS = 5_000;

/** A change only says "read again", so however many come, the next reading has them all. */
export function balanceStream(
  { bus, ledger }: { bus: EventBus; ledger: Pick<Ledger, "balance"> },
  startupId: string,
): AsyncIterableIterator<CreditBalance> {
  return pullStream((wake) => {
    let changed = true;
    let resting = false;
    let sent = "";
    let rest: NodeJS.Timeout | undefined;
    const stir = () => {
      changed = true;
      if (!resting) wake();
    };
    const off = bus.on("balance.changed", (change) => {
      if (change.startupId === startupId) stir();
    });
    const again = setInterval(stir, BALANCE_RETRY_MS).unref();
    const startRest = () => {
      resting = true;
      rest = setTimeout(() => {
        resting = false;
        wake();
      }, BALANCE_PAUSE_MS).unref();
    };
    return {
      async take() {
        if (!changed || resting) return undefined;
        changed = false;
        const balance = await ledger.balance(startupId).catch((error: unknown) => {
          if (isConnectionLoss(error)) return undefined;
          throw error;
        });
        if (balance === undefined) return undefined;
        const figures = figuresOf(balance);
        if (figures === sent) return undefined;
        sent = figures;
        startRest();
        return balance;
      },
      close() {
        off();
        clearInterval(again);
        clearTimeout(rest);
      },
    };
  });
}

const figuresOf = (balance: CreditBalance): string =>
  [balance.issuedNanoCredit, balance.availableNanoCredit, balance.heldNanoCredit, balance.spentNanoCredit].join();
