/** The three-way match: usage records, lines and the ledger must say the same before anything becomes final. */
import type { EntityManager } from "typeorm";
import type { Statement } from "../../entities/statement";
import { formatNano } from "../money/nano";
import { DomainError } from "../platform/errors";
import { payableOf } from "./postings";

/** What each of the three says, in nano-dollars. */
export interface Figures {
  /** Accruals of the usage records of the month. */
  readonly usageNanoUsd: bigint;
  readonly usageRequests: bigint;
  /** The statement's accrual lines. */
  readonly accrualLinesNanoUsd: bigint;
  readonly accrualLinesRequests: bigint;
  /** All its lines. */
  readonly linesNanoUsd: bigint;
  readonly totalNanoUsd: bigint;
  /** What the ledger's payable account of the month holds. */
  readonly payableNanoUsd: bigint;
}

interface FigureRow {
  usage: string;
  usage_requests: string;
  accruals: string;
  accrual_requests: string;
  lines: string;
  payable: string;
}

/** One statement, so that all three are seen at one instant. */
const figures = `
  SELECT u.accrued AS usage, u.requests AS usage_requests, l.accruals, l.accrual_requests, l.lines,
         coalesce((SELECT a.credits_posted - a.debits_posted FROM ledger_account a WHERE a.name = $4), 0) AS payable
    FROM (SELECT coalesce(sum(accrual_nano_usd), 0) AS accrued, count(*) AS requests
            FROM usage_record WHERE provider_id = $1 AND period = $2) AS u,
         (SELECT coalesce(sum(amount_nano_usd) FILTER (WHERE kind = 'ACCRUAL'), 0) AS accruals,
                 coalesce(sum(requests) FILTER (WHERE kind = 'ACCRUAL'), 0) AS accrual_requests,
                 coalesce(sum(amount_nano_usd), 0) AS lines
            FROM statement_line WHERE statement_id = $3) AS l`;

/** Errors: STATEMENT_MISMATCH with the figures. */
export async function requireMatch(tx: EntityManager, statement: Statement): Promise<Figures> {
  const { id, providerId, period, totalNanoUsd } = statement;
  const [row]: FigureRow[] = await tx.query(figures, [providerId, period, id, payableOf(providerId, period)]);
  const found: Figures = {
    usageNanoUsd: BigInt(row!.usage),
    usageRequests: BigInt(row!.usage_requests),
    accrualLinesNanoUsd: BigInt(row!.accruals),
    accrualLinesRequests: BigInt(row!.accrual_requests),
    linesNanoUsd: BigInt(row!.lines),
    totalNanoUsd,
    payableNanoUsd: BigInt(row!.payable),
  };
  if (matches(found)) return found;
  throw new DomainError("STATEMENT_MISMATCH", describe(period, found), { details: { ...found } });
}

export const matches = (figures: Figures): boolean =>
  figures.usageNanoUsd === figures.accrualLinesNanoUsd &&
  figures.usageRequests === figures.accrualLinesRequests &&
  figures.linesNanoUsd === figures.totalNanoUsd &&
  figures.totalNanoUsd === figures.payableNanoUsd;

const describe = (period: string, found: Figures): string =>
  `${period} does not add up: usage ${formatNano(found.usageNanoUsd)} in ${found.usageRequests} requests, ` +
  `accrual lines ${formatNano(found.accrualLinesNanoUsd)} in ${found.accrualLinesRequests}, ` +
  `all lines ${formatNano(found.linesNanoUsd)}, total ${formatNano(found.totalNanoUsd)}, ` +
  `ledger ${formatNano(found.payableNanoUsd)} USD.`;
