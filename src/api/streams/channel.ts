/** What all channels have in common: subscribers of one interest and one scope of view, who share every message. */
import type { StreamCursor } from "./cursor";
import type { Outlet } from "./outlet";

export interface Channel {
  /** Returns the function by which the subscriber leaves; the last one closes the channel. */
  join(outlet: Outlet, after: StreamCursor | null): () => void;
  readonly size: number;
}

/** After which a reading is tried again when the database is away. */
export const RETRY_MS = 1_000;

/** Resolves after `ms`; at once when `ended` is told. A process does not stay for it. */
export class Rest {
  private timer: NodeJS.Timeout | undefined;
  private wake: (() => void) | undefined;

  for(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      this.timer = setTimeout(resolve, ms).unref();
    });
  }

  end(): void {
    clearTimeout(this.timer);
    this.wake?.();
  }
}
