/** The rules of payouts: how they may stand after how, what moves, whole cents, and what holds them. */
import fc from "fast-check";
import { centsOf, formatCents, NANO_PER_CENT, payableOf } from "../../src/payouts/cents";
import { carryId, movementId, paymentKey } from "../../src/payouts/payment-keys";
import { accountStateOf, holdsOn, situationOf } from "../../src/payouts/payout-holds";
import { type AttemptState, advanced, movementOf, nextPayoutStates } from "../../src/payouts/payout-states";

const words: readonly AttemptState[] = ["SUBMITTED", "IN_TRANSIT", "SETTLED", "RETURNED"];

test("a payout goes on its way, comes to an end or back, and from there leaves again", () => {
  expect(nextPayoutStates).toEqual({
    SCHEDULED: ["SUBMITTED"],
    SUBMITTED: ["IN_TRANSIT", "SETTLED", "RETURNED"],
    IN_TRANSIT: ["SETTLED", "RETURNED"],
    SETTLED: ["RETURNED"],
    RETURNED: ["SCHEDULED"],
    CARRIED: [],
  });
});

test("words of the bank end in the same state in whatever order and however often they come", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 12 }), (said) => {
      const end = said.reduce<AttemptState>((state, word) => advanced(state, word) ?? state, "SUBMITTED");
      expect(end).toBe(words.findLast((word) => said.includes(word)) ?? "SUBMITTED");
    }),
  );
});

test("whatever way an attempt went, its accounts end as its last state says", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 8 }), (said) => {
      const balance: Record<string, number> = { "statement:s": 1, "payout:in-transit": 0, "cash:trust": 0 };
      let state: AttemptState | "SCHEDULED" = "SCHEDULED";
      for (const word of ["SUBMITTED" as const, ...said]) {
        const next: AttemptState | null = state === "SCHEDULED" ? word : advanced(state, word);
        if (next === null) continue;
        const movement = movementOf("s", state, next);
        if (movement !== null) {
          balance[movement.debit]! -= 1;
          balance[movement.credit]! += 1;
        }
        expect(balance["statement:s"]).toBeGreaterThanOrEqual(0);
        expect(balance["payout:in-transit"]).toBeGreaterThanOrEqual(0);
        state = next;
      }
      const holder = {
        SUBMITTED: "payout:in-transit",
        IN_TRANSIT: "payout:in-transit",
        SETTLED: "cash:trust",
        RETURNED: "statement:s",
      };
      expect(Object.keys(balance).filter((name) => balance[name] === 1)).toEqual([holder[state as AttemptState]]);
    }),
  );
});

test("what can be paid is whole cents, and with the remainder exactly what is owed", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 9_223_372_036_854_775_807n }), (owed) => {
      const { amountNanoUsd, remainderNanoUsd } = payableOf(owed);
      expect(amountNanoUsd + remainderNanoUsd).toBe(owed);
      expect([amountNanoUsd % NANO_PER_CENT, remainderNanoUsd < NANO_PER_CENT]).toEqual([0n, true]);
      expect(centsOf(amountNanoUsd) * NANO_PER_CENT).toBe(amountNanoUsd);
    }),
  );
});

test("cents are written as banks read them, beyond where numbers lose digits", () => {
  expect([0n, 5n, 99n, 100n, 922_337_203_685_477n].map(formatCents)).toEqual([
    "0.00",
    "0.05",
    "0.99",
    "1.00",
    "9223372036854.77",
  ]);
});

test("a payment and each of its movements have one name, in every process", () => {
  expect(paymentKey("s", 2)).toBe("s-2");
  expect(movementId("s-1", "PAYOUT")).toBe(movementId("s-1", "PAYOUT"));
  const names = [
    movementId("s-1", "PAYOUT"),
    movementId("s-2", "PAYOUT"),
    movementId("s-1", "PAYOUT_SETTLED"),
    carryId("s-1"),
  ];
  expect(new Set(names).size).toBe(4);
});

describe("what holds a payout", () => {
  const now = new Date("2026-03-10T12:00:00Z");
  const account = (id: string, hours: number | null) => ({
    id,
    state: hours === null ? ("PROPOSED" as const) : ("CONFIRMED" as const),
    usableFrom: hours === null ? null : new Date(now.getTime() + hours * 3_600_000),
  });
  const free = {
    hasRail: true,
    account: { usableId: "a", cooling: false },
    frozen: false,
    amountNanoUsd: 10n,
    approvalLimitNanoUsd: 10n,
    approvals: 0,
  };

  test("is nothing, or every reason that there is", () => {
    expect(holdsOn(free)).toEqual([]);
    const held = {
      hasRail: false,
      account: { usableId: null, cooling: true },
      frozen: true,
      amountNanoUsd: 11n,
      approvals: 1,
    };
    expect(holdsOn({ ...free, ...held })).toEqual(["NO_RAIL", "ACCOUNT_COOLING", "FROZEN", "APPROVAL_MISSING"]);
    expect(holdsOn({ ...free, account: { usableId: null, cooling: false } })).toEqual(["NO_ACCOUNT"]);
    expect(holdsOn({ ...free, amountNanoUsd: 11n, approvals: 2 })).toEqual([]);
  });

  test("the account that cooled last is paid to; one that cools holds; one that is proposed does not", () => {
    expect(situationOf([], now)).toEqual({ usableId: null, cooling: false });
    expect(situationOf([account("a", -5), account("b", -1), account("c", null)], now)).toEqual({
      usableId: "b",
      cooling: false,
    });
    expect(situationOf([account("a", -5), account("b", 1)], now)).toEqual({ usableId: "a", cooling: true });
    expect(situationOf([account("a", 0)], now)).toEqual({ usableId: "a", cooling: false });
  });

  test("an account is shown as what it is now", () => {
    const all = [account("a", -5), account("b", -1), account("c", 1), account("d", null)];
    const states = all.map((one) => accountStateOf(one, situationOf(all, now), now));
    expect(states).toEqual(["REPLACED", "ACTIVE", "COOLING", "PROPOSED"]);
  });
});
