/** Charges the servicing fee of every facility for every month that has ended, once. */
import type { EntityManager } from "typeorm";
import { Drawdown } from "../../entities/drawdown";
import { Facility } from "../../entities/facility";
import { ServicingFee } from "../../entities/servicing-fee";
import type { Ledger } from "../ledger/ledger";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { transaction } from "../platform/transaction";
import { type Drawn, endedMonths, monthOf, servicingFee } from "./servicing-rules";

type Dependencies = { db: Database; ledger: Ledger; clock: Clock };

/** Returns how many facility-months were charged by this call. Repeating it charges nothing. For the worker. */
export async function chargeServicing({ db, ledger, clock }: Dependencies): Promise<number> {
  const at = clock.now();
  const facilities = await db.source
    .getRepository(Facility)
    .createQueryBuilder("facility")
    .where("facility.servicingFeePpm > 0")
    .orderBy("facility.id")
    .getMany();
  let charged = 0;
  for (const facility of facilities) {
    const months = endedMonths(facility.openedAt, at);
    const known = await db.source.getRepository(ServicingFee).findBy({ facilityId: facility.id });
    for (const period of months.filter((month) => !known.some((fee) => fee.period === month))) {
      if (await transaction(db, (tx) => charge(tx, { facility, period, ledger, at }))) charged += 1;
    }
  }
  return charged;
}

/** False: another process was first. */
async function charge(
  tx: EntityManager,
  { facility, period, ledger, at }: { facility: Facility; period: string; ledger: Ledger; at: Date },
): Promise<boolean> {
  const { id: facilityId, servicingFeePpm } = facility;
  const { drawnNanoUsd, amountNanoUsd } = servicingFee(await drawnOf(tx, facilityId), period, servicingFeePpm);
  const [transfer]: { id: string; booked_at: Date }[] = await tx.query(
    "SELECT ledger_named_id($1, $2) AS id, greatest($3::timestamptz, ledger_books_open_since()) AS booked_at",
    [facilityId, `servicing:${period}`, monthOf(period).until],
  );
  const { id, booked_at: bookedAt } = transfer!;
  // The row is what makes it once: a second charge of the month waits here, and then finds it.
  const rows: unknown[] = await tx.query(
    `INSERT INTO servicing_fee (facility_id, period, drawn_nano_usd, fee_ppm, amount_nano_usd, transfer_id, charged_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (facility_id, period) DO NOTHING RETURNING period`,
    [
      facilityId,
      period,
      `${drawnNanoUsd}`,
      `${servicingFeePpm}`,
      `${amountNanoUsd}`,
      amountNanoUsd > 0n ? id : null,
      at,
    ],
  );
  if (rows.length === 0 || amountNanoUsd === 0n) return rows.length > 0;
  const name = `facility:${facilityId}:fees`;
  // What the lender owes: debited, so it is no limited account.
  await ledger.openAccount(tx, { name, ledger: "USD", kind: "FACILITY_FEES", facilityId, limited: false });
  await ledger.post(tx, {
    groupId: id,
    bookedAt,
    postings: [{ id, code: "SERVICING_FEE", debit: name, credit: "revenue:servicing", amountNano: amountNanoUsd }],
  });
  return true;
}

/** Drawdowns, and what went back to the lender after a default. */
async function drawnOf(tx: EntityManager, facilityId: string): Promise<Drawn[]> {
  const drawdowns = await tx.findBy(Drawdown, { facilityId });
  const returned: { at: Date; nano_usd: string }[] = await tx.query(
    `SELECT b.ended_at AS at, sum(l.assigned_backing_nano_usd) AS nano_usd
       FROM ledger_account a JOIN block_lot l ON l.lot_account_id = a.id JOIN block b ON b.id = l.block_id
      WHERE a.kind = 'WALLET_LOT' AND a.facility_id = $1 AND b.state = 'ASSIGNED'
      GROUP BY b.ended_at`,
    [facilityId],
  );
  return [
    ...drawdowns.map(({ drawnAt, fundedNanoUsd }) => ({ at: drawnAt, nanoUsd: fundedNanoUsd })),
    ...returned.map(({ at, nano_usd }) => ({ at, nanoUsd: -BigInt(nano_usd) })),
  ];
}
