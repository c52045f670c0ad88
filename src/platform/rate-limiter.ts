/** Points per key and window, taken before work and given back after; shared through Redis where there is one. */
import type { Cluster, Redis } from "ioredis";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";

export interface Allowance {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Until the window starts anew with all points. */
  readonly resetMs: number;
}

export interface RateLimiter {
  readonly limit: number;
  readonly perMs: number;
  /** What is refused is not taken: a smaller wish may still fit. */
  take(key: string, points: number): Promise<Allowance>;
  /** Gives points back, or takes more when negative; nobody waits for it. */
  give(key: string, points: number): void;
}

export interface RateLimiterOptions {
  readonly name: string;
  readonly points: number;
  readonly perMs: number;
  readonly redis?: Redis | Cluster | undefined;
}

export function createRateLimiter({ name, points, perMs, redis }: RateLimiterOptions): RateLimiter {
  const options = { keyPrefix: name, points, duration: perMs / 1_000 };
  const memory = new RateLimiterMemory(options);
  const limiter =
    redis === undefined
      ? memory
      : new RateLimiterRedis({
          ...options,
          storeClient: redis,
          // Without Redis each process counts for itself: a limit that is looser for a while beats no API.
          insuranceLimiter: memory,
          rejectIfRedisNotReady: true,
        });
  const give = (key: string, back: number) => {
    if (back === 0) return;
    const settled = back > 0 ? limiter.reward(key, back) : limiter.penalty(key, -back);
    // The insurance has taken it, or the window is over anyway.
    settled.catch(() => undefined);
  };
  return {
    limit: points,
    perMs,
    async take(key, wanted) {
      try {
        const left = await limiter.consume(key, wanted);
        return { allowed: true, limit: points, remaining: left.remainingPoints, resetMs: left.msBeforeNext };
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        give(key, wanted);
        const remaining = Math.max(0, points - refusal.consumedPoints + wanted);
        return { allowed: false, limit: points, remaining, resetMs: refusal.msBeforeNext };
      }
    },
    give,
  };
}
