/** Writes routing decisions in the background, in batches: evidence must never hold up the request that it is about. */
import type { RoutingAttempt, RoutingCandidate } from "../../entities/routing-decision";
import type { RoutingOutcome } from "../../schema/enums";
import type { Database } from "../platform/database";
import type { Log } from "../platform/log";

export interface Decision {
  readonly requestId: string;
  readonly startupId: string;
  readonly model: string;
  readonly outcome: RoutingOutcome;
  readonly endpointId: string | null;
  readonly providerIds: readonly string[];
  readonly candidates: readonly RoutingCandidate[];
  readonly attempts: readonly RoutingAttempt[];
  readonly decidedAt: Date;
}

const BATCH_MAX = 500;
/** A few seconds of a busy relay; beyond it decisions are dropped and counted, requests go on. */
const WAITING_MAX = 10_000;
/** Nobody waits for a decision: fewer, larger statements leave the database to the ledger. */
const FLUSH_AFTER_MS = 200;

const statement = {
  name: "routing-decisions",
  text: `INSERT INTO routing_decision (id, startup_id, model, outcome, endpoint_id, provider_ids, candidates, attempts, candidate_count, decided_at)
         SELECT d."requestId", d."startupId", d.model, d.outcome, d."endpointId", d."providerIds", d.candidates, d.attempts,
                jsonb_array_length(d.candidates), d."decidedAt"
           FROM json_to_recordset($1) AS d("requestId" uuid, "startupId" uuid, model text, outcome text, "endpointId" uuid,
                "providerIds" uuid[], candidates jsonb, attempts jsonb, "decidedAt" timestamptz)
         ON CONFLICT (id) DO NOTHING`,
};

export class DecisionLog {
  private waiting: Decision[] = [];
  private timer: NodeJS.Timeout | null = null;
  private flushing: Promise<void> = Promise.resolve();
  /** Decisions that were not written, for the metrics. */
  dropped = 0;

  constructor(
    private readonly db: Database,
    private readonly log: Log,
  ) {}

  add(decision: Decision): void {
    if (this.waiting.length >= WAITING_MAX) {
      this.dropped += 1;
      return;
    }
    this.waiting.push(decision);
    this.timer ??= setTimeout(() => void this.drain(), FLUSH_AFTER_MS).unref();
  }

  /** Everything added so far is written, or has failed to be, when this resolves. */
  drain(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.flushing = this.flushing.then(() => this.flush());
    return this.flushing;
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, BATCH_MAX);
      try {
        await this.db.query(statement, [JSON.stringify(batch)]);
      } catch (error) {
        // They wait for the next decision to come; a lost COMMIT reply does no harm, the ids are known.
        this.log.warn({ err: error, waiting: this.waiting.length }, "routing decisions not written yet");
        return;
      }
      this.waiting.splice(0, batch.length);
    }
  }
}
