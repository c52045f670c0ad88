/** What one operation carries, and all that a resolver or stream may touch. */
import type { Viewer } from "../accounts/viewer";
import type { Services } from "../services";
import type { Loaders } from "./loaders";

export interface Context {
  /** Null when no API key was sent; doors decide what that means. */
  readonly viewer: Viewer | null;
  /** Fresh for every request, and for every event of a subscription: what they have read stays read. */
  readonly loaders: Loaders;
  readonly services: Services;
  readonly requestId: string;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}
