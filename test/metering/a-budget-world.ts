/** A startup with money, keys, a project and budgets over them, and relay processes that its requests may come through. */
import type { BudgetPeriod } from "../../schema/enums";
import { Accounts } from "../../src/accounts/accounts";
import type { Viewer } from "../../src/accounts/viewer";
import { Recall } from "../../src/ledger/recall";
import { Budgets } from "../../src/metering/budgets";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { CHAT, type LeasedRequest, Lessee } from "./lessee";

export interface Spender {
  readonly startupId: string;
  readonly viewer: Viewer;
}

interface Terms {
  period?: BudgetPeriod;
  hardStop?: boolean;
  thresholdsPpm?: readonly bigint[];
}

export class BudgetWorld {
  readonly accounts: Accounts;
  readonly budgets: Budgets;
  private lessees: Lessee[] = [];

  private constructor(
    readonly money: MoneyWorld,
    private readonly database: TestDatabase,
  ) {
    const { db, bus, clock } = money;
    this.accounts = new Accounts({ db, bus, clock, pepper: Buffer.from("a pepper for tests") });
    this.budgets = new Budgets({ db, accounts: this.accounts, recall: new Recall({ db, bus }), clock });
  }

  static async open(): Promise<BudgetWorld> {
    const database = await createTestDatabase();
    return new BudgetWorld(await MoneyWorld.open(database.url), database);
  }

  async close(): Promise<void> {
    await this.money.close();
    await this.database.drop();
  }

  /** What went wrong in the background of the processes that it ends. */
  async endLessees(): Promise<unknown[]> {
    await Promise.all(this.lessees.map(({ metering }) => metering.drain()));
    const faults = this.lessees.flatMap((lessee) => lessee.faults);
    this.lessees = [];
    return faults;
  }

  lessee(options: ConstructorParameters<typeof Lessee>[1] = {}): Lessee {
    const lessee = new Lessee(this.money, options);
    this.lessees.push(lessee);
    return lessee;
  }

  async spender(creditNanoCredit: bigint): Promise<Spender> {
    const startupId = await this.money.startupWith(creditNanoCredit);
    const viewer: Viewer = {
      organisationId: startupId,
      kind: "STARTUP",
      scopes: new Set(["READ", "WRITE", "ADMIN"]),
      keyId: null,
      memberId: null,
      sessionId: null,
      expiresAt: null,
      persistedOnly: false,
    };
    return { startupId, viewer };
  }

  async key({ startupId, viewer }: Spender, projectId: string | null = null): Promise<string> {
    const fields = { organisationId: startupId, name: "a key", scopes: ["INFER"] as const, projectId };
    return (await this.accounts.createApiKey(viewer, fields)).apiKey.id;
  }

  async project({ startupId, viewer }: Spender, name = "search"): Promise<string> {
    return (await this.accounts.projects.create(viewer, { startupId, name })).id;
  }

  /** Hard and for good, unless told otherwise. */
  async budget(
    { viewer }: Spender,
    owner: { apiKeyId: string } | { projectId: string },
    amountNanoCredit: bigint,
    terms: Terms = {},
  ): Promise<string> {
    const whose = { apiKeyId: null, projectId: null, ...owner };
    const input = { ...whose, amountNanoCredit, period: "TOTAL" as const, hardStop: true, ...terms };
    return (await this.budgets.create(viewer, input)).id;
  }

  async figures(budgetId: string) {
    return (await this.budgets.figures([budgetId])).get(budgetId)!;
  }
}

/** How many of so many requests at once, in turns through each process, are admitted; with why the others were not. */
export async function rush(
  lessees: readonly Lessee[],
  { startupId }: Spender,
  asked: { apiKeyId: string; count: number; amountNanoCredit: bigint },
): Promise<{ admitted: { lessee: Lessee; request: LeasedRequest }[]; refusals: unknown[] }> {
  const outcomes = await Promise.allSettled(
    Array.from({ length: asked.count }, async (_, nr) => {
      const lessee = lessees[nr % lessees.length]!;
      return { lessee, request: await lessee.hold(startupId, asked.amountNanoCredit, CHAT, asked.apiKeyId) };
    }),
  );
  return {
    admitted: outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])),
    refusals: outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : [])),
  };
}
