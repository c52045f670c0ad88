/** What one operation carries, and all that a resolver or stream may touch. */
import type { Viewer } from "../accounts/viewer";
import type { Allowance } from "../platform/rate-limiter";
import type { Services } from "../services";
import type { Loaders } from "./loaders";

export interface Context {
  /** Null when no credentials were sent; doors decide what that means. */
  readonly viewer: Viewer | null;
  /** Fresh for every request, and for every event of a subscription: what they have read stays read. */
  readonly loaders: Loaders;
  readonly services: Services;
  readonly requestId: string;
  /** Aborted when the client is gone or the time is up. */
  readonly signal: AbortSignal;
  /** What the operation was charged, and what that left. */
  readonly charge?: { readonly cost: number; readonly allowance: Allowance } | undefined;
}
