/** A channel of newest values: each change is executed once for all, and who is slow gets the newest of each key when it can. */
import type { EventBus } from "../../events/event-bus";
import { isConnectionLoss } from "../../platform/database";
import { type Channel, RETRY_MS, Rest } from "./channel";
import type { Outlet, Payload } from "./outlet";
import type { Rendering } from "./rendering";
import type { LatestStream } from "./stream";
import type { StreamFigures } from "./stream-figures";

interface Member {
  readonly outlet: Outlet;
  /** Keys whose newest value it still has to get, in the order in which they were first missed; null when none. */
  behind: Set<string> | null;
}

export interface LatestChannelDependencies {
  readonly bus: EventBus;
  readonly rendering: Rendering;
  readonly figures: StreamFigures;
  readonly onEmpty: () => void;
}

export class LatestChannel implements Channel {
  private readonly members = new Set<Member>();
  /** What was told last of each key; a slow reader's debt is keys, never copies of values. */
  private readonly told = new Map<string, { payload: Payload; looks: string | undefined }>();
  private readonly fresh = new Map<string, unknown>();
  private readonly rest = new Rest();
  private readonly stop: () => void;
  private stale: boolean;
  private running = false;

  constructor(
    private readonly stream: LatestStream,
    private readonly dependencies: LatestChannelDependencies,
  ) {
    this.stale = stream.current !== undefined;
    const off = stream.listen((item) => this.hear(item));
    const refresh =
      stream.refreshMs === undefined ? undefined : setInterval(() => this.hear(), stream.refreshMs).unref();
    // Whatever moved while the bus was away was told to nobody.
    const offAgain = dependencies.bus.on("bus.reconnected", () => this.stream.current && this.hear());
    this.stop = () => {
      off();
      offAgain();
      clearInterval(refresh);
      this.rest.end();
    };
  }

  get size(): number {
    return this.members.size;
  }

  join(outlet: Outlet): () => void {
    const member: Member = { outlet, behind: null };
    this.members.add(member);
    for (const [key, { payload }] of this.stream.current ? this.told : []) this.write(member, key, payload);
    // What stands may have moved since it was told, in a process that we do not hear: a repeat tells nobody anything.
    if (this.stream.current) this.hear();
    return () => {
      if (this.members.delete(member) && this.members.size === 0) this.close();
    };
  }

  private hear(item?: unknown): void {
    if (item === undefined) this.stale = true;
    else this.fresh.set(this.stream.keyOf(item), item);
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    try {
      while (this.members.size > 0 && (this.stale || this.fresh.size > 0)) {
        const lost = await this.turn();
        const pauseMs = lost ? RETRY_MS : this.stream.pauseMs;
        if (pauseMs !== undefined) await this.rest.for(pauseMs);
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.running = false;
    }
  }

  /** Tells what is new. True when the database was away: then it is still to be told. */
  private async turn(): Promise<boolean> {
    const { stale } = this;
    this.stale = false;
    const items = new Map(this.fresh);
    this.fresh.clear();
    try {
      const current = stale && this.stream.current ? await this.dependencies.rendering.read(this.stream.current) : [];
      for (const item of current) items.set(this.stream.keyOf(item), item);
      const news = [...items].flatMap(([key, item]) => {
        const looks = this.stream.looksOf?.(item);
        return looks !== undefined && this.told.get(key)?.looks === looks ? [] : [{ key, item, looks }];
      });
      if (news.length === 0) return false;
      const payloads = await this.dependencies.rendering.payloadsOf(news.map(({ item }) => item));
      for (const [index, { key, looks }] of news.entries()) this.tell(key, { payload: payloads[index]!, looks });
      return false;
    } catch (error) {
      if (!isConnectionLoss(error)) throw error;
      this.stale ||= stale;
      for (const [key, item] of items) if (!this.fresh.has(key)) this.fresh.set(key, item);
      return true;
    }
  }

  private tell(key: string, news: { payload: Payload; looks: string | undefined }): void {
    this.told.set(key, news);
    for (const member of this.members) this.write(member, key, news.payload);
  }

  private write(member: Member, key: string, payload: Payload): void {
    const { outlet } = member;
    if (member.behind === null && outlet.hasRoom()) {
      outlet.write(payload);
      this.dependencies.figures.delivered(1);
    } else if (member.behind === null) {
      member.behind = new Set([key]);
      void this.catchUp(member, member.behind);
    } else if (member.behind.has(key)) {
      this.dependencies.figures.conflated();
    } else {
      member.behind.add(key);
    }
  }

  private async catchUp(member: Member, behind: Set<string>): Promise<void> {
    while (behind.size > 0) {
      await member.outlet.flushed();
      if (!this.members.has(member) || member.outlet.closed) return;
      for (const key of behind) {
        if (!member.outlet.hasRoom()) break;
        behind.delete(key);
        member.outlet.write(this.told.get(key)!.payload);
        this.dependencies.figures.delivered(1);
      }
    }
    member.behind = null;
  }

  private fail(error: unknown): void {
    const members = [...this.members];
    this.members.clear();
    this.close();
    for (const { outlet } of members) outlet.end(error);
  }

  private close(): void {
    this.stop();
    this.dependencies.onEmpty();
  }
}
