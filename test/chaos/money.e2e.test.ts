/**
 * Whatever is killed, at whichever moment of a request: no answer is given away, none is charged twice, no credit stays
 * behind. Short here; the long run is `npm run chaos -- money`. CHAOS_SEED repeats a run's choices.
 */
import { setTimeout as pause } from "node:timers/promises";
import { drift } from "../../src/ledger/drift";
import { LEASE_TTL_MS } from "../../src/ledger/recall";
import { verifyLedger } from "../../src/ledger/verify";
import { monthsAfter } from "../../src/statements/period";
import { faultsInTheBooks } from "../ledger/books";
import { until } from "../support/leftovers";
import { type Faults, faultsOf, strandedOf } from "./money-judge";
import { CROWD, MoneyMarket, STAGE } from "./money-market";
import { Payees } from "./payees";
import { type Asked, PayingClients, type PayingStartup } from "./paying-clients";
import type { RelayPlace } from "./relay-place";
import { seeded } from "./seeded";
import type { Dispatched } from "./staged-provider";

const isLong = process.env.CHAOS_KILLS !== undefined;
const kills = Number(process.env.CHAOS_KILLS ?? 6);
/** Of everything else that can go wrong. */
const rounds = Math.ceil(kills / 25);
const seed = Number(process.env.CHAOS_SEED ?? 1);

const RECOVERY_MS = 60_000;
const KILL_PATIENCE_MS = 6_000;
/** The longest that a hold of the ledger may outlive its request, and its sweep. */
const HOLD_PATIENCE_MS = 110_000;
const CLIENTS = 8;
const MAX_TOKENS = 64;
const PAYEES = 5;
/** Due long ago. */
const FIRST_PERIOD = "2026-01";
const CENT = 10_000_000n;
const USD = 1_000_000_000n;

jest.setTimeout(120_000 + RECOVERY_MS + HOLD_PATIENCE_MS + kills * KILL_PATIENCE_MS);

const random = seeded(seed);
const clients = new PayingClients();
const market = new MoneyMarket({
  relays: 3,
  thinkingMs: () => random() * 20,
  environment: {
    ALLOW_LOOPBACK_UPSTREAMS: "true",
    SLA_PROBE_INTERVAL_MS: "3600000",
    UPSTREAM_CONNECT_TIMEOUT_MS: "30000",
    UPSTREAM_TOTAL_TIMEOUT_MS: "60000",
    PAYOUT_COOLING_HOURS: "0",
  },
});
const tally = { kills: {} as Record<Point, number>, lostReplies: 0, sleeps: 0, databaseKills: 0, workerKills: 0 };
const repairs = new Set<Promise<void>>();

/** Whom the killed requests are charged to: nobody else uses up the last one's credit. */
let victims: PayingStartup[];
let crowd: PayingStartup[];

beforeAll(async () => {
  await market.open();
  const scrap = { multiplierPpm: 1_400_000n, amountNanoUsd: USD / 1_000n };
  const leased = await market.startup("leased", [{ multiplierPpm: 1_250_000n, amountNanoUsd: 1_000n * USD }]);
  const patchwork = await market.startup(
    "leased over several lots",
    Array.from({ length: 30 }, () => scrap),
  );
  // Too little for a lease: every request has a hold of its own in the ledger.
  const poor = await market.startup("poor", [{ multiplierPpm: 1_250_000n, amountNanoUsd: USD / 500n }]);
  const frugal = await market.startup("frugal", [{ multiplierPpm: 1_250_000n, amountNanoUsd: USD / 300n }]);
  crowd = [leased, patchwork, poor];
  victims = [leased, patchwork, frugal];
});
afterEach(async () => {
  market.stage.play({});
  expect({ seed, ...(await faultsNow()) }).toEqual({ seed, lost: [], doubled: [], unfounded: [], books: [] });
});
afterAll(async () => {
  if (isLong) await report();
  await market.close();
});

/** How far a request has come, as its client, its provider, or the connection to the database shows it. */
const points = ["connecting", "dispatched", "firstContent", "lastByteWritten", "committed", "complete"] as const;
type Point = (typeof points)[number];

it("loses nothing and charges nothing twice when a relay is killed, whichever of six points its request has reached", async () => {
  await underLoad(async () => {
    for (let n = 0; n < kills; n++) {
      const point = points[n % points.length]!;
      const before = completions();
      await until("answers", () => completions() > before + 5 * CLIENTS, RECOVERY_MS);
      await killAt(point, await anyRelay(), n >= points.length);
      tally.kills[point] = (tally.kills[point] ?? 0) + 1;
      expect(await faultsInTheBooks(market.db)).toEqual([]);
    }
  });
});

it("charges once and finishes the answer when the database's word that it is charged never arrives", async () => {
  await underLoad(async () => {
    for (let n = 0; n < 3 * rounds; n++) {
      const relay = await anyRelay();
      let lost = 0;
      const lose = async ({ requestId }: Dispatched) => {
        (await relay.proxy.keepAnswerTo(new RegExp(requestId))).lose();
        lost += 1;
      };
      market.stage.play({ dispatched: (request) => void lose(request) });
      const { complete, requestId } = await clients.ask(relay.url!, question(STAGE, one(victims)));
      expect({ complete, lost, records: await recordsOf(requestId) }).toEqual({ complete: true, lost: 1, records: 1 });
      tally.lostReplies += lost;
    }
  });
});

it("goes on where it was when PostgreSQL is killed under load and comes back", async () => {
  await underLoad(async () => {
    for (let n = 0; n < rounds; n++) {
      await until("all relays", () => market.relays.every(({ url }) => url !== null), RECOVERY_MS);
      market.killPostgres();
      tally.databaseKills += 1;
      await market.startPostgres();
      const before = completions();
      await until("answers again", () => completions() > before + 5 * CLIENTS, RECOVERY_MS);
    }
  });
});

it("pays each statement once when the worker is killed in the middle of paying, before and after the bank has an order", async () => {
  const payees = new Payees(market);
  for (let n = 0; n < PAYEES; n++) await payees.add();
  for (let n = 0; n < rounds; n++) {
    const killed = killWorkerAt("received");
    const ids = await payees.owe(monthsAfter(FIRST_PERIOD, n));
    await killed;
    const killedAgain = killWorkerAt("taken");
    await market.startWorker();
    await killedAgain;
    market.atBank = () => false;
    await market.startWorker();
    const settled = "SELECT id FROM payout WHERE statement_id = ANY ($1) AND state = 'SETTLED'";
    await until("payouts", async () => (await market.rows(settled, [ids])).length === PAYEES, RECOVERY_MS);
  }
  const paid = market.bank.payments().map(({ key, order }) => [key, BigInt(order.amount.replace(".", "")) * CENT]);
  expect(paid.sort()).toEqual([...payees.owed].map(([id, total]) => [`${id}-1`, total]).sort());
  const left =
    "SELECT name FROM ledger_account WHERE kind IN ('STATEMENT_PAYABLE', 'PAYOUT_IN_TRANSIT') AND credits_posted <> debits_posted";
  expect(await market.rows(left)).toEqual([]);
});

it.each(Array.from({ length: rounds }, (_, n) => n % 2 === 0))(
  "does not charge what a relay that slept past its lease delivers when it wakes, and has that credit back once (streamed: %s)",
  async (streamed) => {
    const startup = await market.startup("sleeper", [{ multiplierPpm: 1_250_000n, amountNanoUsd: USD }]);
    const relay = await anyRelay();
    const leases = () => market.rows<{ state: string }>("SELECT state FROM lease WHERE startup_id = $1", [startup.id]);
    await until("a lease", async () => {
      expect((await clients.ask(relay.url!, question(STAGE, startup))).complete).toBe(true);
      return (await leases()).length > 0;
    });
    let goOn: () => void = () => undefined;
    const interval = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const dispatched = new Promise<Dispatched>((resolve) => market.stage.play({ interval, dispatched: resolve }));
    const answer = clients.ask(relay.url!, { ...question(STAGE, startup), streamed });
    const { requestId } = await dispatched;
    expect(await market.rows("SELECT id FROM hold WHERE id = $1", [requestId])).toEqual([]);

    relay.sleep();
    tally.sleeps += 1;
    await until("the sweep", async () => (await leases()).every(({ state }) => state === "SWEPT"), 2 * LEASE_TTL_MS);
    const swept = await market.services.ledger.balance(startup.id);
    expect(swept).toMatchObject({
      heldNanoCredit: 0n,
      availableNanoCredit: swept.issuedNanoCredit - swept.spentNanoCredit,
    });
    goOn();
    relay.wake();
    expect(await answer).toMatchObject({ complete: false });
    expect(await recordsOf(requestId)).toBe(0);
    expect(await market.services.ledger.balance(startup.id)).toEqual({ ...swept, asOf: expect.any(Date) });
    market.stage.play({});
    expect((await clients.ask(relay.url!, question(STAGE, startup))).complete).toBe(true);
  },
);

it("leaves after one sweep no hold, no lease of a dead process, and no credit but what is spent or there to be spent", async () => {
  const [{ at }] = (await market.rows<{ at: Date }>("SELECT clock_timestamp() AS at")) as [{ at: Date }];
  const unrenewed = "SELECT id FROM lease WHERE state = 'ACTIVE' AND expires_at <= $1";
  const lastBreath = new Date(at.getTime() + LEASE_TTL_MS);
  await until(
    "the leases of the dead",
    async () => (await market.rows(unrenewed, [lastBreath])).length === 0,
    2 * LEASE_TTL_MS,
  );
  if (!isLong) {
    // The worker would wait for as long as a request may take, which here is a minute and a half.
    market.clock.shiftMs = HOLD_PATIENCE_MS;
    await market.services.metering.sweepExpiredHolds();
  }
  const held = () => market.rows("SELECT id FROM hold WHERE state = 'HELD'");
  await until("holds that outlived their requests", async () => (await held()).length === 0, HOLD_PATIENCE_MS);
  const recalls = market.startups.map(({ id }) => market.services.recall.recall({ startupId: id }));
  expect((await Promise.all(recalls)).filter(({ outstanding }) => outstanding > 0)).toEqual([]);
  expect(await market.rows("SELECT id FROM lease WHERE state = 'ACTIVE'")).toEqual([]);
  expect(strandedOf(await standings())).toEqual([]);
  expect([await drift(market.db), (await verifyLedger(market.db)).faults]).toEqual([[], []]);
});

/** Kills when the request is there; `late`: a moment after, when it may be further. */
async function killAt(point: Point, relay: RelayPlace, late: boolean): Promise<void> {
  let shot = false;
  let dead: () => void = () => undefined;
  const killed = new Promise<void>((resolve) => {
    dead = resolve;
  });
  // Not late: nothing happens between the call and the kill, neither here nor at the provider nor in the proxy.
  const shoot = async () => {
    if (late) await pause(random() * 4);
    relay.shoot();
    shot = true;
    dead();
  };
  const { proxy } = relay;
  const scenes: Record<Point, () => void> = {
    connecting: () => market.stage.play({ connecting: () => void shoot() }),
    dispatched: () => market.stage.play({ dispatched: () => void shoot() }),
    firstContent: () => market.stage.play({ interval: killed }),
    lastByteWritten: () => market.stage.play({ lastByteWritten: () => void shoot() }),
    committed: () =>
      market.stage.play({ dispatched: ({ requestId }) => void proxy.keepAnswerTo(new RegExp(requestId)).then(shoot) }),
    complete: () => market.stage.play({}),
  };
  scenes[point]();
  const asked = question(STAGE, one(victims));
  await clients.ask(
    relay.url!,
    { ...asked, streamed: point === "firstContent" || asked.streamed },
    {
      firstContent: () => void (point === "firstContent" && shoot()),
      complete: () => void (point === "complete" && shoot()),
    },
  );
  await until(`a request that came to ${point}`, () => shot);
  mend(relay.start());
}

/** At the second order that has come so far; from then on the bank answers none, until it is told otherwise. */
function killWorkerAt(wanted: "received" | "taken"): Promise<void> {
  let orders = 0;
  return new Promise((resolve) => {
    market.atBank = (moment) => {
      if (moment === wanted) orders += 1;
      if (moment === wanted && orders === 2) {
        market.shootWorker();
        tally.workerKills += 1;
        resolve();
      }
      return orders >= 2;
    };
  });
}

/** What is repaired goes on meanwhile: the next kill does not wait for it. */
function mend(work: Promise<void>): void {
  const repair: Promise<void> = work.finally(() => repairs.delete(repair));
  repairs.add(repair);
}

async function underLoad(work: () => Promise<void>): Promise<void> {
  const next = () => {
    const relayUrl = one(up());
    return relayUrl === undefined ? null : { relayUrl, question: question(CROWD, one(crowd)) };
  };
  const load = clients.load(CLIENTS, next, () => random() * 15);
  try {
    await work();
  } finally {
    await load.stop();
    await Promise.all(repairs);
  }
}

const up = () => market.relays.flatMap(({ url }) => url ?? []);

function anyRelay(): Promise<RelayPlace> {
  return until("a relay", () => one(market.relays.filter(({ url }) => url !== null)), RECOVERY_MS);
}

const question = (model: string, startup: PayingStartup) => ({
  startup,
  model,
  streamed: random() < 0.5,
  maxTokens: MAX_TOKENS,
});

/** `undefined` of none. */
function one<T>(of: readonly T[]): T {
  return of[Math.floor(random() * of.length)]!;
}

const completions = () => clients.asked.filter(({ complete }) => complete).length;

async function recordsOf(requestId: string | null): Promise<number> {
  return (await market.rows("SELECT id FROM usage_record WHERE id = $1", [requestId])).length;
}

async function faultsNow(): Promise<Faults & { books: string[] }> {
  const charged = await market.rows<{ requestId: string; startupId: string }>(
    `SELECT id AS "requestId", startup_id AS "startupId" FROM usage_record`,
  );
  const dispatched = [...market.crowd.dispatched, ...market.stage.dispatched];
  return { ...faultsOf({ asked: clients.asked, dispatched, charged }), books: await faultsInTheBooks(market.db) };
}

async function standings() {
  const sums = await market.rows<{ startup_id: string; charged: string }>(
    "SELECT startup_id, sum(charge_nano_credit) AS charged FROM usage_record GROUP BY startup_id",
  );
  const charged = new Map(sums.map((row) => [row.startup_id, BigInt(row.charged)]));
  return Promise.all(
    market.startups.map(async ({ id, name }) => {
      const balance = await market.services.ledger.balance(id);
      return {
        name,
        issued: balance.issuedNanoCredit,
        available: balance.availableNanoCredit,
        held: balance.heldNanoCredit,
        spent: balance.spentNanoCredit,
        charged: charged.get(id) ?? 0n,
      };
    }),
  );
}

async function report(): Promise<void> {
  const { lost, doubled, unfounded, books } = await faultsNow();
  const all: readonly Asked[] = clients.asked;
  const [{ charged }] = (await market.rows<{ charged: string }>("SELECT count(*) AS charged FROM usage_record")) as [
    { charged: string },
  ];
  console.log(
    JSON.stringify({
      seed,
      ...tally,
      requests: all.length,
      completions: completions(),
      charged: Number(charged),
      lost: lost.length,
      doubled: doubled.length,
      unfounded: unfounded.length,
      stranded: strandedOf(await standings()).length,
      books: books.length,
    }),
  );
}
