/** The allowances that relay processes of one start have in common, in memory: the script's rules without Redis. */

import { scriptArguments } from "./borrow-script";
import { Bucket } from "./bucket";

interface Held {
  readonly held: number;
  readonly untilMs: number;
}

interface Common {
  readonly requests: Bucket;
  readonly tokens: Bucket;
  readonly slots: Map<string, Held>;
  touchedAtMs: number;
}

const SWEPT_AT = 10_000;

export class CommonAllowances {
  private readonly subjects = new Map<string, Common>();
  private sweepAt = SWEPT_AT;

  constructor(private readonly nowMs: () => number) {}

  /** Keys, arguments and figures are those of the script. */
  borrow(keys: readonly string[], [instance, ttl, kept, ...asked]: readonly (string | number)[]): number[] {
    const nowMs = this.nowMs();
    this.sweep(nowMs, Number(kept));
    const subjects = keys.map((key, i) => {
      const own = asked.slice(i * scriptArguments.length).map(Number);
      return this.ready(key, own, String(instance), nowMs);
    });
    const fits = subjects.every(({ fits }) => fits);
    const figures = subjects.flatMap(({ common, own, others }) => {
      const [, , , requestsWish, , , , tokensWish, slotsLimit, , slotsWish, slotsInUse] = own as number[];
      const had = common.slots.get(String(instance))?.held ?? 0;
      const most = fits ? slotsLimit! - others : had;
      const held = Math.max(slotsInUse!, Math.min(slotsWish!, most));
      if (held > 0) common.slots.set(String(instance), { held, untilMs: nowMs + Number(ttl) });
      else common.slots.delete(String(instance));
      return [
        ...granted(common.requests, fits ? requestsWish! : 0, nowMs),
        ...granted(common.tokens, fits ? tokensWish! : 0, nowMs),
        held,
      ];
    });
    return [fits ? 1 : 0, ...figures];
  }

  /** With what came back put in, and what stands against what is needed looked at; nothing is lent yet. */
  private ready(key: string, own: readonly number[], instance: string, nowMs: number) {
    const [requestsLimit, requestsBack, requestsNeed, , tokensLimit, tokensBack, tokensNeed, , slotsLimit, slotsNeed] =
      own as [number, number, number, number, number, number, number, number, number, number];
    let common = this.subjects.get(key);
    if (common === undefined) {
      const requests = new Bucket(requestsLimit, nowMs);
      common = { requests, tokens: new Bucket(tokensLimit, nowMs), slots: new Map(), touchedAtMs: nowMs };
      this.subjects.set(key, common);
    }
    common.touchedAtMs = nowMs;
    common.requests.setLimit(requestsLimit, nowMs);
    common.tokens.setLimit(tokensLimit, nowMs);
    common.requests.give(requestsBack, nowMs);
    common.tokens.give(tokensBack, nowMs);
    let others = 0;
    for (const [other, { held, untilMs }] of common.slots) {
      if (untilMs <= nowMs) common.slots.delete(other);
      else if (other !== instance) others += held;
    }
    const fits =
      (requestsNeed === 0 || common.requests.available(nowMs) >= requestsNeed) &&
      (tokensNeed === 0 || common.tokens.available(nowMs) >= tokensNeed) &&
      (slotsNeed === 0 || slotsLimit - others >= slotsNeed);
    return { common, own, others, fits };
  }

  private sweep(nowMs: number, keptMs: number): void {
    if (this.subjects.size < this.sweepAt) return;
    for (const [key, { touchedAtMs }] of this.subjects) {
      if (nowMs - touchedAtMs > keptMs) this.subjects.delete(key);
    }
    this.sweepAt = Math.max(SWEPT_AT, this.subjects.size * 2);
  }
}

/** What is given, and what is left. */
function granted(bucket: Bucket, wish: number, nowMs: number): [number, number] {
  const given = Math.max(0, Math.min(wish, Math.floor(bucket.available(nowMs))));
  bucket.take(given, nowMs);
  return [given, bucket.available(nowMs)];
}
