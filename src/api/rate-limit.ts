/** Who has how many points a minute: every key, session and member its own, strangers by the address they come from. */
import type { Cluster, Redis } from "ioredis";
import type { Viewer } from "../accounts/viewer";
import type { Config } from "../platform/config";
import { DomainError } from "../platform/errors";
import { type Allowance, createRateLimiter, type RateLimiter } from "../platform/rate-limiter";

const WINDOW_MS = 60_000;

export interface RateLimits {
  /** Without it every process counts for itself. */
  readonly redis?: Redis | Cluster | undefined;
}

export interface Allowances {
  /** Errors: THROTTLED, with the allowance as its details. */
  charge(viewer: Viewer | null, address: string, cost: number): Promise<Allowance>;
  /** Gives back what was charged in excess, or takes more when negative. */
  refund(viewer: Viewer | null, address: string, points: number): void;
  /** Points a second at which the viewer's allowance refills on average. */
  restoreRate(viewer: Viewer | null): number;
}

export function createAllowances({ graphql }: Config, { redis }: RateLimits): Allowances {
  const limiter = (name: string, points: number) => createRateLimiter({ name, points, perMs: WINDOW_MS, redis });
  const known = limiter("graphql", graphql.pointsPerMinute);
  const strangers = limiter("graphql-anonymous", graphql.anonymousPointsPerMinute);
  const limiterOf = (viewer: Viewer | null): RateLimiter => (viewer === null ? strangers : known);
  return {
    async charge(viewer, address, cost) {
      const allowance = await limiterOf(viewer).take(keyOf(viewer, address), cost);
      if (allowance.allowed) return allowance;
      const seconds = Math.ceil(allowance.resetMs / 1_000);
      throw new DomainError(
        "THROTTLED",
        `The operation costs ${cost} points, and ${allowance.remaining} are left. There will be ${allowance.limit} in ${seconds} s.`,
        { details: { allowance } },
      );
    },
    refund: (viewer, address, points) => limiterOf(viewer).give(keyOf(viewer, address), points),
    restoreRate: (viewer) => (limiterOf(viewer).limit * 1_000) / WINDOW_MS,
  };
}

/** A person's sessions share, as somebody with two browsers is still one. */
function keyOf(viewer: Viewer | null, address: string): string {
  if (viewer === null) return networkOf(address);
  return viewer.keyId ?? viewer.memberId ?? viewer.sessionId ?? viewer.organisationId;
}

/** Whoever has one IPv6 address has 2^64 of them. */
function networkOf(address: string): string {
  if (!address.includes(":") || address.includes(".")) return address;
  const [head = "", tail] = address.split("::", 2);
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return groups.slice(0, 4).join(":");
}
