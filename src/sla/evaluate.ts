/** Decides from counted minutes and known breaches which breaches open and which close. */
import type { SlaBreachKind } from "../../schema/enums";
import { nextBreach } from "./breach-states";
import { judgeMinute, type MinuteCounters, type SlaTierTerms } from "./minute";
import { MINUTE_MS, minuteOf } from "./minute-counts";

export interface CountedMinute {
  readonly endpointId: string;
  readonly minuteMs: number;
  readonly terms: SlaTierTerms;
  readonly counters: MinuteCounters;
}

export interface KnownBreach {
  readonly id: string;
  readonly endpointId: string;
  readonly kind: SlaBreachKind;
  readonly openedAtMs: number;
  /** Null while it is open. */
  readonly closedAtMs: number | null;
}

export interface BreachActs {
  readonly open: { readonly kind: SlaBreachKind; readonly minute: CountedMinute }[];
  readonly close: { readonly breach: KnownBreach; readonly atMs: number }[];
}

/** Every process writes its counts each second; a minute is complete when those of its last second have arrived too. */
export const COUNTS_ARRIVE_WITHIN_MS = 3_000;

/** The newest complete minute, and after it those that are still being counted; oldest first. */
export function minutesToJudge(atMs: number): { minuteMs: number; complete: boolean }[] {
  const newest = minuteOf(atMs);
  const complete = minuteOf(atMs - COUNTS_ARRIVE_WITHIN_MS) - MINUTE_MS;
  const minutes = [];
  for (let minuteMs = complete; minuteMs <= newest; minuteMs += MINUTE_MS) {
    minutes.push({ minuteMs, complete: minuteMs === complete });
  }
  return minutes;
}

/**
 * `minutes` are those of minutesToJudge that have counts and no maintenance. The same input again, with the acts done,
 * gives no acts: a minute never closes a breach that a later minute opened, nor opens one where a breach was closed
 * after it.
 */
export function breachActs(
  minutes: readonly CountedMinute[],
  breaches: readonly KnownBreach[],
  atMs: number,
): BreachActs {
  const acts: BreachActs = { open: [], close: [] };
  const opened = new Set<string>();
  for (const { minuteMs, complete } of minutesToJudge(atMs)) {
    for (const minute of minutes.filter((counted) => counted.minuteMs === minuteMs)) {
      const verdicts = judgeMinute(minute.terms, minute.counters);
      for (const kind of ["UPTIME", "RESPONSE_TIME"] as const) {
        const known = breaches.filter((breach) => breach.endpointId === minute.endpointId && breach.kind === kind);
        const open = known.find(
          (breach) => breach.closedAtMs === null && !acts.close.some((closing) => closing.breach === breach),
        );
        const key = `${minute.endpointId}|${kind}`;
        const state = open === undefined && !opened.has(key) ? "NONE" : "OPEN";
        const step = nextBreach(state, kind === "UPTIME" ? verdicts.uptime : verdicts.responseTime, complete);
        if (step === "CLOSE" && open !== undefined && open.openedAtMs <= minuteMs) {
          acts.close.push({ breach: open, atMs: minuteMs + MINUTE_MS });
        }
        if (step === "OPEN" && !known.some((breach) => breach.closedAtMs !== null && breach.closedAtMs > minuteMs)) {
          acts.open.push({ kind, minute });
          opened.add(key);
        }
      }
    }
  }
  return acts;
}
