/** A capital partner that draws on facilities as a request would, in a world with money in it, beside an operator and a stranger. */
import { randomUUID } from "node:crypto";
import { CoverageAlert } from "../../entities/coverage-alert";
import type { Facility } from "../../entities/facility";
import { Organisation } from "../../entities/organisation";
import type { OrganisationKind } from "../../schema/enums";
import type { Viewer } from "../../src/accounts/viewer";
import { Outbox } from "../../src/events/outbox";
import type { DrawdownResult } from "../../src/funding/draw";
import { Funding, type NewDrawdown, type NewFacility } from "../../src/funding/funding";
import type { Delivery } from "../../src/metering/metering";
import { NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { viewerOf } from "../accounts/a-world";
import { MoneyWorld, reportedUsage } from "../support/money-world";
import { createTestDatabase } from "../support/template-database";
import { acting } from "./a-lender";

export const usd = (amount: number): bigint => BigInt(Math.round(amount * 100)) * (NANO / 100n);

export interface Fund {
  readonly world: MoneyWorld;
  readonly outbox: Outbox;
  readonly funding: Funding;
  readonly partner: Viewer;
  readonly rival: Viewer;
  readonly operator: Viewer;
  /** 1.35, a limit of a thousand dollars, no fees. */
  facility(terms?: Partial<NewFacility>, by?: Viewer): Promise<Facility>;
  draw(facility: Facility, amountNanoUsd: bigint, options?: Partial<NewDrawdown>): Promise<DrawdownResult>;
  /** A request of the startup that is charged `chargeNanoCredit`. */
  spend(startupId: string, chargeNanoCredit: bigint, served?: Partial<Delivery>): Promise<void>;
  openAlerts(): Promise<CoverageAlert[]>;
  close(): Promise<void>;
}

export async function aFund(): Promise<Fund> {
  const database = await createTestDatabase();
  const world = await MoneyWorld.open(database.url);
  const { db, bus, clock, ledger } = world;
  const outbox = new Outbox(db, bus, clock);
  const funding = new Funding({ db, bus, clock, ledger, outbox });
  const partner = viewerOf("CAPITAL_PARTNER", world.partnerId);
  const another = async (kind: OrganisationKind): Promise<Viewer> => {
    const row = { id: newId(), kind, name: `another ${kind}`, createdAt: clock.now(), version: 1 };
    await db.source.getRepository(Organisation).insert(row);
    return viewerOf(kind, row.id);
  };
  const [rival, operator] = [await another("CAPITAL_PARTNER"), await another("OPERATOR")];
  return {
    world,
    outbox,
    funding,
    partner,
    rival,
    operator,
    facility: (terms = {}, by = partner) => {
      const plain = { name: "A facility", limitNanoUsd: usd(1_000), multiplierPpm: 1_350_000n };
      return acting(by, () => funding.openFacility(by, { ...plain, ...terms }));
    },
    draw: async (facility, amountNanoUsd, options = {}) => {
      const startupId = options.startupId ?? (await world.startup());
      const input = { ...options, facilityId: facility.id, startupId, amountNanoUsd };
      return acting(partner, () => funding.draw(partner, input, randomUUID()));
    },
    spend: async (startupId, chargeNanoCredit, served = {}) => {
      const requestId = await world.hold(startupId, chargeNanoCredit);
      // A token costs 937.5 nano-credits here. The last one is more than was held for, so that the hold is the charge.
      const usage = reportedUsage(Number((chargeNanoCredit * 2n) / 1_875n) + 1);
      await world.metering.settle(
        world.delivery({ requestId, startupId, heldNanoCredit: chargeNanoCredit, usage, ...served }),
      );
    },
    openAlerts: async () => {
      const alerts = await db.source.getRepository(CoverageAlert).find({ order: { id: "ASC" } });
      return alerts.filter(({ closedAt }) => closedAt === null);
    },
    close: async () => {
      await world.close();
      await database.drop();
    },
  };
}
