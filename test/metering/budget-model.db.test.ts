/** Whatever happens in whatever order, budgets admit exactly what a simple sum says: random histories against it. */
import fc from "fast-check";
import { faultsInTheBooks } from "../ledger/books";
import { BudgetWorld, rush, type Spender } from "./a-budget-world";
import { CHAT, type LeasedRequest, type Lessee } from "./lessee";

const RUNS = Number(process.env.MODEL_RUNS ?? 8);
const CREDIT = 10_000_000n;
/** How often another process gives back what it has before it is asked for: nothing is idle that nobody calls back. */
const QUIET_MS = 2_000;

type Name = "own" | "project";
/** What the rule says: spent and held of each budget, and who is under which. */
interface Model {
  limits: Record<Name, { limit: bigint | null; spent: bigint; held: bigint }>;
  free: bigint;
}

const underOf: readonly (readonly Name[])[] = [["own", "project"], ["project"], []];
const key = fc.nat({ max: 2 });
const amount = fc.oneof(fc.constantFrom(1n, 10n, 1_000n), fc.bigInt({ min: 1n, max: 60_000n }));
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("rush" as const), key, amount, count: fc.integer({ min: 1, max: 12 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("end" as const), nr: fc.nat({ max: 40 }), charged: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("borrow" as const), key, process: fc.nat({ max: 1 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      budget: fc.constantFrom<Name>("own", "project"),
      limit: fc.oneof(fc.constant(null), fc.bigInt({ min: 1n, max: 200_000n })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("die" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

let world: BudgetWorld;
beforeAll(async () => {
  world = await BudgetWorld.open();
});
afterAll(async () => {
  await world?.close();
});

class History {
  readonly model: Model = {
    limits: { own: { limit: 50_000n, spent: 0n, held: 0n }, project: { limit: 100_000n, spent: 0n, held: 0n } },
    free: CREDIT,
  };
  private open: { lessee: Lessee; request: LeasedRequest; under: readonly Name[] }[] = [];
  private readonly lessees = [world.lessee(), world.lessee()];

  constructor(
    private readonly spender: Spender,
    private readonly keys: readonly string[],
    private readonly budgets: Readonly<Record<Name, string>>,
  ) {}

  static async begin(): Promise<History> {
    const spender = await world.spender(CREDIT);
    const projectId = await world.project(spender);
    const keys = [await world.key(spender, projectId), await world.key(spender, projectId), await world.key(spender)];
    const budgets = {
      own: await world.budget(spender, { apiKeyId: keys[0]! }, 50_000n),
      project: await world.budget(spender, { projectId }, 100_000n),
    };
    return new History(spender, keys, budgets);
  }

  async take(next: Step): Promise<void> {
    switch (next.kind) {
      case "rush":
        return this.rush(next);
      case "end":
        return this.end(next);
      case "borrow":
        return this.borrow(next);
      case "change":
        return this.change(next);
      case "die":
        return this.die();
    }
  }

  async check(): Promise<void> {
    expect(await faultsInTheBooks(world.money.db)).toEqual([]);
  }

  /** What is left under every limit that a key is under. */
  private room(under: readonly Name[]): bigint {
    const rooms = under.flatMap((name) => {
      const { limit, spent, held } = this.model.limits[name];
      return limit === null ? [] : [limit - spent - held];
    });
    const least = rooms.reduce((least, room) => (room < least ? room : least), this.model.free);
    return least > 0n ? least : 0n;
  }

  private async rush({ key, amount, count }: Extract<Step, { kind: "rush" }>): Promise<void> {
    const under = underOf[key]!;
    const fits = this.room(under) / amount;
    const expected = fits < BigInt(count) ? Number(fits) : count;
    const asked = { apiKeyId: this.keys[key]!, count, amountNanoCredit: amount };
    const { admitted } = await rush(this.lessees, this.spender, asked);
    expect(admitted.length).toBe(expected);
    this.open.push(...admitted.map((one) => ({ ...one, under })));
    this.move(under, { held: amount * BigInt(expected) });
    this.model.free -= amount * BigInt(expected);
  }

  private async end({ nr, charged }: Extract<Step, { kind: "end" }>): Promise<void> {
    const [one] = this.open.splice(nr % Math.max(1, this.open.length), 1);
    if (one === undefined) return;
    const { lessee, request, under } = one;
    const spent = charged ? (await lessee.settle(request)).chargedNanoCredit : 0n;
    if (!charged) await lessee.release(request);
    this.move(under, { held: -request.heldNanoCredit, spent });
    this.model.free += request.heldNanoCredit - spent;
  }

  /** Asks for little, so that what is left is lent where it is enough for a lease. */
  private async borrow({ key, process }: Extract<Step, { kind: "borrow" }>): Promise<void> {
    const lessee = this.lessees[process]!;
    lessee.upMs += QUIET_MS;
    await lessee.metering.beatLeases();
    for (let tries = 0; tries < 3 && this.room(underOf[key]!) >= 5n; tries++) {
      await lessee.release(await lessee.hold(this.spender.startupId, 5n, CHAT, this.keys[key]!));
    }
  }

  private async change({ budget, limit }: Extract<Step, { kind: "change" }>): Promise<void> {
    const terms = limit === null ? { hardStop: false } : { hardStop: true, amountNanoCredit: limit };
    await world.budgets.change(this.spender.viewer, this.budgets[budget], terms);
    this.model.limits[budget].limit = limit;
  }

  /** The first process is gone with all that it had; another takes its place. */
  private async die(): Promise<void> {
    const dead = this.lessees[0]!;
    await world.money.db.source.query("UPDATE lease SET expires_at = now() - interval '1 second' WHERE instance = $1", [
      dead.instance,
    ]);
    await dead.recall.sweep();
    const lost = this.open.filter(({ lessee, request }) => lessee === dead && request.leaseId !== null);
    this.open = this.open.filter((one) => !lost.includes(one));
    for (const { request, under } of lost) {
      this.move(under, { held: -request.heldNanoCredit });
      this.model.free += request.heldNanoCredit;
      await dead.release(request);
    }
    this.lessees[0] = world.lessee();
    await dead.metering.drain();
    this.open = this.open.map((one) => (one.lessee === dead ? { ...one, lessee: this.lessees[0]! } : one));
  }

  private move(under: readonly Name[], { held, spent = 0n }: { held: bigint; spent?: bigint }): void {
    for (const name of under) {
      this.model.limits[name].held += held;
      this.model.limits[name].spent += spent;
    }
  }
}

test("random histories of rushes, charges, leases, changes and deaths admit exactly what is left", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const history = await History.begin();
      for (const next of steps) {
        await history.take(next);
        await history.check();
      }
      expect(await world.endLessees()).toEqual([]);
      await history.check();
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
}, 600_000);
