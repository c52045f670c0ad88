/** Writes routing decisions in the background, in batches: evidence must never hold up the request that it is about. */
import type { RoutingAttempt, RoutingCandidate } from "../../entities/routing-decision";
import type { RoutingOutcome } from "../../schema/enums";
import type { Database } from "../platform/database";
import { GroupCommit } from "../platform/group-commit";
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
/** About half a second of a busy relay; beyond it decisions are dropped and counted, requests go on. */
const WAITING_MAX = 5_000;

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
  private readonly queue: GroupCommit<Decision, void>;
  /** Decisions that were not written, for the metrics. */
  dropped = 0;

  constructor(
    db: Database,
    private readonly log: Log,
  ) {
    this.queue = new GroupCommit<Decision, void>({
      maxBatch: BATCH_MAX,
      maxQueued: WAITING_MAX,
      commit: async (decisions) => {
        await db.query(statement, [JSON.stringify(decisions)]);
        return decisions.map(() => undefined);
      },
    });
  }

  add(decision: Decision): void {
    this.queue.submit(decision).catch((error: unknown) => {
      this.dropped += 1;
      this.log.warn({ err: error, requestId: decision.requestId }, "routing decision not written");
    });
  }

  drain(): Promise<void> {
    return this.queue.drain();
  }
}
