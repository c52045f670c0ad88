/** What one API key may send now, its organisation's limits included; hands out permits and tells the figures. */
import type { ServerResponse } from "node:http";
import type { KeyLimits } from "../../accounts/key-limits";
import type { Group, Lack } from "./group";
import { Permit } from "./permit";
import type { Pool } from "./pool";
import { type Figures, type RateHeaders, rateHeaders } from "./rate-headers";
import { rateLimitExceeded } from "./refusal";
import type { Subject } from "./subject";

export interface AllowanceOptions {
  readonly group: Group;
  readonly key: Subject;
  /** As the key was found; another object when it was found anew. */
  readonly limits: KeyLimits | undefined;
  readonly nowMs: () => number;
  readonly onRefusal: (lack: Lack) => void;
}

export class Allowance {
  constructor(readonly options: AllowanceOptions) {}

  /**
   * Takes one request, so many tokens and a slot; what is refused has taken nothing. A promise only when Redis must be
   * asked. `atMost`: the client named no limit of its own, so a whole minute's tokens will do.
   * Errors: RATE_LIMIT_EXCEEDED, thrown or as the promise's.
   */
  enter(tokens: number, { atMost }: { atMost: boolean }): Permit | Promise<Permit> {
    const { group, key, nowMs } = this.options;
    const most = Math.min(key.tokens.limit, group.organisation.tokens.limit);
    const asked = atMost ? Math.min(tokens, most) : tokens;
    const lack = group.take(key, asked, nowMs());
    if (lack === null) return new Permit(this, asked);
    if (!group.mayBorrow || asked > most) throw this.refusal(lack, asked);
    return group.takeBorrowed(key, asked).then((missing) => {
      if (missing !== null) throw this.refusal(missing, asked);
      return new Permit(this, asked);
    });
  }

  giveBack(back: { requests: number; tokens: number }): void {
    const { group, key, nowMs } = this.options;
    group.give(key, back, nowMs());
  }

  /** Of the key and its organisation, whichever has less left. */
  headers(): RateHeaders {
    const { group, key, nowMs } = this.options;
    const now = nowMs();
    const { organisation } = group;
    return rateHeaders(
      tighter(key.requests, organisation.requests, now),
      tighter(key.tokens, organisation.tokens, now),
    );
  }

  /** The same on a head that somebody else writes. */
  headersTo(response: ServerResponse): void {
    if (response.headersSent) return;
    for (const [name, value] of Object.entries(this.headers())) response.setHeader(name, value);
  }

  private refusal(lack: Lack, tokens: number): Error {
    this.options.onRefusal(lack);
    return rateLimitExceeded(lack, tokens, this.options.nowMs());
  }
}

function tighter(one: Pool, other: Pool, nowMs: number): Figures {
  const remaining = one.remaining(nowMs);
  const pool = other.remaining(nowMs) < remaining ? other : one;
  return { limit: pool.limit, remaining: pool.remaining(nowMs), resetMs: pool.resetMs(nowMs) };
}
