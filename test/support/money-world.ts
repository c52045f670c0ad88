/** A world with money in it, on a real database: partner, facilities, startups with credit lots, a provider, and a quote to settle by. */
import { CreditLot } from "../../entities/credit-lot";
import { Drawdown } from "../../entities/drawdown";
import { Facility } from "../../entities/facility";
import { Fixing } from "../../entities/fixing";
import { Organisation } from "../../entities/organisation";
import { PricingTierRow } from "../../entities/pricing-tier";
import { RateCardRow } from "../../entities/rate-card";
import type { OrganisationKind } from "../../schema/enums";
import { MemoryBus } from "../../src/events/event-bus";
import { Ledger } from "../../src/ledger/ledger";
import { type Delivery, Metering, newRequestId } from "../../src/metering/metering";
import type { BoundedUsage } from "../../src/metering/usage-bounds";
import { mulDivHalfEven, NANO, PPM } from "../../src/money/nano";
import { type Database, openDatabase } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import type { Quote } from "../../src/pricing/quote";
import type { RateCard } from "../../src/pricing/rate-card";
import { TestClock } from "./clock";

export interface Lot {
  readonly lotId: string;
  readonly accountId: string;
  readonly creditNanoCredit: bigint;
}

interface LotTerms {
  startupId: string;
  facilityId: string;
  fundedNanoUsd: bigint;
  priority?: number;
  expiresAt?: Date | null;
  accelerators?: readonly string[] | null;
  workloads?: readonly string[] | null;
  originationFeeNanoUsd?: bigint;
}

/** A lot without conditions. */
export const plainLot = {
  originationFeeNanoUsd: 0n,
  priority: 100,
  expiresAt: null,
  accelerators: null,
  workloads: null,
} as const;

export class MoneyWorld {
  readonly bus = new MemoryBus();
  readonly ledger: Ledger;
  readonly metering: Metering;
  private readonly multipliers = new Map<string, bigint>();

  private constructor(
    readonly db: Database,
    readonly clock: TestClock,
    readonly partnerId: string,
    readonly providerId: string,
    readonly quote: Quote,
  ) {
    this.ledger = new Ledger({ db, clock });
    this.metering = new Metering({ db, bus: this.bus, clock });
  }

  /** On a freshly migrated database: the rate card is the one that migrations bring, the fixing 2.50 USD per GPU-hour. */
  static async open(url: string, options: { poolMax?: number } = {}): Promise<MoneyWorld> {
    const db = await openDatabase({ url, poolMax: options.poolMax ?? 4, applicationName: "money-world" });
    const clock = new TestClock("2026-03-10T12:00:00Z");
    const partner = await anOrganisation(db, clock, "CAPITAL_PARTNER");
    const provider = await anOrganisation(db, clock, "PROVIDER");
    const fixing = await db.source.getRepository(Fixing).save({
      id: newId(),
      accelerator: "H100",
      region: `region-${newId()}`,
      hour: clock.now(),
      priceNanoUsd: (25n * NANO) / 10n,
      flags: [],
      components: [],
      createdAt: clock.now(),
    });
    const quote = {
      fixingId: fixing.id,
      fixingNanoUsdPerGpuHour: fixing.priceNanoUsd,
      throughput: { prefillTokensPerGpuSecond: 10_000, decodeTokensPerGpuSecond: 1_000 },
      card: await firstRateCard(db),
    };
    return new MoneyWorld(db, clock, partner, provider, quote);
  }

  close(): Promise<void> {
    return this.db.close();
  }

  startup(): Promise<string> {
    return anOrganisation(this.db, this.clock, "STARTUP");
  }

  provider(): Promise<string> {
    return anOrganisation(this.db, this.clock, "PROVIDER");
  }

  async facility(multiplierPpm = 1_250_000n, limitNanoUsd = 1_000_000_000n * NANO): Promise<string> {
    const facility = {
      id: newId(),
      capitalPartnerId: this.partnerId,
      name: "a facility",
      limitNanoUsd,
      drawnNanoUsd: 0n,
      multiplierPpm,
      state: "OPEN" as const,
      openedAt: this.clock.now(),
      version: 1,
    };
    await transaction(this.db, async (tx) => {
      await tx.getRepository(Facility).insert(facility);
      await this.ledger.openFacilityAccounts(tx, facility.id);
    });
    this.multipliers.set(facility.id, multiplierPpm);
    return facility.id;
  }

  /** A drawdown with its lot, at the facility's multiplier, as funding would book it. */
  async lot({ startupId, facilityId, fundedNanoUsd, ...special }: LotTerms): Promise<Lot> {
    const multiplierPpm = this.multipliers.get(facilityId)!;
    const creditNanoCredit = mulDivHalfEven(fundedNanoUsd, multiplierPpm, PPM);
    const [drawdownId, lotId, at] = [newId(), newId(), this.clock.now()];
    const parties = { facilityId, startupId };
    const accountId = await transaction(this.db, async (tx) => {
      await tx.getRepository(Drawdown).insert({ id: drawdownId, ...parties, fundedNanoUsd, drawnAt: at });
      const terms = {
        groupId: drawdownId,
        lotId,
        ...parties,
        fundedNanoUsd,
        creditNanoCredit,
        multiplierPpm,
        bookedAt: at,
        ...plainLot,
        ...special,
      };
      const { accountId } = await this.ledger.issueLot(tx, terms);
      const issued = { issuedNanoCredit: creditNanoCredit, multiplierPpm, issuedAt: at };
      await tx.getRepository(CreditLot).insert({ id: lotId, drawdownId, ...parties, accountId, ...issued });
      return accountId;
    });
    return { lotId, accountId, creditNanoCredit };
  }

  /** A startup whose whole balance is one lot of exactly this much, which has to be a multiple of 5. */
  async startupWith(creditNanoCredit: bigint): Promise<string> {
    const startupId = await this.startup();
    const lot = await this.lot({
      startupId,
      facilityId: await this.facility(),
      fundedNanoUsd: (creditNanoCredit * 4n) / 5n,
    });
    if (lot.creditNanoCredit !== creditNanoCredit) throw new Error(`${creditNanoCredit} is not a multiple of 5`);
    return startupId;
  }

  /** Sets credit aside in the ledger itself and answers the request's id. */
  async hold(
    startupId: string,
    amountNanoCredit: bigint,
    options: { ttlMs?: number; requestId?: string; apiKeyId?: string } = {},
  ): Promise<string> {
    const requestId = options.requestId ?? newRequestId();
    const rateCardId = this.quote.card.id;
    await this.metering.authorise({
      requestId,
      startupId,
      amountNanoCredit,
      rateCardId,
      ttlMs: options.ttlMs ?? 600_000,
      purpose: null,
      apiKeyId: options.apiKeyId ?? null,
    });
    return requestId;
  }

  /** A held request of a new startup with 10,000,000 nano-credits, and what it would be settled with, at a provider of its own. */
  async heldRequest(amountNanoCredit = 1_000_000n, ttlMs = 600_000): Promise<Delivery> {
    const startupId = await this.startupWith(10_000_000n);
    const requestId = await this.hold(startupId, amountNanoCredit, { ttlMs });
    const providerId = await this.provider();
    return this.delivery({ requestId, startupId, heldNanoCredit: amountNanoCredit, providerId });
  }

  /** What a relay would settle a completed request with; 1 GPU-second of output at this world's quote unless told otherwise. */
  delivery(of: Pick<Delivery, "requestId" | "startupId" | "heldNanoCredit"> & Partial<Delivery>): Delivery {
    return {
      apiKeyId: newId(),
      providerId: this.providerId,
      endpointId: newId(),
      offeringId: newId(),
      model: "a-model",
      workload: "INFERENCE",
      leaseId: null,
      accelerator: "H100",
      region: "eu-west",
      quote: this.quote,
      usage: reportedUsage(1_000),
      outcome: "COMPLETED",
      attempts: 1,
      streamed: true,
      ttftMs: 120,
      durationMs: 900,
      ...of,
    };
  }
}

/** As an honest provider reports it. */
export function reportedUsage(completionTokens: number): BoundedUsage {
  return {
    promptTokens: 0,
    completionTokens,
    clamped: false,
    source: "REPORTED",
    claimedPromptTokens: 0,
    claimedCompletionTokens: completionTokens,
  };
}

async function anOrganisation(db: Database, clock: TestClock, kind: OrganisationKind): Promise<string> {
  const id = newId();
  await db.source
    .getRepository(Organisation)
    .insert({ id, kind, name: `${kind} ${id}`, createdAt: clock.now(), version: 1 });
  return id;
}

async function firstRateCard(db: Database): Promise<RateCard> {
  const row = await db.source.getRepository(RateCardRow).findOneByOrFail({ version: 1 });
  const tiers = await db.source
    .getRepository(PricingTierRow)
    .find({ where: { rateCardId: row.id }, order: { position: "ASC" } });
  return { ...row, tiers };
}
