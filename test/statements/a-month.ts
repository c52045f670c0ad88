/** A world in which providers earn, months pass, and statements come of it; everything on a real database. */
import { Organisation } from "../../entities/organisation";
import type { Viewer } from "../../src/accounts/viewer";
import { Outbox } from "../../src/events/outbox";
import type { Delivery } from "../../src/metering/metering";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { createLog } from "../../src/platform/log";
import { Pricing } from "../../src/pricing/pricing";
import type { Quote } from "../../src/pricing/quote";
import { Sla } from "../../src/sla/sla";
import { Statements } from "../../src/statements/statements";
import { viewerOf } from "../accounts/a-world";
import { MoneyWorld, reportedUsage } from "../support/money-world";
import { createTestDatabase } from "../support/template-database";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export interface Earning {
  readonly providerId: string;
  /** One GPU-second each, at the world's quote unless told otherwise. */
  readonly gpuSeconds: number;
  readonly quote?: Quote;
  readonly changes?: Partial<Delivery>;
}

export class StatementWorld {
  readonly statements: Statements;
  readonly pricing: Pricing;
  readonly sla: Sla;
  readonly logged: string[] = [];
  private startupId: string | null = null;

  private constructor(
    readonly money: MoneyWorld,
    private readonly drop: () => Promise<void>,
    options: { holdbackPpm?: bigint },
  ) {
    const { db, clock, bus, ledger } = money;
    const outbox = new Outbox(db, bus, clock);
    this.pricing = new Pricing({ db, bus, clock });
    this.sla = new Sla({ db, outbox, clock });
    this.statements = new Statements({
      db,
      clock,
      outbox,
      ledger,
      log: createLog({ level: "error", write: (line) => void this.logged.push(line) }),
      rateCardsByIds: (ids) => this.pricing.rateCards.byIds(ids),
      uptimeBetween: (ids, span) => this.sla.uptimeBetween(ids, span),
      closeAfterMs: 6 * HOUR_MS,
      reviewDays: 3,
      holdbackPpm: options.holdbackPpm ?? 0n,
    });
  }

  static async open(options: { holdbackPpm?: bigint } = {}): Promise<StatementWorld> {
    const { url, drop } = await createTestDatabase();
    const world = new StatementWorld(await MoneyWorld.open(url, { poolMax: 6 }), drop, options);
    const { organisationId: id } = world.operator;
    const operator = {
      id,
      kind: "OPERATOR" as const,
      name: "Operator",
      createdAt: world.money.clock.now(),
      version: 1,
    };
    await world.money.db.source.getRepository(Organisation).insert(operator);
    return world;
  }

  async close(): Promise<void> {
    await this.money.close();
    await this.drop();
  }

  readonly operator: Viewer = viewerOf("OPERATOR", newId());
  viewer = (providerId: string): Viewer => viewerOf("PROVIDER", providerId);

  /** A quote by which one token is one GPU-second. */
  get slowQuote(): Quote {
    return { ...this.money.quote, throughput: { prefillTokensPerGpuSecond: 1, decodeTokensPerGpuSecond: 1 } };
  }

  /** One settled request. */
  async earn({ providerId, gpuSeconds, quote = this.slowQuote, changes = {} }: Earning): Promise<string> {
    this.startupId ??= await this.money.startupWith(1_000_000_000n * NANO);
    const heldNanoCredit = 10_000_000n * NANO;
    const requestId = await this.money.hold(this.startupId, heldNanoCredit);
    const usage = reportedUsage(gpuSeconds);
    const of = { requestId, startupId: this.startupId, heldNanoCredit, providerId, quote, usage };
    await this.money.metering.settle(this.money.delivery({ ...of, ...changes }));
    return requestId;
  }

  async balance(account: string): Promise<bigint> {
    const [row] = await this.money.db.source.query(
      "SELECT credits_posted - debits_posted AS balance FROM ledger_account WHERE name = $1",
      [account],
    );
    return row === undefined ? 0n : BigInt(row.balance);
  }

  async stateOf(providerId: string, period: string): Promise<string | undefined> {
    const { rows } = await this.statements.page(this.operator, {}, { providerId, period });
    return rows[0]?.state;
  }
}
