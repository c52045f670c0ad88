/** Asks the other relays for a retry whose first try is not known here, and answers them: over the bus, sealed, within a short bound. */
import type { EventBus } from "../events/event-bus";
import type { FleetingTopics } from "../events/topics";
import type { KeptAnswers, WholeAnswer } from "../metering/kept-answers";
import { newId } from "../platform/ids";
import type { AnswerRecord } from "./answer-record";
import type { Tries } from "./tries";

/** Redis carries a message in about a millisecond; whoever has nothing says nothing. */
const FOUND_WITHIN_MS = 100;
/** In a storm of retries most are of tries that failed, and the bus has other things to carry. */
const ASKS_MAX = 64;

export interface RetryTalkDependencies {
  readonly bus: EventBus;
  readonly tries: Tries;
  readonly kept: KeptAnswers;
  /** What a try may take at most. */
  readonly answeredWithinMs: number;
}

interface Ask {
  found(): void;
  answered(sealed: string | null): void;
}

export class RetryTalk {
  private readonly asks = new Map<string, Ask>();
  private readonly off: readonly (() => void)[];

  constructor(private readonly its: RetryTalkDependencies) {
    const { bus } = its;
    this.off = [
      bus.on("retry.sought", (sought) => this.sought(sought)),
      bus.on("retry.found", ({ ask }) => this.asks.get(ask)?.found()),
      bus.on("retry.answered", ({ ask, sealed }) => this.asks.get(ask)?.answered(sealed)),
    ];
  }

  /** Null: nobody has it, or it came to nothing. Its answer comes when it is whole. */
  async seek(fingerprint: string, count: number): Promise<WholeAnswer | null> {
    const { bus, kept, answeredWithinMs } = this.its;
    if (!bus.shared || this.asks.size >= ASKS_MAX) return null;
    const ask = newId();
    const sealed = await new Promise<string | null>((resolve) => {
      let late = setTimeout(resolve, FOUND_WITHIN_MS, null);
      this.asks.set(ask, {
        found() {
          clearTimeout(late);
          late = setTimeout(resolve, answeredWithinMs, null);
        },
        answered(sealed) {
          clearTimeout(late);
          resolve(sealed);
        },
      });
      bus.publish("retry.sought", { ask, fingerprint, count });
    });
    this.asks.delete(ask);
    return sealed === null ? null : kept.openAnswer(Buffer.from(sealed, "base64"), placeOf(ask));
  }

  close(): void {
    for (const end of this.off) end();
    for (const { answered } of [...this.asks.values()]) answered(null);
  }

  private sought({ ask, fingerprint, count }: FleetingTopics["retry.sought"]): void {
    // Everybody hears what they say themselves.
    if (this.asks.has(ask)) return;
    const { bus, tries } = this.its;
    const found = tries.match(fingerprint, count);
    if (found === null) return;
    if (found === "FAILED") return bus.publish("retry.answered", { ask, sealed: null });
    bus.publish("retry.found", { ask });
    found.record.follow({
      begin() {},
      write() {},
      end: () => bus.publish("retry.answered", { ask, sealed: this.sealed(found.record, ask) }),
      fail: () => bus.publish("retry.answered", { ask, sealed: null }),
    });
  }

  private sealed({ head, body, trailers, overflowed }: AnswerRecord, ask: string): string | null {
    if (head === null || overflowed) return null;
    const answer = { status: head.status, headers: { ...head.headers, ...trailers }, body };
    return this.its.kept.sealAnswer(answer, placeOf(ask)).toString("base64");
  }
}

const placeOf = (ask: string): string => `retry:${ask}`;
