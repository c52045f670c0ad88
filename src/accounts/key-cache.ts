/** Remembers for a few seconds what a key or a session was found to be, so that the relay's warm path asks no database. */
import { LRUCache } from "lru-cache";
import type { Clock } from "../platform/clock";
import { asSystem } from "../platform/tenancy";
import type { Viewer } from "./viewer";

export interface FoundKey {
  readonly viewer: Viewer;
  readonly expiresAt: Date | null;
}

/** How long a revocation in another process may go unnoticed here: 5 s are promised, and a request takes a while. */
const KNOWN_TTL_MS = 4_000;
const UNKNOWN_TTL_MS = 1_000;
const ENTRIES_MAX = 10_000;

export class KeyCache {
  private known = new LRUCache<string, FoundKey & { staleAtMs: number }>({ max: ENTRIES_MAX });
  /** Of its own: made-up keys with a right checksum must not push out those of customers. */
  private unknown = new LRUCache<string, { staleAtMs: number }>({ max: ENTRIES_MAX });
  private readonly searches = new Map<string, Promise<Viewer | null>>();
  private era = 0;

  constructor(
    private readonly find: (digest: Buffer) => Promise<FoundKey | null>,
    private readonly clock: Clock,
  ) {}

  /** Undefined: not known, ask `resolve`. */
  peek(digest: Buffer): Viewer | null | undefined {
    const name = digest.toString("base64");
    const nowMs = this.clock.nowMs();
    const found = this.known.get(name);
    if (found !== undefined && nowMs < found.staleAtMs) return unexpired(found, nowMs);
    const miss = this.unknown.get(name);
    return miss !== undefined && nowMs < miss.staleAtMs ? null : undefined;
  }

  /** Requests that come with the same key at once share one query. */
  resolve(digest: Buffer): Promise<Viewer | null> {
    const name = digest.toString("base64");
    let search = this.searches.get(name);
    if (search === undefined) {
      // Shared by all who wait for it, and made before anybody knows for whom.
      search = asSystem(() => this.search(name, digest)).finally(() => {
        if (this.searches.get(name) === search) this.searches.delete(name);
      });
      this.searches.set(name, search);
    }
    return search;
  }

  /** Forgets everything, also what queries in flight are about to bring: they may have read before the revocation. */
  clear(): void {
    this.era += 1;
    this.known.clear();
    this.unknown.clear();
    this.searches.clear();
  }

  private async search(name: string, digest: Buffer): Promise<Viewer | null> {
    const { era } = this;
    // Before the query: what it brings was true when it began, not when it came back.
    const askedMs = this.clock.nowMs();
    const found = await this.find(digest);
    if (era === this.era) {
      if (found === null) this.unknown.set(name, { staleAtMs: askedMs + UNKNOWN_TTL_MS });
      else this.known.set(name, { ...found, staleAtMs: askedMs + KNOWN_TTL_MS });
    }
    return found === null ? null : unexpired(found, this.clock.nowMs());
  }
}

function unexpired({ viewer, expiresAt }: FoundKey, nowMs: number): Viewer | null {
  return expiresAt !== null && expiresAt.getTime() <= nowMs ? null : viewer;
}
