/** A worker's payouts as a process of their own, to be killed: hands over what is due, again and again, until somebody ends it. */
import "reflect-metadata";
import { MemoryBus } from "../../src/events/event-bus";
import { Outbox } from "../../src/events/outbox";
import { Ledger } from "../../src/ledger/ledger";
import { openPayouts } from "../../src/payouts/open-payouts";
import { readConfig } from "../../src/platform/config";
import { openDatabase } from "../../src/platform/database";
import { createLog } from "../../src/platform/log";
import { dueStatements } from "../../src/statements/due";
import { TestClock } from "../support/clock";

export interface WorkerOptions {
  readonly databaseUrl: string;
  readonly bankUrl: string;
  readonly secret: string;
  readonly sealingKeyHex: string;
  readonly now: string;
}

async function main(): Promise<void> {
  const options = JSON.parse(process.env.PAYOUT_WORKER!) as WorkerOptions;
  const db = await openDatabase({ url: options.databaseUrl, poolMax: 3, applicationName: "payout-worker" });
  const clock = new TestClock(options.now);
  const outbox = new Outbox(db, new MemoryBus(), clock);
  const payouts = openPayouts({
    config: readConfig({
      PAYOUT_RAIL: "simulated-bank",
      PAYOUT_BANK_URL: options.bankUrl,
      PAYOUT_CALLBACK_SECRET: options.secret,
    }),
    db,
    clock,
    realClock: clock,
    log: createLog({ level: "silent" }),
    outbox,
    ledger: new Ledger({ db, clock }),
    statements: { dueForPayout: dueStatements },
    sealingKey: Buffer.from(options.sealingKeyHex, "hex"),
  });
  for (;;) {
    const { scheduled, submitted, answered } = await payouts.runDue();
    if (scheduled + submitted + answered === 0) break;
  }
  console.log("nothing left to do");
  await db.close();
}

void main();
