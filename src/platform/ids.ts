/** Ids are made by the caller before the write, so that a write can be retried after a lost COMMIT reply. */
import { randomFillSync } from "node:crypto";
import { v7 } from "uuid";

const canonicalUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const RANDOM_BYTES = 16;
/** Drawn for 256 ids at once: a draw of its own was more than half of an id's 9 µs. */
const pool = Buffer.alloc(256 * RANDOM_BYTES);
let poolAt = pool.length;
let lastMs = 0;
let sequence = 0;

/** A UUIDv7: sorts by the time of its making, and within this process strictly by the order of making. */
export function newId(): string {
  const random = randomBytes();
  const nowMs = Date.now();
  if (nowMs > lastMs) {
    lastMs = nowMs;
    // 31 of 32 bits: there is room to count up.
    sequence = random.readUInt32BE(0) >>> 1;
  } else {
    sequence = (sequence + 1) | 0;
    if (sequence === 0) lastMs += 1;
  }
  return v7({ msecs: lastMs, seq: sequence, random });
}

function randomBytes(): Buffer {
  if (poolAt === pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  poolAt += RANDOM_BYTES;
  return pool.subarray(poolAt - RANDOM_BYTES, poolAt);
}

/** Whether the text is a UUID exactly as PostgreSQL prints it (lower case, hyphens), so that one id has one spelling. */
export function isId(text: string): boolean {
  return canonicalUuid.test(text);
}
