/** The outage: a provider stalls with requests waiting at it, then dies; the relay sends them elsewhere. */
import type { ProviderProcess } from "./provider-process";
import type { Call, CallResult, Traffic } from "./traffic";
import { until } from "./wait";

export interface Outage {
  /** Requests that the provider had accepted and not begun to answer. */
  readonly waiting: number;
  readonly killedAtMs: number;
  readonly results: readonly CallResult[];
}

/** Everything but what waits at the stalled provider is answered in about a second. */
const SETTLE_MS_MAX = 5_000;

/**
 * The provider hangs first, so that none of its streams has begun when it dies: after the first byte of an answer there
 * is no failover, only an error. `after` are calls for when it is dead and the relay knows.
 */
export async function killUnderLoad(
  provider: ProviderProcess,
  traffic: Traffic,
  calls: { during: readonly Call[]; after: readonly Call[] },
): Promise<Outage> {
  await provider.hang();
  let answered = 0;
  const burst = traffic.sendAll(calls.during, calls.during.length, () => {
    answered += 1;
  });
  let waiting = 0;
  await until(async () => {
    waiting = await provider.inFlight();
    return answered + waiting >= calls.during.length;
  }, SETTLE_MS_MAX);
  await provider.kill();
  const killedAtMs = Date.now();
  const results = [...(await burst), ...(await traffic.sendAll(calls.after, 3))];
  return { waiting, killedAtMs, results };
}
