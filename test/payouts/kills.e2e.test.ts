/** A worker killed with SIGKILL again and again in the middle of handing over payouts: each statement is paid once. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type SimulatedBank, startSimulatedBank } from "../../examples/simulated-bank/server";
import { NANO_PER_CENT } from "../../src/payouts/cents";
import { until } from "../support/leftovers";
import { CALLBACK_SECRET, openPayoutWorld, type PayoutWorld } from "./a-payout-world";
import type { WorkerOptions } from "./worker-program";

const PERIODS = ["2025-08", "2025-09", "2025-10", "2025-11", "2025-12", "2026-01"];
const PROVIDERS = 5;
const PATIENCE_MS = 20_000;

let world: PayoutWorld;
let bank: SimulatedBank;
let worker: ChildProcess | undefined;
/** Told at each payment that the bank looks at, and after it has taken it over; true: nobody gets an answer to it. */
let atBank: (moment: "received" | "taken") => boolean = () => false;
const owed = new Map<string, bigint>();

beforeAll(async () => {
  world = await openPayoutWorld();
  bank = await startSimulatedBank({
    // Long: what settles would be found out by asking, and this is about handing over.
    transitMs: 3_600_000,
    onPayment: (moment) => (atBank(moment) ? new Promise<void>(() => undefined) : undefined),
  });
  for (let number = 0; number < PROVIDERS; number++) {
    world.clock.moveTo("2026-03-10T12:00:00Z");
    const provider = await world.provider(`000000000${number}`);
    for (const [index, period] of PERIODS.entries()) {
      const total = BigInt(number + 1) * 1_000_000_007n + BigInt(index) * 13n;
      owed.set(await world.statement(provider, period, total), total);
    }
  }
  world.clock.moveTo("2026-04-10T12:00:00Z");
}, 60_000);

afterAll(async () => {
  worker?.kill("SIGKILL");
  await bank?.close();
  await world?.close();
});

function startWorker(): ChildProcess {
  const options: WorkerOptions = {
    databaseUrl: world.url,
    bankUrl: bank.url,
    secret: CALLBACK_SECRET,
    sealingKeyHex: world.sealingKey.toString("hex"),
    now: world.clock.now().toISOString(),
  };
  const hook = join(__dirname, "../demo/typescript.cjs");
  worker = spawn(process.execPath, ["--require", hook, join(__dirname, "worker-program.ts")], {
    env: { PATH: process.env.PATH, PAYOUT_WORKER: JSON.stringify(options) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return worker;
}

const kill = (child: ChildProcess) => child.kill("SIGKILL");
const count = async (text: string): Promise<number> =>
  (await world.db.source.query(`SELECT (${text})::int AS count`))[0].count;

/** Kills when the bank is asked for the nth time from now, before it has taken the payment over or after. */
function whenAsked(moment: "received" | "taken", times: number) {
  return async (child: ChildProcess) => {
    let left = times;
    atBank = (now) => {
      if (now === moment) left -= 1;
      if (left === 0) kill(child);
      return left <= 0;
    };
  };
}

/** Kills as soon as so many rows are seen from outside: somewhere between two transactions, or in one. */
function whenThereAre(rows: string, times: number) {
  return async (child: ChildProcess) => {
    const before = await count(rows);
    void until(rows, async () => (await count(rows)) >= before + times, PATIENCE_MS).finally(() => kill(child));
  };
}

const scheduled = "SELECT count(*) FROM payout";
const writtenDown = "SELECT count(*) FROM payout_attempt";

const killings: readonly (readonly [string, (child: ChildProcess) => Promise<void>])[] = [
  ["while it schedules", whenThereAre(scheduled, 3)],
  ["further on in scheduling", whenThereAre(scheduled, 9)],
  ["when the first payment is written down", whenThereAre(writtenDown, 1)],
  ["when some are written down", whenThereAre(writtenDown, 7)],
  ["before the bank has the first", whenAsked("received", 1)],
  ["after the bank has the first, before it answered", whenAsked("taken", 1)],
  ["before the bank has a third", whenAsked("received", 3)],
  ["after the bank has a fifth", whenAsked("taken", 5)],
  ["before the bank has a ninth", whenAsked("received", 9)],
  ["after the bank has one more", whenAsked("taken", 1)],
];

test("ten kills at ten moments, and every statement is paid once and in full", async () => {
  for (const [moment, arrange] of killings) {
    atBank = () => false;
    const child = startWorker();
    const ended = once(child, "exit");
    await arrange(child);
    const [, signal] = await ended;
    expect(`${moment}: ${signal}`).toBe(`${moment}: SIGKILL`);
  }
  atBank = () => false;
  const [code] = await once(startWorker(), "exit");
  expect(code).toBe(0);

  const payments = bank.payments();
  expect(payments.map(({ key }) => key).sort()).toEqual([...owed.keys()].map((id) => `${id}-1`).sort());
  // The kills did cost the bank questions that it had answered before.
  expect(bank.requests()).toBeGreaterThan(payments.length);
  const paidNanoUsd = payments.reduce(
    (sum, { order }) => sum + BigInt(order.amount.replace(".", "")) * NANO_PER_CENT,
    0n,
  );
  let unpaid = 0n;
  for (const id of owed.keys()) unpaid += await world.balance(`statement:${id}`);
  expect(paidNanoUsd + unpaid).toBe([...owed.values()].reduce((sum, total) => sum + total, 0n));
  expect(unpaid).toBeLessThan(NANO_PER_CENT * BigInt(PROVIDERS));
  expect((await world.totals()).inTransit).toBe(paidNanoUsd);
  const [row] = await world.db.source.query(
    `SELECT (SELECT count(*)::int FROM transfer WHERE code = 'PAYOUT') AS bookings,
            (SELECT count(*)::int FROM payout_attempt WHERE accepted_at IS NULL OR number > 1) AS unfinished,
            (SELECT count(*)::int FROM payout) AS payouts`,
  );
  expect(row).toEqual({ bookings: owed.size, unfinished: 0, payouts: owed.size });
}, 180_000);
