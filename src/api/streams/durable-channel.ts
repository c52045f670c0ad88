/** A channel of durable events: each is executed once for all who are abreast; who comes later is brought up from its cursor. */
import type { GapReason } from "../../../schema/enums";
import type { DurableEvent, Outbox } from "../../events/outbox";
import type { Follower, OutboxTail } from "../../events/outbox-tail";
import { isConnectionLoss } from "../../platform/database";
import { asSystem } from "../../platform/tenancy";
import { type Channel, RETRY_MS, Rest } from "./channel";
import { cursorAt, type StreamCursor } from "./cursor";
import type { Outlet, Payload } from "./outlet";
import type { Rendering } from "./rendering";
import type { DurableMessage, DurableStream } from "./stream";
import type { StreamFigures } from "./stream-figures";

/** So often an idle stream's cursor moves on, and a client can tell silence from a dead connection. */
export const CHECKPOINT_MS = 20_000;
/** Messages kept written out: after a restart many readers come back with cursors that lie close together. */
const KEPT_MAX = 512;

interface Member {
  readonly outlet: Outlet;
  /** Abreast of the channel: what is delivered goes to it too. */
  live: boolean;
  /** It has all up to here; only what lies behind is for it. */
  position: bigint;
  /** Events that its snapshot told already. */
  told: Set<string> | null;
}

interface Snapshot {
  readonly head: bigint;
  readonly payloads: readonly Payload[];
  readonly told: ReadonlySet<string>;
}

export interface DurableChannelDependencies {
  readonly tail: OutboxTail;
  readonly outbox: Pick<Outbox, "extent" | "yetToTell">;
  readonly rendering: Rendering;
  readonly figures: StreamFigures;
  readonly onEmpty: () => void;
}

export class DurableChannel implements Channel, Follower {
  private readonly members = new Set<Member>();
  private readonly kept = new Map<bigint, Promise<Payload | undefined>>();
  private readonly rests = new Set<Rest>();
  private readonly stop: () => void;
  /** Everybody abreast has all up to here; null until the tail knows where events end. */
  private position: bigint | null = null;
  /** Counts the histories that were followed. */
  private history = 0;
  private snapshotting: Promise<Snapshot> | null = null;
  private pumping = false;
  private stirred = false;
  private open = true;

  constructor(
    private readonly stream: DurableStream,
    private readonly dependencies: DurableChannelDependencies,
  ) {
    const unfollow = dependencies.tail.follow(this);
    const checkpoints = setInterval(() => void this.checkpoint(), CHECKPOINT_MS).unref();
    this.stop = () => {
      unfollow();
      clearInterval(checkpoints);
      for (const rest of this.rests) rest.end();
    };
    this.moved();
  }

  get size(): number {
    return this.members.size;
  }

  join(outlet: Outlet, after: StreamCursor | null): () => void {
    const member: Member = { outlet, live: false, position: 0n, told: null };
    this.members.add(member);
    this.admit(member, after, null).catch((error) => {
      if (!this.leave(member)) return;
      outlet.end(error);
    });
    return () => void this.leave(member);
  }

  moved(): void {
    this.stirred = true;
    if (!this.pumping) void this.pump();
  }

  restarted(): void {
    const { tail } = this.dependencies;
    this.history += 1;
    this.kept.clear();
    this.snapshotting = null;
    this.position = tail.position;
    for (const member of this.members) {
      if (!member.live) continue;
      member.live = false;
      this.admit(member, null, "EPOCH_CHANGED").catch((error) => this.leave(member) && member.outlet.end(error));
    }
  }

  /** Brings a reader from its cursor, or from a snapshot, to where the channel is. */
  private async admit(member: Member, after: StreamCursor | null, known: GapReason | null): Promise<void> {
    let gap = known;
    let cursor = after;
    for (;;) {
      await this.dependencies.tail.ready();
      const { history } = this;
      gap ??= cursor === null ? null : await this.gapAt(cursor);
      if (gap !== null) await this.tellGap(member, gap);
      const position = gap === null ? (cursor?.position ?? null) : null;
      const reached = await this.catchUp(member, position ?? (await this.tellSnapshot(member)), history);
      if (reached !== "GAP") return;
      gap = history === this.history ? "TRIMMED" : "EPOCH_CHANGED";
      cursor = null;
    }
  }

  /** Why one cannot go on from there; null when one can. */
  private async gapAt({ epoch, position }: StreamCursor): Promise<GapReason | null> {
    const extent = await this.insist(() => asSystem(() => this.dependencies.outbox.extent()));
    if (epoch !== extent.epoch) return "EPOCH_CHANGED";
    if (position === null) return null;
    // A cursor that counts further than there are events is from a history that a restored backup has cut off.
    if (position > extent.head) return "EPOCH_CHANGED";
    return position < extent.trimmed ? "TRIMMED" : null;
  }

  private async tellGap(member: Member, gap: GapReason): Promise<void> {
    this.dependencies.figures.gap(gap);
    const message = { cursor: this.cursor(null), gap, missed: null };
    const [payload] = await this.insist(() => this.render([message]));
    await this.send(member, payload!);
  }

  private async tellSnapshot(member: Member): Promise<bigint> {
    const { head, payloads, told } = await this.insist(() => this.snapshot());
    for (const payload of payloads) await this.send(member, payload);
    member.told = told.size > 0 ? new Set(told) : null;
    return head;
  }

  /** One reading serves all who come while it goes on: whatever it misses comes again as an event. */
  private snapshot(): Promise<Snapshot> {
    if (this.snapshotting === null) {
      const reading = this.readSnapshot().finally(() => {
        if (this.snapshotting === reading) this.snapshotting = null;
      });
      this.snapshotting = reading;
    }
    return this.snapshotting;
  }

  private async readSnapshot(): Promise<Snapshot> {
    const { outbox, rendering } = this.dependencies;
    const { topics, organisationId } = this.stream;
    // The position first: what is published while the snapshot is read comes again as an event, instead of never.
    const { head } = await asSystem(() => outbox.extent());
    const items = await rendering.read(() => this.stream.snapshot());
    const names = new Set(items.flatMap((item) => this.stream.toldBy(item) ?? []));
    const toCome = names.size > 0 ? await asSystem(() => outbox.yetToTell(head, topics, organisationId)) : [];
    const told = new Set(toCome.flatMap((event) => this.stream.tells(event) ?? []).filter((name) => names.has(name)));
    const standing: DurableMessage<unknown>[] = items.map((item) => ({ cursor: this.cursor(null), item }));
    const payloads = await this.render([...standing, { cursor: this.cursor(head), checkpointAt: new Date() }]);
    return { head, payloads, told };
  }

  /** "GAP": what the reader needs next is gone. */
  private async catchUp(member: Member, from: bigint, history: number): Promise<"LIVE" | "GAP" | "LEFT"> {
    const { tail, outbox } = this.dependencies;
    for (let position = from; ; ) {
      if (!this.members.has(member)) return "LEFT";
      if (history !== this.history) return "GAP";
      if (this.position !== null && position >= this.position) {
        // In the same step as the comparison: no event can be delivered between the two.
        member.position = position;
        member.live = true;
        return "LIVE";
      }
      const behind = position;
      const remembered = tail.remembers(behind);
      const batch = await this.insist(() => tail.after(behind, this.stream));
      // Asked after the reading: if nothing was forgotten by then, nothing was missing in it.
      if (!remembered && (await this.insist(() => asSystem(() => outbox.extent()))).trimmed > behind) return "GAP";
      const payloads = await this.insist(() => this.payloadsOf(batch.events));
      for (const [index, event] of batch.events.entries()) {
        const payload = payloads[index];
        if (payload === undefined || this.skips(member, event)) continue;
        await this.send(member, payload);
      }
      position = batch.upTo;
    }
  }

  private async pump(): Promise<void> {
    const { tail } = this.dependencies;
    this.pumping = true;
    try {
      await tail.ready();
      this.position ??= tail.position;
      while (this.stirred && this.open) {
        this.stirred = false;
        await this.deliverNews();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.pumping = false;
    }
  }

  private async deliverNews(): Promise<void> {
    for (;;) {
      const { history, position } = this;
      const batch = await this.insist(() => this.dependencies.tail.after(position!, this.stream));
      const payloads = await this.insist(() => this.payloadsOf(batch.events));
      if (!this.open || history !== this.history || batch.upTo === position) return;
      let before = position!;
      for (const [index, event] of batch.events.entries()) {
        const payload = payloads[index];
        if (payload !== undefined) this.deliver(event, payload, before);
        before = event.position;
      }
      this.position = batch.upTo;
    }
  }

  private deliver(event: DurableEvent, payload: Payload, before: bigint): void {
    let delivered = 0;
    for (const member of this.members) {
      if (!member.live || event.position <= member.position || this.skips(member, event)) continue;
      if (!member.outlet.hasRoom()) {
        this.shed(member, before > member.position ? before : member.position);
        continue;
      }
      member.outlet.write(payload);
      delivered += 1;
    }
    this.dependencies.figures.delivered(delivered);
  }

  private skips(member: Member, event: DurableEvent): boolean {
    if (member.told === null) return false;
    const name = this.stream.tells(event);
    const skipped = name !== undefined && member.told.delete(name);
    if (member.told.size === 0) member.told = null;
    return skipped;
  }

  /** Too much waits for this reader: it is told up to where it has everything, and has to come again from there. */
  private shed(member: Member, upTo: bigint): void {
    const { outlet } = member;
    const gap: DurableMessage<unknown> = { cursor: this.cursor(upTo), gap: "SLOW_CONSUMER", missed: null };
    this.dependencies.figures.gap("SLOW_CONSUMER");
    this.leave(member);
    this.render([gap])
      .then(([payload]) => outlet.write(payload!))
      .finally(() => outlet.shed())
      .catch(() => undefined);
  }

  private async checkpoint(): Promise<void> {
    const { position } = this;
    if (position === null) return;
    try {
      const [payload] = await this.render([{ cursor: this.cursor(position), checkpointAt: new Date() }]);
      for (const { live, position: from, outlet } of this.members) {
        // An event that went out meanwhile has moved its cursor further than this message would.
        if (live && from <= position && this.position === position && outlet.hasRoom()) outlet.write(payload!);
      }
    } catch (error) {
      if (!isConnectionLoss(error)) this.fail(error);
    }
  }

  private payloadsOf(events: readonly DurableEvent[]): Promise<(Payload | undefined)[]> {
    const missing = events.filter(({ position }) => !this.kept.has(position));
    if (missing.length > 0) {
      const rendered = this.renderEvents(missing);
      for (const [index, { position }] of missing.entries()) {
        this.kept.set(
          position,
          rendered.then((payloads) => payloads[index]),
        );
      }
      rendered.catch(() => {
        for (const { position } of missing) this.kept.delete(position);
      });
    }
    const payloads = Promise.all(events.map(({ position }) => this.kept.get(position)));
    for (const position of this.kept.keys()) {
      if (this.kept.size <= KEPT_MAX) break;
      this.kept.delete(position);
    }
    return payloads;
  }

  private async renderEvents(events: readonly DurableEvent[]): Promise<(Payload | undefined)[]> {
    const items = await this.dependencies.rendering.read(() => this.stream.itemsOf(events));
    const telling = events.flatMap(({ position }, index) =>
      items[index] === undefined ? [] : [{ index, message: { cursor: this.cursor(position), item: items[index] } }],
    );
    const payloads = await this.render(telling.map(({ message }) => message));
    const byIndex = new Map(telling.map(({ index }, place) => [index, payloads[place]]));
    return events.map((_event, index) => byIndex.get(index));
  }

  private async render(messages: readonly DurableMessage<unknown>[]): Promise<Payload[]> {
    return messages.length === 0 ? [] : this.dependencies.rendering.payloadsOf(messages);
  }

  /** As fast as the reader takes it: what waits is bounded without a loss. */
  private async send(member: Member, payload: Payload): Promise<void> {
    const { outlet } = member;
    while (this.members.has(member) && !outlet.closed && !outlet.hasRoom()) await outlet.flushed();
    if (!this.members.has(member) || outlet.closed) return;
    outlet.write(payload);
    this.dependencies.figures.delivered(1);
  }

  /** Repeats what failed for want of a database until it is back, or nobody is left to hear of it. */
  private async insist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!this.open || !isConnectionLoss(error)) throw error;
      }
      const rest = new Rest();
      this.rests.add(rest);
      await rest.for(RETRY_MS);
      this.rests.delete(rest);
    }
  }

  private cursor(position: bigint | null): string {
    return cursorAt({ epoch: this.dependencies.tail.epoch, position });
  }

  private leave(member: Member): boolean {
    if (!this.members.delete(member)) return false;
    if (this.members.size === 0) this.close();
    return true;
  }

  private fail(error: unknown): void {
    const members = [...this.members];
    this.members.clear();
    this.close();
    for (const { outlet } of members) outlet.end(error);
  }

  private close(): void {
    if (!this.open) return;
    this.open = false;
    this.stop();
    this.dependencies.onEmpty();
  }
}
