/** The edges of the graph, one statement per kind and tick; they authorise nobody: a resolver shows what its door let through. */
import DataLoader from "dataloader";
import type { Accelerator } from "../../entities/accelerator";
import type { ApiKey } from "../../entities/api-key";
import type { Budget } from "../../entities/budget";
import type { CreditLot } from "../../entities/credit-lot";
import type { CreditNote } from "../../entities/credit-note";
import type { Drawdown } from "../../entities/drawdown";
import type { Endpoint } from "../../entities/endpoint";
import type { Facility } from "../../entities/facility";
import type { Fixing } from "../../entities/fixing";
import type { Member } from "../../entities/member";
import type { Offering } from "../../entities/offering";
import type { Organisation } from "../../entities/organisation";
import type { PayoutAttempt } from "../../entities/payout-attempt";
import type { Project } from "../../entities/project";
import type { ServicingFee } from "../../entities/servicing-fee";
import type { SlaTier } from "../../entities/sla-tier";
import type { Statement } from "../../entities/statement";
import type { StatementDispute } from "../../entities/statement-dispute";
import type { StatementLine } from "../../entities/statement-line";
import type { BlockFigures } from "../funding/block-book";
import type { Coverage } from "../funding/exposure";
import type { Reading } from "../funding/outlook";
import type { CreditBalance, FacilityBalance } from "../ledger/ledger";
import type { BudgetFigures } from "../metering/budget-rules";
import type { Receipt } from "../metering/receipts";
import type { PayoutStanding } from "../payouts/payability";
import type { ShownAccount } from "../payouts/payout-accounts";
import type { Services } from "../services";

/** Keys per statement. */
const BATCH_MAX = 500;

export interface Loaders {
  readonly apiKeyById: DataLoader<string, ApiKey>;
  readonly memberById: DataLoader<string, Member>;
  readonly organisationById: DataLoader<string, Organisation>;
  readonly endpointById: DataLoader<string, Endpoint>;
  readonly endpointsByProviderId: DataLoader<string, Endpoint[]>;
  readonly offeringById: DataLoader<string, Offering>;
  readonly offeringsByEndpointId: DataLoader<string, Offering[]>;
  readonly acceleratorByCode: DataLoader<string, Accelerator>;
  readonly slaTierByCode: DataLoader<string, SlaTier>;
  readonly fixingById: DataLoader<string, Fixing>;
  readonly usageReceiptById: DataLoader<string, Receipt>;
  readonly deliveryReceiptById: DataLoader<string, Receipt>;
  readonly statementById: DataLoader<string, Statement>;
  readonly statementLineById: DataLoader<string, StatementLine>;
  readonly disputesByStatementId: DataLoader<string, StatementDispute[]>;
  readonly creditNotesByStatementId: DataLoader<string, CreditNote[]>;
  readonly facilityById: DataLoader<string, Facility>;
  readonly lotById: DataLoader<string, CreditLot>;
  readonly drawdownById: DataLoader<string, Drawdown>;
  readonly coverageByFacilityId: DataLoader<string, Coverage>;
  readonly outlookReadingByFacilityId: DataLoader<string, Reading>;
  readonly servicingFeesByFacilityId: DataLoader<string, ServicingFee[]>;
  readonly projectById: DataLoader<string, Project>;
  readonly budgetById: DataLoader<string, Budget>;
  readonly budgetsByOwnerId: DataLoader<string, Budget[]>;
  readonly budgetFiguresById: DataLoader<string, BudgetFigures>;
  readonly blockFiguresById: DataLoader<string, BlockFigures>;
  readonly facilityBalanceById: DataLoader<string, FacilityBalance>;
  readonly lotBalanceByAccountId: DataLoader<string, CreditBalance>;
  readonly payoutStandingById: DataLoader<string, PayoutStanding>;
  readonly payoutAttemptsById: DataLoader<string, PayoutAttempt[]>;
  readonly payoutAccountById: DataLoader<string, ShownAccount>;
}

export function createLoaders(services: Services): Loaders {
  const { accounts, blocks, budgets, catalog, funding, ledger, payouts, pricing, receipts, statements, sla } = services;
  return {
    apiKeyById: one(
      (ids) => accounts.apiKeysByIds(ids),
      (row) => row.id,
    ),
    memberById: one(
      (ids) => accounts.members.byIds(ids),
      (row) => row.id,
    ),
    organisationById: one(
      (ids) => accounts.organisationsByIds(ids),
      (row) => row.id,
    ),
    endpointById: one(
      (ids) => catalog.endpointsByIds(ids),
      (row) => row.id,
    ),
    endpointsByProviderId: many(
      (ids) => catalog.endpointsByProviderIds(ids),
      (row) => row.providerId,
    ),
    offeringById: one(
      (ids) => catalog.offeringsByIds(ids),
      (row) => row.id,
    ),
    offeringsByEndpointId: many(
      (ids) => catalog.offeringsByEndpointIds(ids),
      (row) => row.endpointId,
    ),
    acceleratorByCode: one(
      () => catalog.accelerators(),
      (row) => row.code,
    ),
    slaTierByCode: one(
      () => sla.tiers(),
      (row) => row.code,
    ),
    fixingById: one(
      (ids) => pricing.fixingsByIds(ids),
      (row) => row.id,
    ),
    usageReceiptById: one(
      (ids) => receipts.ofUsages(ids),
      (row) => row.requestId,
    ),
    deliveryReceiptById: one(
      (ids) => receipts.ofDeliveries(ids),
      (row) => row.requestId,
    ),
    statementById: one(
      (ids) => statements.byIds(ids),
      (row) => row.id,
    ),
    statementLineById: one(
      (ids) => statements.linesByIds(ids),
      (row) => row.id,
    ),
    disputesByStatementId: many(
      (ids) => statements.disputesByStatementIds(ids),
      (row) => row.statementId,
    ),
    creditNotesByStatementId: many(
      (ids) => statements.creditNotesByStatementIds(ids),
      (row) => row.statementId,
    ),
    facilityById: one(
      (ids) => funding.facilitiesByIds(ids),
      (row) => row.id,
    ),
    lotById: one(
      (ids) => funding.lotsByIds(ids),
      (row) => row.id,
    ),
    drawdownById: one(
      (ids) => funding.drawdownsByIds(ids),
      (row) => row.id,
    ),
    coverageByFacilityId: found((ids) => funding.exposure.coverageByFacilityIds(ids)),
    outlookReadingByFacilityId: found((ids) => funding.exposure.readingsByFacilityIds(ids)),
    servicingFeesByFacilityId: many(
      (ids) => funding.exposure.servicingFeesByFacilityIds(ids),
      (row) => row.facilityId,
    ),
    projectById: one(
      (ids) => accounts.projects.byIds(ids),
      (row) => row.id,
    ),
    budgetById: one(
      (ids) => budgets.byIds(ids),
      (row) => row.id,
    ),
    budgetsByOwnerId: many(
      (ids) => budgets.byOwners(ids),
      (row) => row.apiKeyId ?? row.projectId ?? "",
    ),
    budgetFiguresById: found((ids) => budgets.figures(ids)),
    blockFiguresById: found((ids) => blocks.figures(ids)),
    facilityBalanceById: found((ids) => ledger.facilityBalances(ids)),
    lotBalanceByAccountId: found((ids) => ledger.lotBalances(ids)),
    payoutStandingById: found((ids) => payouts.standings(ids)),
    payoutAttemptsById: many(
      (ids) => payouts.attemptsByPayoutIds(ids),
      (row) => row.payoutId,
    ),
    payoutAccountById: one(
      (ids) => payouts.accounts.byIds(ids),
      (row) => row.id,
    ),
  };
}

/** A key that leads nowhere is a fault of ours, since every key comes from a row with a foreign key or its like. */
function found<Value>(
  read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): DataLoader<string, Value> {
  return new DataLoader<string, Value>(
    async (keys) => {
      const values = await read(keys);
      return keys.map((key) => values.get(key) ?? new Error(`nothing has the key ${key}`));
    },
    { maxBatchSize: BATCH_MAX },
  );
}

function one<Row>(
  read: (keys: readonly string[]) => Promise<Row[]>,
  keyOf: (row: Row) => string,
): DataLoader<string, Row> {
  return found(async (keys) => new Map((await read(keys)).map((row) => [keyOf(row), row])));
}

function many<Row>(
  read: (keys: readonly string[]) => Promise<Row[]>,
  keyOf: (row: Row) => string,
): DataLoader<string, Row[]> {
  return new DataLoader<string, Row[]>(
    async (keys) => {
      const rows = await read(keys);
      const byKey = new Map<string, Row[]>(keys.map((key) => [key, []]));
      for (const row of rows) byKey.get(keyOf(row))?.push(row);
      return keys.map((key) => byKey.get(key) ?? []);
    },
    { maxBatchSize: BATCH_MAX },
  );
}
