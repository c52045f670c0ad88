/** The plain way to book a capture: a transaction for each, which locks the wallet, writes its rows and updates its accounts. */
import { Client } from "pg";
import { newRequestId } from "../src/metering/request-id";
import { usageMembers } from "../src/metering/usage-members";
import { sharePpm } from "../src/pricing/rate-card";
import { accrualNanoUsd, chargeNanoCredit } from "../src/pricing/settlement";
import { tierFor } from "../src/pricing/tier";
import { gpuNanosFor } from "../src/pricing/token-price";
import { delivery, type LedgerWorld } from "./ledger-world";

const PPM = 1_000_000n;

/** What was committed, in what time. */
export interface Committed {
  readonly captures: number;
  readonly seconds: number;
  /** Of each transaction. */
  readonly tookMs: readonly number[];
}

/** The accounts that the charges of one startup move, but for the provider's. */
interface Accounts {
  readonly wallet: string;
  readonly redeemed: string;
  readonly backing: string;
}

const lockWallet = {
  name: "naive-lock",
  text: "SELECT credits_posted - debits_posted - debits_pending AS free, multiplier_ppm FROM ledger_account WHERE id = $1 FOR UPDATE",
};
const insertTransfers = {
  name: "naive-transfers",
  text: `INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at) VALUES
    ($1, $4, 'POSTED', 'USAGE', $5, $6, $7, $12), ($2, $4, 'POSTED', 'ACCRUAL', $8, $9, $10, $12), ($3, $4, 'POSTED', 'SPREAD', $8, $11, $13, $12)`,
};
const insertUsage = {
  name: "naive-usage",
  text: `INSERT INTO usage_record (id, startup_id, api_key_id, provider_id, endpoint_id, offering_id, fixing_id, rate_card_id, model, workload,
      segment, accelerator, region, period, outcome, prompt_tokens, completion_tokens, usage_bounded, claimed_prompt_tokens,
      claimed_completion_tokens, gpu_nanos, held_nano_credit, charge_nano_credit, accrual_nano_usd, spread_nano_usd, accrual_share_ppm, attempts,
      streamed, ttft_ms, duration_ms, completed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'UNSPECIFIED', $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
      $27, $28, $29, $30)`,
};
const debit = {
  name: "naive-debit",
  text: "UPDATE ledger_account SET debits_posted = debits_posted + $2 WHERE id = $1",
};
const credit = {
  name: "naive-credit",
  text: "UPDATE ledger_account SET credits_posted = credits_posted + $2 WHERE id = $1",
};

export class NaiveLedger {
  private readonly byStartup = new Map<string, Accounts>();
  private readonly payables = new Map<string, string>();
  private revenue = "";
  private nr = 0;

  constructor(private readonly world: LedgerWorld) {}

  /** Finds its accounts, so that no capture has to. */
  async open(period: string): Promise<void> {
    const { source } = this.world.db;
    const wallets: (Accounts & { startup: string })[] = await source.query(
      `SELECT w.organisation_id AS startup, w.id AS wallet, r.id AS redeemed, b.id AS backing FROM ledger_account w
         JOIN ledger_account r ON r.kind = 'CREDIT_REDEEMED' AND r.facility_id = w.facility_id
         JOIN ledger_account b ON b.kind = 'FACILITY_BACKING' AND b.facility_id = w.facility_id WHERE w.kind = 'WALLET_LOT'`,
    );
    for (const { startup, ...accounts } of wallets) this.byStartup.set(startup, accounts);
    for (const providerId of this.world.providerIds) {
      const [{ id }]: [{ id: string }] = await source.query(
        `INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, period, limited, created_at)
         VALUES (gen_random_uuid(), $1, 'USD', 'PROVIDER_PAYABLE', $2, $3, true, now()) RETURNING id`,
        [`payable:${providerId}:${period}`, providerId, period],
      );
      this.payables.set(providerId, id);
    }
    this.revenue = (await source.query("SELECT id FROM ledger_account WHERE name = 'revenue:spread'"))[0].id;
  }

  /** As many connections as clients, each one capture after the other. */
  async run(url: string, options: { clients: number; durationMs: number }): Promise<Committed> {
    const connections = Array.from({ length: options.clients }, () => new Client({ connectionString: url }));
    await Promise.all(connections.map((connection) => connection.connect()));
    const tookMs: number[] = [];
    const startedMs = performance.now();
    const client = async (connection: Client) => {
      for (let nowMs = startedMs; nowMs - startedMs < options.durationMs; ) {
        const beganMs = nowMs;
        await this.capture(connection);
        nowMs = performance.now();
        tookMs.push(nowMs - beganMs);
      }
    };
    await Promise.all(connections.map(client));
    const seconds = (performance.now() - startedMs) / 1_000;
    await Promise.all(connections.map((connection) => connection.end()));
    return { captures: tookMs.length, seconds, tookMs };
  }

  /** Accounts in one order, the hot one last: nobody waits in a circle, and what all want is locked for the shortest time. */
  private async capture(connection: Client): Promise<void> {
    const { startupIds } = this.world;
    const nr = this.nr++;
    const startupId = startupIds[nr % startupIds.length]!;
    const accounts = this.byStartup.get(startupId)!;
    const delivered = delivery(this.world, { requestId: newRequestId(), startupId, leaseId: null, nr });
    const priced = price(delivered);
    const payable = this.payables.get(delivered.providerId)!;
    const at = new Date();
    await connection.query("BEGIN");
    const { rows } = await connection.query({ ...lockWallet, values: [accounts.wallet] });
    if (BigInt(rows[0].free) < priced.charge) throw new Error("the bench's wallet is empty");
    const release = (priced.charge * PPM) / BigInt(rows[0].multiplier_ppm);
    const spread = release - priced.accrual;
    const { requestId } = delivered;
    const ids = ["001", "201", "301"].map((leg) => requestId.slice(0, 33) + leg);
    const usd = [accounts.backing, payable, priced.accrual, this.revenue, at, spread];
    const transfers = [...ids, requestId, accounts.wallet, accounts.redeemed, priced.charge, ...usd];
    await connection.query({ ...insertTransfers, values: transfers });
    await connection.query({ ...insertUsage, values: usageRow(delivered, priced, { at, spread }) });
    await connection.query({ ...debit, values: [accounts.wallet, priced.charge] });
    await connection.query({ ...credit, values: [accounts.redeemed, priced.charge] });
    await connection.query({ ...debit, values: [accounts.backing, release] });
    await connection.query({ ...credit, values: [payable, priced.accrual] });
    await connection.query({ ...credit, values: [this.revenue, spread] });
    await connection.query("COMMIT");
  }
}

type Delivered = ReturnType<typeof delivery>;

/** By the same functions as the product's. */
export function price({ usage, quote }: Pick<Delivered, "usage" | "quote">) {
  const gpuNanos = gpuNanosFor(usage, quote.throughput);
  const accrualSharePpm = sharePpm(quote.card, tierFor(quote.card, gpuNanos));
  return {
    gpuNanos,
    accrualSharePpm,
    charge: chargeNanoCredit(gpuNanos, quote.fixingNanoUsdPerGpuHour, quote.card),
    accrual: accrualNanoUsd(gpuNanos, quote.fixingNanoUsdPerGpuHour, accrualSharePpm),
  };
}

function usageRow(
  delivered: Delivered,
  priced: ReturnType<typeof price>,
  booked: { at: Date; spread: bigint },
): unknown[] {
  const u = usageMembers(delivered, priced);
  const whose = [
    delivered.requestId,
    delivered.startupId,
    u.apiKeyId,
    delivered.providerId,
    u.endpointId,
    u.offeringId,
  ];
  const what = [u.fixingId, delivered.quote.card.id, u.model, u.workload, u.accelerator, u.region];
  const used = [
    u.outcome,
    u.promptTokens,
    u.completionTokens,
    u.usageBounded,
    u.claimedPromptTokens,
    u.claimedCompletionTokens,
  ];
  const paid = [u.gpuNanos, delivered.heldNanoCredit, priced.charge, priced.accrual, booked.spread, u.accrualSharePpm];
  const how = [u.attempts, u.streamed, u.ttftMs, u.durationMs, booked.at];
  return [...whose, ...what, booked.at.toISOString().slice(0, 7), ...used, ...paid, ...how];
}
