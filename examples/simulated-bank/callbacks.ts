/** Tells the customer what becomes of its payments: signed as Standard Webhooks want it, again until it is heard, sometimes twice. */
import { createHmac, randomUUID } from "node:crypto";
import type { Payment } from "./payments";

export interface CallbackOptions {
  readonly url: string;
  /** `whsec_…` */
  readonly secret: string;
  /** Each message goes out so many times, under one id. */
  readonly copies?: number;
  /** Messages of one payment come in the wrong order. */
  readonly shuffle?: boolean;
  /** Every so many-th message is never sent; 0: none. */
  readonly loseEvery?: number;
}

const TRIES_MAX = 6;
const FIRST_PAUSE_MS = 100;

/** What goes over the wire for one message. */
export function signedMessage(secret: string, id: string, at: Date, body: string) {
  const timestamp = Math.floor(at.getTime() / 1_000).toString();
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${signature}`,
  };
}

export class Callbacks {
  private sent = 0;
  private readonly ended = new AbortController();
  private readonly running = new Set<Promise<void>>();
  /** Messages that wait for the one behind them, by payment. */
  private readonly kept = new Map<string, string>();

  constructor(private readonly options: CallbackOptions) {}

  tell({ key, state, code, reason, reference }: Payment): void {
    const body = JSON.stringify({ type: "payment.updated", data: { key, state, code, reason, reference } });
    const { shuffle = false } = this.options;
    if (shuffle && state === "IN_TRANSIT") {
      this.kept.set(key, body);
      return;
    }
    this.send(body);
    const overtaken = this.kept.get(key);
    this.kept.delete(key);
    if (overtaken !== undefined) this.send(overtaken);
  }

  /** Gives up what is not delivered. */
  async close(): Promise<void> {
    this.ended.abort();
    await Promise.all(this.running);
  }

  private send(body: string): void {
    const { copies = 1, loseEvery = 0 } = this.options;
    this.sent += 1;
    if (loseEvery > 0 && this.sent % loseEvery === 0) return;
    const id = `msg_${randomUUID()}`;
    for (let copy = 0; copy < copies; copy++) {
      const delivery = this.deliver(id, body).finally(() => this.running.delete(delivery));
      this.running.add(delivery);
    }
  }

  private async deliver(id: string, body: string): Promise<void> {
    const { url, secret } = this.options;
    for (let attempt = 0; attempt < TRIES_MAX && !this.ended.signal.aborted; attempt++) {
      try {
        const headers = signedMessage(secret, id, new Date(), body);
        const answer = await fetch(url, { method: "POST", headers, body, signal: this.ended.signal });
        await answer.arrayBuffer();
        if (answer.ok) return;
      } catch {
        // Nobody there, or gone: the same message again.
      }
      await this.rest(FIRST_PAUSE_MS * 2 ** attempt);
    }
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.ended.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
