/** One run at a time per key, shared by all who ask before it starts; who asks later gets the next one, never a run that began before. */

interface Runs {
  began: boolean;
  current: Promise<void>;
  next: Promise<void> | null;
}

export class SharedRuns {
  private readonly runs = new Map<string, Runs>();

  constructor(private readonly work: (key: string) => Promise<void>) {}

  /** Errors: those of the work. */
  run(key: string): Promise<void> {
    const known = this.runs.get(key);
    if (known === undefined) return this.start(key);
    if (!known.began) return known.current;
    // Whether the one before failed is no matter of the next one.
    known.next ??= known.current.then(
      () => this.start(key),
      () => this.start(key),
    );
    return known.next;
  }

  private start(key: string): Promise<void> {
    const runs: Runs = { began: false, next: null, current: Promise.resolve() };
    this.runs.set(key, runs);
    runs.current = this.perform(key, runs).finally(() => {
      if (this.runs.get(key) === runs && runs.next === null) this.runs.delete(key);
    });
    return runs.current;
  }

  private async perform(key: string, runs: Runs): Promise<void> {
    // A moment later, so that those who are refused in the same batch share it.
    await new Promise<void>((resolve) => setImmediate(resolve));
    runs.began = true;
    await this.work(key);
  }
}
