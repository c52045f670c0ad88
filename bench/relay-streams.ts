/** Paced streams, all at once: whether each frame comes, in order and in time, and how many streams an entrant can carry so. */
import { median } from "./figures";
import { FRAME_MARK } from "./provider-answers";
import { RawClient, requestTo } from "./raw-client";
import { bodyOf, print, type Row, type Setting } from "./relay-row";
import type { Contestant } from "./relay-world";

const FRAMES = 50;
const PAUSE_MS = 20;
const LATE_MS = 1_000;
const MUST_CARRY = 512;
const LADDER = [128, 256, 384, 512, 640, 768, 896, 1_024, 1_280, 1_536];
const QUICK_LADDER = [128, 512, 768];
const NUMBER_BYTES = 3;

interface Faults {
  lost: number;
  late: number;
  reordered: number;
  /** The latest frame against the provider's pace. */
  worstMs: number;
}

export const streams: Row = {
  peers: ["direct", "nginx", "plain", "portkey"],
  async run({ contestants }, setting) {
    const most = new Map<Contestant, { carried: number; faults: Map<number, Faults> }>();
    for (const contestant of contestants) most.set(contestant, await climb(contestant, setting));
    report(most, setting);
  },
};

/** Up the ladder until a level has faults in most of its rounds. */
async function climb({ target }: Contestant, { quick, rounds }: Setting) {
  const faults = new Map<number, Faults>();
  let carried = 0;
  for (const count of quick ? QUICK_LADDER : LADDER) {
    const clients = await RawClient.openMany(target, count);
    const request = requestTo(target, bodyOf(`paced ${FRAMES} ${PAUSE_MS}`));
    // Their sockets to the provider are open then: the row is about frames, not about handshakes.
    await Promise.all(clients.map((client) => client.send(requestTo(target, bodyOf("paced 4 100")))));
    const found: Faults[] = [];
    for (let round = 0; round < rounds; round++)
      found.push(sumOf(await Promise.all(clients.map((client) => follow(client, request)))));
    for (const client of clients) client.close();
    const middle = {
      lost: median(found.map(({ lost }) => lost)),
      late: median(found.map(({ late }) => late)),
      reordered: median(found.map(({ reordered }) => reordered)),
      worstMs: median(found.map(({ worstMs }) => worstMs)),
    };
    faults.set(count, middle);
    if (middle.lost + middle.late + middle.reordered > 0) break;
    carried = count;
  }
  return { carried, faults };
}

async function follow(client: RawClient, request: Buffer): Promise<Faults> {
  const faults: Faults = { lost: 0, late: 0, reordered: 0, worstMs: 0 };
  const seen = new Set<number>();
  let last = -1;
  let kept: Buffer = Buffer.alloc(0);
  const sentMs = performance.now();
  await client.send(request, (bytes) => {
    const text = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
    const atMs = performance.now();
    let from = 0;
    for (let at = text.indexOf(FRAME_MARK); at !== -1; at = text.indexOf(FRAME_MARK, from)) {
      const start = at + FRAME_MARK.length;
      if (start + NUMBER_BYTES > text.length) break;
      const number = Number(text.toString("latin1", start, start + NUMBER_BYTES));
      const lateMs = atMs - sentMs - number * PAUSE_MS;
      if (lateMs > LATE_MS) faults.late += 1;
      if (lateMs > faults.worstMs) faults.worstMs = lateMs;
      if (number !== last + 1) faults.reordered += 1;
      last = number;
      seen.add(number);
      from = start + NUMBER_BYTES;
    }
    // A mark may be cut by the end of these bytes.
    kept = text.subarray(Math.max(from, text.length - FRAME_MARK.length - NUMBER_BYTES));
  });
  faults.lost = FRAMES - seen.size;
  return faults;
}

function sumOf(all: readonly Faults[]): Faults {
  const sum = { lost: 0, late: 0, reordered: 0, worstMs: 0 };
  for (const { lost, late, reordered, worstMs } of all) {
    sum.lost += lost;
    sum.late += late;
    sum.reordered += reordered;
    sum.worstMs = Math.max(sum.worstMs, worstMs);
  }
  return sum;
}

type Climbed = Awaited<ReturnType<typeof climb>>;

function report(most: ReadonlyMap<Contestant, Climbed>, { rounds }: Setting): void {
  const rows = [...most].map(([{ name }, { carried, faults }]) => {
    const failedAt = [...faults.keys()].at(-1)!;
    const { lost, late, reordered, worstMs } = faults.get(failedAt)!;
    const atGoal = faults.get(MUST_CARRY);
    return [
      name,
      String(carried),
      atGoal === undefined ? "–" : `${atGoal.lost} / ${atGoal.late} / ${atGoal.reordered}`,
      atGoal === undefined ? "–" : atGoal.worstMs.toFixed(0),
      failedAt === carried
        ? "end of the ladder"
        : `${failedAt}: ${lost} / ${late} / ${reordered}, ${worstMs.toFixed(0)} ms`,
    ];
  });
  const relay = [...most].at(-1)![1];
  print(`Paced streams, ${FRAMES} frames of ${PAUSE_MS} ms: medians of ${rounds} rounds`, {
    head: [
      "entrant",
      "most without a fault",
      `lost / late / reordered at ${MUST_CARRY}`,
      `latest frame at ${MUST_CARRY}, ms`,
      "first level with faults",
    ],
    rows,
    figures: { row: "streams", carried: relay.carried, at512: relay.faults.get(MUST_CARRY) ?? null },
  });
}
