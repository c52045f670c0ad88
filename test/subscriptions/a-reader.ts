/** A subscriber without a network: what it was written, and a socket that may be stopped. */

import { type Outlet, Payload } from "../../src/api/streams/outlet";
import type { Rendering } from "../../src/api/streams/rendering";
import type { StreamFigures } from "../../src/api/streams/stream-figures";

export class Reader implements Outlet {
  readonly got: unknown[] = [];
  closed = false;
  error: unknown;
  shedTimes = 0;
  private room = true;
  private readonly waiting: (() => void)[] = [];

  hasRoom(): boolean {
    return this.room;
  }

  write(payload: Payload): void {
    this.got.push(JSON.parse(payload.json));
  }

  flushed(): Promise<void> {
    return this.room ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve));
  }

  shed(): void {
    this.shedTimes += 1;
    this.closed = true;
  }

  end(error?: unknown): void {
    this.closed = true;
    this.error = error;
  }

  stall(): void {
    this.room = false;
  }

  readOn(): void {
    this.room = true;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** Writes messages out as they are, and counts how often. */
export function plainRendering(): Rendering & { rendered: number } {
  const rendering = {
    rendered: 0,
    async payloadsOf(messages: readonly unknown[]) {
      rendering.rendered += messages.length;
      return messages.map((message) => new Payload(JSON.stringify(message)));
    },
    read: <T>(work: () => Promise<T>) => work(),
  };
  return rendering;
}

export function countedFigures(): StreamFigures & { conflations: number; deliveries: number; gaps: string[] } {
  const figures = {
    conflations: 0,
    deliveries: 0,
    gaps: [] as string[],
    executed: () => undefined,
    delivered: (messages: number) => {
      figures.deliveries += messages;
    },
    conflated: () => {
      figures.conflations += 1;
    },
    gap: (reason: string) => void figures.gaps.push(reason),
  };
  return figures;
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
