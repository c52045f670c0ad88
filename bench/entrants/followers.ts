/** The load of the live bench: many followers of one stream in a process of their own, counted and timed on command. */

import { answerCommands, say } from "../commands";
import { percentile } from "../figures";
import { Follower } from "../follower";

/** Sockets that are still shaking hands at one time; a listen queue holds some five hundred. */
const OPENING_MAX = 200;
/** One loopback address has some 28,000 ports to connect from. */
const SOCKETS_PER_ADDRESS = 20_000;
const STAMP = Buffer.from('"soldGpuSeconds":"');

const { url, keys, query } = JSON.parse(process.argv[2]!) as { url: string; keys: string[]; query: string };

const followers: Follower[] = [];
const closings: (number | null)[] = [];
const latenciesMs: number[] = [];
const stalled = new Set<number>();
let timing = false;
let total = 0;
let reached = () => {};

/** Messages of each follower since the last reset. */
let counts: number[] = [];
let behind = 0;
let each = 0;

function received(n: number, payload: Buffer): void {
  total += 1;
  counts[n]! += 1;
  if (counts[n] === each) {
    behind -= 1;
    if (behind === 0) reached();
  }
  if (timing && !stalled.has(n)) latenciesMs.push(Number(process.hrtime.bigint()) / 1e6 - stampMs(payload));
}

function stampMs(payload: Buffer): number {
  const start = payload.indexOf(STAMP) + STAMP.length;
  return Number(payload.toString("latin1", start, payload.indexOf('"', start))) * 1_000;
}

function reset(): void {
  counts = followers.map(() => 0);
  total = 0;
  each = 0;
  latenciesMs.length = 0;
}

/** Resolves when every follower that is neither closed nor excepted has `messages` since the reset; false when it takes too long. */
function allHave(messages: number, withinMs: number, except: ReadonlySet<number>): Promise<boolean> {
  each = messages;
  behind = counts.filter((count, n) => count < messages && !except.has(n)).length;
  if (behind === 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), withinMs);
    reached = () => {
      clearTimeout(timer);
      resolve(true);
    };
  });
}

async function open(count: number): Promise<void> {
  let next = followers.length;
  const end = next + count;
  const opener = async () => {
    while (next < end) {
      const n = next++;
      await new Promise<void>((resolve, reject) => {
        const address = Math.floor(n / SOCKETS_PER_ADDRESS);
        const follower = new Follower({
          url: new URL(url),
          key: keys[n % keys.length]!,
          query,
          ...(address === 0 ? {} : { localAddress: `127.0.0.${1 + address}` }),
          onMessage: (payload) => received(n, payload),
          onSubscribed: resolve,
          onClose: (code) => {
            closings.push(code);
            reject(new Error(`follower ${n} was closed with ${code}`));
          },
        });
        followers[n] = follower;
        counts[n] = 0;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(OPENING_MAX, count) }, opener));
}

say({ ready: true });
void answerCommands({
  open: ({ count }: { count: number }) => open(count),
  reset,
  time: ({ on }: { on: boolean }) => {
    timing = on;
  },
  await: ({ messages, withinMs }: { messages: number; withinMs: number }) => allHave(messages, withinMs, stalled),
  stall: ({ n }: { n: number }) => {
    stalled.add(n);
    followers[n]!.socket.pause();
  },
  release: ({ n }: { n: number }) => {
    followers[n]!.socket.resume();
  },
  figures: () => {
    const figures = { total, p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99), closings };
    latenciesMs.length = 0;
    return figures;
  },
  close: () => {
    for (const { socket } of followers) socket.destroy();
  },
});
