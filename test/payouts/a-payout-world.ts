/** Providers with final statements and bank accounts on a real database, and the room of payouts over any rail. */
import { randomBytes } from "node:crypto";
import type { EntityManager } from "typeorm";
import { Statement } from "../../entities/statement";
import type { Viewer } from "../../src/accounts/viewer";
import { Outbox } from "../../src/events/outbox";
import { Ledger } from "../../src/ledger/ledger";
import { openPayouts } from "../../src/payouts/open-payouts";
import type { Payouts } from "../../src/payouts/payouts";
import type { PayoutRail } from "../../src/payouts/rails/rail";
import { readConfig } from "../../src/platform/config";
import { newId } from "../../src/platform/ids";
import { createLog } from "../../src/platform/log";
import { transaction } from "../../src/platform/transaction";
import { dueStatements } from "../../src/statements/due";
import { dueAt, endOf } from "../../src/statements/period";
import { openWorld, viewerOf, type World } from "../accounts/a-world";

export const CALLBACK_SECRET = `whsec_${Buffer.from("a callback secret for tests, 32 b").toString("base64")}`;
export const HOUR_MS = 3_600_000;
export const COOLING_MS = 72 * HOUR_MS;

/** Check digits worked out, so that a test can choose how an IBAN ends. */
export function anIban(end: string): string {
  const account = `37040044${end.padStart(10, "0")}`;
  let remainder = 0;
  for (const digit of `${account}131400`) remainder = (remainder * 10 + Number(digit)) % 97;
  return `DE${(98 - remainder).toString().padStart(2, "0")}${account}`;
}

/** Writes lines while the statement takes some. */
export type StatementLines = (tx: EntityManager, statementId: string) => Promise<unknown>;

export interface PayoutWorld extends World {
  readonly url: string;
  readonly outbox: Outbox;
  readonly ledger: Ledger;
  readonly payouts: Payouts;
  readonly sealingKey: Buffer;
  readonly operators: readonly [Viewer, Viewer];
  /** Another instance of the room, as another process has one. */
  another(rail: PayoutRail | null, environment?: Record<string, string>): Payouts;
  /** A provider with a confirmed account whose cooling is over; null: without one. */
  provider(ibanEnd?: string | null): Promise<Viewer>;
  account(provider: Viewer, ibanEnd: string): Promise<string>;
  /** Final and owed. */
  statement(provider: Viewer, period: string, totalNanoUsd: bigint, lines?: StatementLines): Promise<string>;
  /** Credits less debits. */
  balance(account: string): Promise<bigint>;
  /** What every statement and everything on its way to providers holds, and what has left. */
  totals(): Promise<{ owed: bigint; inTransit: bigint; paid: bigint }>;
}

export async function openPayoutWorld(
  rail: PayoutRail | null = null,
  environment: Record<string, string> = {},
): Promise<PayoutWorld> {
  const world = await openWorld("2026-03-10T12:00:00Z");
  const { db, clock, bus } = world;
  const outbox = new Outbox(db, bus, clock);
  const ledger = new Ledger({ db, clock });
  const sealingKey = randomBytes(32);
  const another = (way: PayoutRail | null, more: Record<string, string> = {}) =>
    openPayouts(
      {
        config: readConfig({ PAYOUT_CALLBACK_SECRET: CALLBACK_SECRET, ...environment, ...more }),
        db,
        clock,
        realClock: clock,
        log: createLog({ level: "silent" }),
        outbox,
        ledger,
        statements: { dueForPayout: dueStatements },
        sealingKey,
      },
      way,
    );
  const payouts = another(rail);
  const account = async (provider: Viewer, ibanEnd: string): Promise<string> => {
    const { id } = await payouts.accounts.propose(await aKeyOf(world, provider), {
      holder: "Nordic GPU AS",
      iban: anIban(ibanEnd),
      bic: "COBADEFFXXX",
      country: "DE",
    });
    // Who confirms has to have been there before.
    await db.source.query("UPDATE payout_account SET proposed_at = proposed_at + interval '1 ms' WHERE id = $1", [id]);
    await payouts.accounts.confirm(provider, id);
    clock.advanceMs(COOLING_MS);
    return id;
  };
  const second = await aKeyOf(world, world.operator);
  const balance = async (name: string) => {
    const rows = await db.source.query(
      "SELECT credits_posted - debits_posted AS balance FROM ledger_account WHERE name = $1",
      [name],
    );
    return BigInt(rows[0].balance);
  };
  return {
    ...world,
    url: (db.source.options as { url: string }).url,
    outbox,
    ledger,
    payouts,
    sealingKey,
    operators: [await aKeyOf(world, world.operator), second],
    another,
    provider: async (ibanEnd = "0000000001") => {
      const provider = await aKeyOf(world, await world.a("PROVIDER"));
      if (ibanEnd !== null) await account(provider, ibanEnd);
      return provider;
    },
    account,
    statement: (provider, period, total, lines) =>
      aFinalStatement({ ...world, ledger }, provider, { period, totalNanoUsd: total, lines }),
    balance,
    totals: async () => {
      const [row] = await db.source.query(
        `SELECT coalesce(sum(credits_posted - debits_posted) FILTER (WHERE kind = 'STATEMENT_PAYABLE'), 0) AS owed,
                coalesce(sum(credits_posted - debits_posted) FILTER (WHERE kind = 'PAYOUT_IN_TRANSIT'), 0) AS transit,
                coalesce(sum(credits_posted - debits_posted) FILTER (WHERE kind = 'CASH_TRUST'), 0) AS paid FROM ledger_account`,
      );
      return { owed: BigInt(row.owed), inTransit: BigInt(row.transit), paid: BigInt(row.paid) };
    },
  };
}

/** One more key of this organisation, as a viewer. */
export async function aKeyOf({ db, clock }: World, { kind, organisationId }: Viewer): Promise<Viewer> {
  const viewer = viewerOf(kind, organisationId);
  await db.source.query(
    `INSERT INTO api_key (id, organisation_id, name, prefix, digest, scopes, persisted_only, created_at, version)
     VALUES ($1, $2, 'k', 'exg_', $3, '{READ,WRITE,ADMIN}', false, $4, 1)`,
    [viewer.keyId, organisationId, randomBytes(32), clock.now()],
  );
  return viewer;
}

async function aFinalStatement(
  { db, clock, ledger }: World & { ledger: Ledger },
  { organisationId: providerId }: Viewer,
  { period, totalNanoUsd, lines }: { period: string; totalNanoUsd: bigint; lines: StatementLines | undefined },
): Promise<string> {
  const id = newId();
  const name = `statement:${id}`;
  await transaction(db, async (tx) => {
    await tx.insert(Statement, {
      id,
      providerId,
      period,
      state: "IN_REVIEW",
      totalNanoUsd,
      draftedAt: endOf(period),
      reviewEndsAt: endOf(period),
      dueAt: dueAt(period),
      version: 1,
    });
    await lines?.(tx, id);
    await tx.update(Statement, { id }, { state: "FINAL", finalisedAt: endOf(period) });
    await ledger.openAccount(tx, {
      name,
      ledger: "USD",
      kind: "STATEMENT_PAYABLE",
      organisationId: providerId,
      limited: true,
    });
    if (totalNanoUsd === 0n) return;
    await ledger.post(tx, {
      groupId: id,
      bookedAt: clock.now(),
      postings: [{ id: newId(), code: "STATEMENT", debit: "expense:claims", credit: name, amountNano: totalNanoUsd }],
    });
  });
  return id;
}
