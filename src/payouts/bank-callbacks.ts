/** Takes what a bank says by itself: signed, each message once, in whatever order they come. */
import { z } from "zod";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import type { Log } from "../platform/log";
import { transaction } from "../platform/transaction";
import type { PaymentProgress, Progress } from "./payment-progress";
import { type SignedMessage, verifiedId } from "./webhook-signature";

/** No NUL, which PostgreSQL cannot keep. */
const words = (charsMax: number) =>
  z
    .string()
    .max(charsMax)
    .regex(/^\P{Cc}*$/u);

const message = z.object({
  type: z.literal("payment.updated"),
  data: z.object({
    key: words(100).min(1),
    state: z.enum(["ACCEPTED", "IN_TRANSIT", "SETTLED", "RETURNED"]),
    code: words(10).nullish(),
    reason: words(500).nullish(),
  }),
});

export class BankCallbacks {
  private readonly db: Database;
  private readonly clock: Clock;
  private readonly realClock: Clock;
  private readonly log: Log;
  private readonly progress: PaymentProgress;
  private readonly secrets: readonly string[];

  constructor(dependencies: {
    db: Database;
    clock: Clock;
    realClock: Clock;
    log: Log;
    progress: PaymentProgress;
    secrets: readonly string[];
  }) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
    this.realClock = dependencies.realClock;
    this.log = dependencies.log;
    this.progress = dependencies.progress;
    this.secrets = dependencies.secrets;
  }

  /**
   * Resolves when it is kept: from then on the bank need not send it again. A copy that comes at the same moment waits.
   * Errors: NOT_FOUND when no bank may call us, UNAUTHENTICATED, MALFORMED_BODY, the database's.
   */
  async receive(signed: SignedMessage): Promise<Progress["result"] | "DUPLICATE"> {
    if (this.secrets.length === 0) throw new DomainError("NOT_FOUND", "No bank calls this marketplace.");
    const now = this.clock.now();
    const id = verifiedId(signed, this.secrets, this.realClock.nowMs());
    const { key, state, code, reason } = readMessage(signed.body);
    const known = { key, state, code: code ?? null, reason: reason ?? null };
    const result = await transaction(this.db, async (tx) => {
      const kept: unknown[] = await tx.query(
        `INSERT INTO bank_callback (id, received_at, key, state, code, reason, result) VALUES ($1, $2, $3, $4, $5, $6, 'STALE')
         ON CONFLICT (id) DO NOTHING RETURNING id`,
        [id, now, key, state, known.code, known.reason],
      );
      if (kept.length === 0) return "DUPLICATE";
      if (state === "ACCEPTED") return "STALE";
      const { result } = await this.progress.apply(tx, key, { ...known, state }, now);
      await tx.query("UPDATE bank_callback SET result = $2 WHERE id = $1", [id, result]);
      return result;
    });
    if (result === "UNKNOWN_PAYMENT")
      this.log.warn({ callback: id, key, state }, "the bank tells of a payment not ours");
    return result;
  }
}

function readMessage(body: Buffer): z.output<typeof message>["data"] {
  try {
    return message.parse(JSON.parse(body.toString("utf8"))).data;
  } catch (cause) {
    throw new DomainError("MALFORMED_BODY", "The callback is no message about a payment.", { cause });
  }
}
