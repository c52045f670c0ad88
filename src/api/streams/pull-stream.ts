/** An async iterator over a source that is asked when the consumer is ready, and told to look again; never a generator around a wait. */

export interface Source<Item> {
  /** What there is to send now; undefined when nothing is. An error ends the stream. */
  take(): Promise<Item | undefined> | Item | undefined;
  /** Ends timers and listeners; called once. */
  close(): void;
}

/**
 * A generator's `return()` waits for a pending `next()`, so a client that left would keep its listeners until the next
 * event. Here `return()` closes the source and settles a waiting `next()` at once. What a slow consumer has not fetched
 * is the source's to bound: it is asked for one item at a time.
 */
export function pullStream<Item>(open: (wake: () => void) => Source<Item>): AsyncIterableIterator<Item> {
  const done = { done: true, value: undefined } as const;
  let ended = false;
  let stirred = newSignal();
  const wake = () => {
    const raised = stirred;
    stirred = newSignal();
    raised.raise();
  };
  const source = open(wake);
  const end = () => {
    if (ended) return;
    ended = true;
    source.close();
    wake();
  };
  const next = async (): Promise<IteratorResult<Item>> => {
    while (!ended) {
      // Taken before looking, so that what stirs while the source is looking is not lost.
      const { raised } = stirred;
      const item = await source.take();
      if (ended) break;
      if (item !== undefined) return { done: false, value: item };
      await raised;
    }
    return done;
  };
  return {
    next: () =>
      next().catch((error) => {
        if (ended) return done;
        end();
        throw error;
      }),
    return: async () => {
      end();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function newSignal(): { raised: Promise<void>; raise: () => void } {
  let raise = () => {};
  const raised = new Promise<void>((resolve) => {
    raise = resolve;
  });
  return { raised, raise };
}
