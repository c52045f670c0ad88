/** A capital partner's drawdowns, lots and use of credit as files for its own books. */
import { CreditLot } from "../../entities/credit-lot";
import { Drawdown } from "../../entities/drawdown";
import { Organisation } from "../../entities/organisation";
import type { CapitalExportKind } from "../../schema/enums";
import type { Viewer } from "../accounts/viewer";
import type { Ledger } from "../ledger/ledger";
import { formatNano } from "../money/nano";
import { type Cell, csv } from "../platform/csv";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { readRows } from "../platform/rows";
import type { Exposure, UseFilter } from "./exposure";

/** Some megabytes of text, which one answer can carry. */
export const EXPORT_ROWS_MAX = 20_000;

export interface CapitalExport {
  readonly fileName: string;
  readonly rows: number;
  readonly csv: string;
}

interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

interface Reading {
  readonly facilityIds: readonly string[];
  readonly facilityNames: ReadonlyMap<string, string>;
  readonly from: Date | null;
  readonly to: Date | null;
}

const within = (column: string) =>
  `WHERE facility_id = ANY ($1) AND ($2::timestamptz IS NULL OR ${column} >= $2) AND ($3::timestamptz IS NULL OR ${column} < $3)`;
const MORE = EXPORT_ROWS_MAX + 1;
const usd = formatNano;
const ratio = (ppm: bigint) => formatNano(ppm * 1_000n);

export class CapitalExports {
  constructor(private readonly dependencies: { db: Database; ledger: Ledger; exposure: Exposure }) {}

  /** Of the viewer's own facilities. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (too many rows). */
  async make(viewer: Viewer | null, kind: CapitalExportKind, filter: UseFilter = {}): Promise<CapitalExport> {
    const facilities = await this.dependencies.exposure.facilitiesOf(viewer, filter);
    const { header, rows } = await this.tables[kind]({
      facilityIds: facilities.map(({ id }) => id),
      facilityNames: new Map(facilities.map(({ id, name }) => [id, name])),
      from: filter.from ?? null,
      to: filter.to ?? null,
    });
    if (rows.length > EXPORT_ROWS_MAX) {
      throw new DomainError(
        "BAD_USER_INPUT",
        `A file has ${EXPORT_ROWS_MAX} rows at most: ask for less time or one facility at a time.`,
        { field: "from" },
      );
    }
    return { fileName: `${kind.toLowerCase().replaceAll("_", "-")}.csv`, rows: rows.length, csv: csv(header, rows) };
  }

  private readonly tables: Readonly<Record<CapitalExportKind, (reading: Reading) => Promise<Table>>> = {
    DRAWDOWNS: (reading) => this.drawdowns(reading),
    CREDIT_LOTS: (reading) => this.lots(reading),
    CREDIT_USE: (reading) => this.use(reading),
  };

  private async drawdowns({ facilityIds, facilityNames, from, to }: Reading): Promise<Table> {
    const { db } = this.dependencies;
    const rows = await readRows(db, Drawdown, `${within("drawn_at")} ORDER BY id LIMIT ${MORE}`, [
      facilityIds,
      from,
      to,
    ]);
    const startups = await this.names(rows.map(({ startupId }) => startupId));
    return {
      header: ["drawdown", "facility", "startup", "drawnAt", "fundedUsd", "originationFeeUsd", "netUsd"],
      rows: rows.map((row) => [
        row.id,
        facilityNames.get(row.facilityId) ?? row.facilityId,
        startups.get(row.startupId) ?? row.startupId,
        row.drawnAt,
        usd(row.fundedNanoUsd),
        usd(row.originationFeeNanoUsd),
        usd(row.fundedNanoUsd - row.originationFeeNanoUsd),
      ]),
    };
  }

  private async lots({ facilityIds, facilityNames, from, to }: Reading): Promise<Table> {
    const { db, ledger } = this.dependencies;
    const rows = await readRows(db, CreditLot, `${within("issued_at")} ORDER BY id LIMIT ${MORE}`, [
      facilityIds,
      from,
      to,
    ]);
    const [startups, balances] = await Promise.all([
      this.names(rows.map(({ startupId }) => startupId)),
      ledger.lotBalances(rows.map(({ accountId }) => accountId)),
    ]);
    const parts = ["available", "held", "blocked", "spent", "expired", "assigned"] as const;
    return {
      header: [
        "lot",
        "drawdown",
        "facility",
        "startup",
        "issuedAt",
        "expiresAt",
        "priority",
        "multiplier",
        "issuedCrd",
        ...parts.map((part) => `${part}Crd`),
      ],
      rows: rows.map((row) => {
        const balance = balances.get(row.accountId);
        return [
          row.id,
          row.drawdownId,
          facilityNames.get(row.facilityId) ?? row.facilityId,
          startups.get(row.startupId) ?? row.startupId,
          row.issuedAt,
          row.expiresAt,
          row.priority,
          ratio(row.multiplierPpm),
          usd(row.issuedNanoCredit),
          ...parts.map((part) => (balance === undefined ? null : usd(balance[`${part}NanoCredit`]))),
        ];
      }),
    };
  }

  private async use({ facilityIds, facilityNames, from, to }: Reading): Promise<Table> {
    const rows = await this.dependencies.db.query<
      Record<"facility_id" | "startup_id" | "accelerator" | "region" | "sla_tier" | "requests" | "spent", string> & {
        hour: Date;
      }
    >(
      {
        name: "funding-export-use",
        text: `SELECT facility_id, startup_id, hour, accelerator, region, sla_tier, requests, spent_nano_credit AS spent
                 FROM credit_use ${within("hour")} ORDER BY hour, facility_id, startup_id, accelerator, region, sla_tier LIMIT ${MORE}`,
      },
      [facilityIds, from, to],
    );
    const startups = await this.names(rows.map((row) => row.startup_id));
    return {
      header: ["hour", "facility", "startup", "accelerator", "region", "slaTier", "requests", "spentCrd"],
      rows: rows.map((row) => [
        row.hour,
        facilityNames.get(row.facility_id) ?? row.facility_id,
        startups.get(row.startup_id) ?? row.startup_id,
        row.accelerator,
        row.region,
        row.sla_tier,
        row.requests,
        usd(BigInt(row.spent)),
      ]),
    };
  }

  private async names(ids: readonly string[]): Promise<Map<string, string>> {
    const rows = await readRows(this.dependencies.db, Organisation, "WHERE id = ANY ($1)", [[...new Set(ids)]]);
    return new Map(rows.map(({ id, name }) => [id, name]));
  }
}
