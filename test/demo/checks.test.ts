import { type Check, checksOf, type Events, splitOf } from "../../demo/checks";
import { releasedNanoUsd } from "../../demo/exact";
import type { Figures } from "../../demo/figures";
import type { Month, ProviderMonth } from "../../demo/month";
import type { CallResult } from "../../demo/traffic";

const MULTIPLIER = 1_350_000_000n;
const ISSUED = 6_750_000_000_000n;

/** Two startups, two providers, three requests, the second of them rerouted: everything adds up. */
function soundFigures(): Figures {
  const charges = [1_000_001n, 2_000_003n, 3_000_007n] as const;
  const usage = charges.map((chargeNano, index) => ({
    requestId: `r${index}`,
    outcome: "COMPLETED" as const,
    tokens: 10,
    chargeNano,
  }));
  const deliveries = charges.map((charge, index) => ({
    requestId: `r${index}`,
    gpuNanos: 1n,
    accrualNanoUsd: (releasedNanoUsd(charge, MULTIPLIER) * 85n) / 100n,
  }));
  const wallet = (spentNano: bigint) => ({
    issuedNano: ISSUED,
    availableNano: ISSUED - spentNano,
    heldNano: 0n,
    spentNano,
  });
  const released = charges.reduce((total, charge) => total + releasedNanoUsd(charge, MULTIPLIER), 0n);
  const provider = (name: string, own: typeof deliveries) => ({
    name,
    deliveries: own,
    accruedNanoUsd: own.reduce((total, { accrualNanoUsd }) => total + accrualNanoUsd, 0n),
    accruedRequests: own.length,
    openBreaches: [],
  });
  return {
    startups: [
      {
        name: "one",
        usage: usage.slice(0, 2),
        decisions: [
          { requestId: "r0", outcome: "SERVED" },
          { requestId: "r1", outcome: "REROUTED" },
        ],
        balance: wallet(charges[0] + charges[1]),
      },
      {
        name: "two",
        usage: usage.slice(2),
        decisions: [{ requestId: "r2", outcome: "SERVED" }],
        balance: wallet(charges[2]),
      },
    ],
    providers: [provider("a", deliveries.slice(0, 1)), provider("b", deliveries.slice(1))],
    facility: {
      multiplierNano: MULTIPLIER,
      drawnNanoUsd: 10_000_000_000_000n,
      fundedNanoUsd: 10_000_000_000_000n,
      backingNanoUsd: 10_000_000_000_000n - released,
      issuedNano: 2n * ISSUED,
      spentNano: 6_000_011n,
      lots: 2,
    },
  };
}

const call = (requestId: string, outcome: CallResult["outcome"] = "OK"): CallResult => ({
  startup: 0,
  model: "m",
  prompt: "p",
  streamed: false,
  outcome,
  requestId,
  problem: outcome === "OK" ? null : "502 upstream_failed",
});

function soundMonth(): Month {
  const { providers } = soundFigures();
  return {
    period: "2026-03",
    providers: providers.map(({ name, accruedNanoUsd }) => ({
      name,
      approvedBy: "silence",
      accrualLinesNanoUsd: accruedNanoUsd,
      totalNanoUsd: accruedNanoUsd,
      replayedNanoUsd: accruedNanoUsd,
      replayMatches: true,
      dueOn: "2026-04-30",
      payout: "SETTLED",
      paidNanoUsd: 0n,
      carriedNanoUsd: accruedNanoUsd,
    })),
  };
}

function soundEvents(): Events {
  return {
    calls: ["r0", "r1", "r2"].map((id) => call(id)),
    streamedSpentNano: 3_000_004n,
    breachHeard: true,
    month: soundMonth(),
  };
}

const wrong = (checks: readonly Check[]) => checks.filter(({ ok }) => !ok).map(({ claim }) => claim);

type Mutable<T> = T extends bigint | number | string ? T : { -readonly [K in keyof T]: Mutable<T[K]> };

/** The figures with one of them changed, as a fault of the product would. */
function changed(
  change: (figures: {
    startups: [Startup, Startup];
    providers: Provider[];
    facility: Mutable<Figures["facility"]>;
  }) => void,
): Figures {
  const figures = soundFigures();
  change(figures as unknown as Parameters<typeof change>[0]);
  return figures;
}

type Startup = Mutable<Figures["startups"][number]>;
type Provider = Mutable<Figures["providers"][number]>;

test("figures that add up pass every check", () => {
  expect(wrong(checksOf(soundFigures(), soundEvents()))).toEqual([]);
});

test("what the provider did not earn of a release is the spread", () => {
  const { releasedNanoUsd: released, accruedNanoUsd, spreadNanoUsd } = splitOf(soundFigures());
  expect(spreadNanoUsd).toBeGreaterThan(0n);
  expect(accruedNanoUsd + spreadNanoUsd).toBe(released);
});

test.each<[string, Figures, string]>([
  [
    "a nano-credit spent without a charge",
    changed((f) => {
      f.startups[0].balance.spentNano += 1n;
    }),
    "Σ charges of requests = Σ credit spent",
  ],
  [
    "credit that left a wallet unseen",
    changed((f) => {
      f.startups[1].balance.availableNano -= 1n;
    }),
    "two: issued = available + held + spent",
  ],
  [
    "a lot issued twice",
    changed((f) => {
      f.facility.lots += 1;
    }),
    "one credit lot per drawdown, though each was sent twice",
  ],
  [
    "an accrual that was not booked",
    changed((f) => {
      f.providers[0]!.accruedNanoUsd -= 1n;
    }),
    "Σ accruals of deliveries = Σ accrued for payout",
  ],
  [
    "a dollar released to nobody",
    changed((f) => {
      f.facility.backingNanoUsd -= 1n;
    }),
    "backing released = Σ accruals + Σ spread",
  ],
  [
    "a usage record lost",
    changed((f) => void f.startups[0].usage.pop()),
    "usage records = successful calls of the openai client",
  ],
  [
    "a decision lost",
    changed((f) => void f.startups[1].decisions.pop()),
    "successful calls with exactly one routing decision",
  ],
  [
    "a request decided twice",
    changed((f) => void f.startups[0].decisions.push({ requestId: "r0", outcome: "SERVED" })),
    "successful calls with exactly one routing decision",
  ],
])("%s is found", (_fault, figures, claim) => {
  expect(wrong(checksOf(figures, soundEvents()))).toContain(claim);
});

test("a failed call is found, with the first reason", () => {
  const checks = checksOf(soundFigures(), { ...soundEvents(), calls: [...soundEvents().calls, call("r3", "FAILED")] });
  expect(wrong(checks)).toEqual(["no call failed although a provider died"]);
  expect(checks.find(({ ok }) => !ok)?.detail).toBe("1 of 4 failed, first: 502 upstream_failed");
});

test("a stream that was cut after its first byte is told, and fails nothing", () => {
  const figures = changed((f) => {
    f.startups[1].usage[0]!.outcome = "PARTIAL";
  });
  const checks = checksOf(figures, { ...soundEvents(), calls: [call("r0"), call("r1"), call("r2", "CUT")] });
  expect(wrong(checks)).toEqual([]);
  expect(checks.map(({ detail }) => detail)).toContain(
    "0 of 3 failed; 1 streams cut after their first byte, counted apart",
  );
});

test("a story without its outage is no proof: no reroute, no breach, no balance", () => {
  const figures = changed((f) => {
    f.startups[0].decisions[1]!.outcome = "SERVED";
  });
  expect(wrong(checksOf(figures, { ...soundEvents(), breachHeard: false, streamedSpentNano: null }))).toEqual([
    "requests of the dead provider were rerouted",
    "its UPTIME breach reached it on the subscription",
    "the balance stream ends where the balance query stands",
  ]);
});

test.each<[string, Partial<ProviderMonth>, string]>([
  [
    "a statement that lost an accrual",
    { accrualLinesNanoUsd: 0n },
    "Σ accrual lines of the statements of 2026-03 = Σ accruals",
  ],
  [
    "a statement that nobody can work out again",
    { replayMatches: false },
    "statements worked out again from usage and stored fixings = statements",
  ],
  [
    "a payment of too much",
    { paidNanoUsd: 10_000_000n },
    "Σ paid by the bank + Σ carried over below a cent = Σ statements",
  ],
  [
    "a provider that was not paid",
    { payout: "RETURNED" },
    "one payout per provider, settled, or carried over below a cent",
  ],
])("%s is found", (_fault, change, claim) => {
  const { period, providers } = soundMonth();
  const [first, ...rest] = providers;
  const month = { period, providers: [{ ...first!, ...change }, ...rest] };
  expect(wrong(checksOf(soundFigures(), { ...soundEvents(), month }))).toEqual([claim]);
});

test("where the time cannot be moved, no month is asked for", () => {
  expect(wrong(checksOf(soundFigures(), { ...soundEvents(), month: null }))).toEqual([]);
});
