/** What goes on after the table: light traffic, and the dead provider coming back so that its breach can close. */
import { setTimeout as pause } from "node:timers/promises";
import type { BreachWatch } from "./breach-watch";
import { models, prompts } from "./cast";
import type { ProviderParticipant } from "./onboarding";
import { plan, type Traffic } from "./traffic";

const RESTART_AFTER_MS = 20_000;
const BETWEEN_CALLS_MS = 700;
const TELL_EVERY_CALLS = 60;

export interface Afterwards {
  /** Resolves when the last call has ended. */
  stop(): Promise<void>;
}

export function goOn(options: {
  traffic: Traffic | null;
  startups: number;
  victim: ProviderParticipant;
  watch: BreachWatch;
  tell: (line: string) => void;
}): Afterwards {
  const ending = new AbortController();
  const { traffic, victim, watch, tell } = options;
  watch.onEvent(({ change, node }) => tell(`SLA breach ${node.kind} of ${victim.name} ${change.toLowerCase()}.`));
  const jobs = [
    bringBack(victim, tell, ending.signal),
    traffic === null ? undefined : send(traffic, options.startups, tell, ending.signal),
  ];
  return {
    async stop() {
      ending.abort();
      await Promise.allSettled(jobs);
    },
  };
}

async function bringBack(
  victim: ProviderParticipant,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  await pause(RESTART_AFTER_MS, undefined, { signal });
  await victim.process.start();
  tell(`${victim.name} is back; its UPTIME breach closes after the first whole minute without a failure.`);
}

async function send(
  traffic: Traffic,
  startups: number,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const round = plan(TELL_EVERY_CALLS, { startups, prompts, pickModel: (index) => models[index % models.length]! });
  for (;;) {
    let failed = 0;
    for (const call of round) {
      await pause(BETWEEN_CALLS_MS * (0.5 + Math.random()), undefined, { signal });
      if ((await traffic.send(call)).outcome !== "OK") failed += 1;
    }
    tell(`${round.length} more requests, ${failed} failed.`);
  }
}
