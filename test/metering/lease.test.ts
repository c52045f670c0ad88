/** However requests, tranches, recalls and returns interleave, a lease counts every nano-credit once, and serves nobody when it must not. */
import fc from "fast-check";
import { LEASE_FENCE_MS, LEASE_IDLE_MS, Lease, type LeaseReturn, type Moment } from "../../src/metering/lease";
import { LeaseBook } from "../../src/metering/lease-book";

const TTL_MS = 60_000;
const now = (upMs: number, clockMs = upMs): Moment => ({ upMs, clockMs });

function aLease(amount = 100n, usableUntilMs = Number.POSITIVE_INFINITY): Lease {
  const lease = new Lease("a-lease", "a-startup", LeaseBook.key("a-startup", "a-purpose"), 0);
  lease.grant(amount, usableUntilMs);
  lease.renewed(0);
  return lease;
}

const asked = (requestId: string, amountNanoCredit: bigint) => ({ requestId, amountNanoCredit, ttlMs: TTL_MS });
const total = (lease: Lease) => lease.free + lease.setAside + lease.captured + lease.returned;

describe("whatever happens to a lease", () => {
  /** The lease with what a ledger would have of it, and what is under way. */
  interface Real {
    readonly lease: Lease;
    open: Map<string, bigint>;
    ledger: bigint;
    ledgerCharged: bigint;
    back: LeaseReturn | null;
    upMs: number;
    made: number;
  }
  type Step = (real: Real) => void;

  const amounts = fc.bigInt({ min: 1n, max: 60n });
  const pickedFrom = (open: Map<string, bigint>, nth: number) => [...open][nth % Math.max(1, open.size)];
  const hold = amounts.map(
    (amount): Step =>
      (real) => {
        const requestId = `r${real.made++}`;
        const free = real.lease.free;
        const before = real.lease.isUsable(now(real.upMs));
        if (!before) return;
        expect(real.lease.hold(asked(requestId, amount), real.upMs)).toBe(amount <= free);
        if (amount <= free) real.open.set(requestId, amount);
      },
  );
  const release = fc.nat(9).map(
    (nth): Step =>
      ({ lease, open }) => {
        const [requestId] = pickedFrom(open, nth) ?? [];
        if (requestId === undefined) return;
        lease.release(requestId);
        lease.release(requestId);
        open.delete(requestId);
      },
  );
  const capture = fc.tuple(fc.nat(9), fc.nat(100)).map(
    ([nth, percent]): Step =>
      (real) => {
        const [requestId, amount] = pickedFrom(real.open, nth) ?? [];
        if (requestId === undefined || amount === undefined) return;
        const charged = (amount * BigInt(percent)) / 100n;
        real.ledger -= charged;
        real.ledgerCharged += charged;
        real.lease.capture(requestId, charged, true);
        // The answer to a repeat of it.
        real.lease.capture(requestId, charged, false);
        real.open.delete(requestId);
      },
  );
  /** Its reply is lost; half of them were booked. */
  const doubt = fc.tuple(fc.nat(9), fc.boolean()).map(
    ([nth, booked]): Step =>
      (real) => {
        const [requestId, amount] = pickedFrom(real.open, nth) ?? [];
        if (requestId === undefined || amount === undefined) return;
        if (booked) real.ledger -= amount;
        real.lease.doubt(requestId);
        real.open.delete(requestId);
      },
  );
  const grant = amounts.map(
    (amount): Step =>
      (real) => {
        if (real.lease.phase !== "SERVING") return;
        real.ledger += amount;
        real.lease.grant(amount, Number.POSITIVE_INFINITY);
      },
  );
  const recall = fc.nat(5).map(
    (epoch): Step =>
      ({ lease }) =>
        lease.recall(epoch),
  );
  const giveBack: fc.Arbitrary<Step> = fc.constant((real) => {
    if (real.back !== null || !real.lease.owes) return;
    real.back = real.lease.nextReturn();
  });
  const returned: fc.Arbitrary<Step> = fc.constant((real) => {
    if (real.back === null) return;
    // What a return that closes brings back nobody has to say: it is all that the ledger has.
    expect(real.ledger >= real.back.amountNanoCredit).toBe(true);
    real.ledger = real.back.close ? 0n : real.ledger - real.back.amountNanoCredit;
    real.lease.returnedAs(real.back);
    real.back = null;
  });
  const wait = fc.nat(3_000).map(
    (ms): Step =>
      (real) => {
        real.upMs += ms;
        real.lease.renewed(real.upMs);
      },
  );

  it("free is never negative, and what was granted is free, set aside, captured or returned", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 300n }),
        fc.array(fc.oneof(hold, hold, release, capture, capture, doubt, grant, recall, giveBack, returned, wait), {
          maxLength: 80,
        }),
        (amount, steps) => {
          const lease = aLease(amount);
          const real = { lease, open: new Map(), ledger: amount, ledgerCharged: 0n, back: null, upMs: 0, made: 0 };
          for (const step of steps) {
            step(real);
            expect(lease.free >= 0n && lease.setAside >= 0n).toBe(true);
            expect(total(lease)).toBe(lease.granted);
            const open = [...real.open.values()].reduce((sum, one) => sum + one, 0n);
            expect(lease.setAside >= open).toBe(true);
            // All that this process might still spend or give back, the ledger has.
            if (lease.phase !== "OVER") expect(lease.free + open <= real.ledger).toBe(true);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("once it closes it goes back to the last nano as its requests end, and is over with the last of them", () => {
    fc.assert(
      fc.property(fc.array(amounts, { maxLength: 8 }), fc.nat(100), (holds, percent) => {
        const lease = aLease(500n);
        const charged = holds.map((amount, n) =>
          lease.hold(asked(`r${n}`, amount), 0) ? (amount * BigInt(percent)) / 100n : 0n,
        );
        lease.recall(1);
        let back = 0n;
        const giveBack = () => {
          while (lease.owes) {
            const next = lease.nextReturn();
            back += next.amountNanoCredit;
            lease.returnedAs(next);
          }
        };
        giveBack();
        expect(lease.phase).toBe(holds.length === 0 ? "OVER" : "CLOSING");
        holds.forEach((_, n) => {
          lease.capture(`r${n}`, charged[n]!, true);
          giveBack();
        });
        expect(lease.phase).toBe("OVER");
        expect(back + charged.reduce((sum, one) => sum + one, 0n)).toBe(500n);
      }),
    );
  });
});

describe("a lease sets nothing more aside", () => {
  it("once it is called back; what was set aside is still charged to it", () => {
    const lease = aLease();
    expect(lease.hold(asked("r1", 60n), 0)).toBe(true);
    lease.recall(3);
    expect(lease.isUsable(now(0))).toBe(false);
    expect(lease.nextReturn()).toEqual({ amountNanoCredit: 40n, acknowledges: 3, close: false });
    lease.returnedAs({ amountNanoCredit: 40n, acknowledges: 3, close: false });
    expect(lease.owes).toBe(false);
    lease.capture("r1", 25n, true);
    expect(lease.nextReturn()).toEqual({ amountNanoCredit: 35n, acknowledges: null, close: true });
  });

  it("once it was called back before it was here", () => {
    const lease = new Lease("a-lease", "a-startup", "key", 0);
    lease.recall(1);
    lease.grant(100n, Number.POSITIVE_INFINITY);
    lease.renewed(0);
    expect(lease.isUsable(now(0))).toBe(false);
    expect(lease.nextReturn()).toEqual({ amountNanoCredit: 100n, acknowledges: 1, close: true });
  });

  it("when its last renewal is half its life ago, and again as soon as one succeeds", () => {
    const lease = aLease();
    expect(lease.isUsable(now(LEASE_FENCE_MS - 1))).toBe(true);
    expect(lease.isUsable(now(LEASE_FENCE_MS))).toBe(false);
    lease.renewed(LEASE_FENCE_MS);
    expect(lease.isUsable(now(LEASE_FENCE_MS))).toBe(true);
  });

  it("from the instant at which the first of its lots expires, on the clock of business", () => {
    const lease = aLease(100n, 1_000);
    expect(lease.isUsable(now(0, 999))).toBe(true);
    expect(lease.isUsable(now(0, 1_000))).toBe(false);
    expect(lease.isStale(now(0, 1_000))).toBe(true);
  });

  it("when nobody asked it for a while", () => {
    const lease = aLease();
    lease.hold(asked("r1", 1n), 5_000);
    expect(lease.isStale(now(5_000 + LEASE_IDLE_MS - 1))).toBe(false);
    expect(lease.isStale(now(5_000 + LEASE_IDLE_MS))).toBe(true);
  });

  it("once it is unknown whether a charge was booked: the ledger says at the end what is left", () => {
    const lease = aLease();
    lease.hold(asked("r1", 60n), 0);
    lease.doubt("r1");
    expect(lease.isUsable(now(0))).toBe(false);
    expect(lease.nextReturn()).toEqual({ amountNanoCredit: 40n, acknowledges: null, close: true });
  });

  it("once a request of it outlived its time", () => {
    const lease = aLease();
    lease.hold(asked("r1", 60n), 0);
    lease.doubtOverdue(TTL_MS - 1);
    expect(lease.phase).toBe("SERVING");
    lease.doubtOverdue(TTL_MS);
    expect(lease.phase).toBe("CLOSING");
  });

  it("for a request that it knows already", () => {
    const lease = aLease();
    expect(lease.hold(asked("r1", 10n), 0)).toBe(true);
    expect(lease.hold(asked("r1", 10n), 0)).toBe(false);
    expect(lease.setAside).toBe(10n);
  });
});

test("a charge for what had been released is taken from what is free, as the ledger took it", () => {
  const lease = aLease();
  lease.hold(asked("r1", 60n), 0);
  lease.release("r1");
  lease.capture("r1", 25n, true);
  expect([lease.free, lease.captured, total(lease)]).toEqual([75n, 25n, 100n]);
  expect(lease.phase).toBe("CLOSING");
});

describe("the book of a process", () => {
  it("answers from the lease of the same startup and purpose, and from no other", () => {
    const book = new LeaseBook();
    book.add(aLease());
    const at = (startup: string, purpose: string) =>
      book.hold(LeaseBook.key(startup, purpose), asked(`${startup} ${purpose}`, 10n), now(0))?.id ?? null;
    expect(at("a-startup", "a-purpose")).toBe("a-lease");
    expect(at("a-startup", "another")).toBeNull();
    expect(at("another", "a-purpose")).toBeNull();
  });

  it("makes room for the next lease while one is still going back, and forgets that one alone", () => {
    const book = new LeaseBook();
    const [first, key] = [aLease(), LeaseBook.key("a-startup", "a-purpose")];
    book.add(first);
    first.hold(asked("r1", 10n), 0);
    first.recall(1);
    expect(book.currentOf(key)).toBeUndefined();
    const second = new Lease("second", "a-startup", key, 0);
    book.add(second);
    first.lose();
    book.remove(first);
    expect(book.currentOf(key)).toBe(second);
    expect(book.size).toBe(1);
  });
});
