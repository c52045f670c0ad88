/** Cursors of durable streams: which history, and how far in it. */

import { DomainError } from "../../platform/errors";
import { isId } from "../../platform/ids";

const POSITION_MAX = (1n << 63n) - 1n;
const CURSOR = /^outbox:([^:]+):(snapshot|\d{1,19})$/;

export interface StreamCursor {
  readonly epoch: string;
  /** Null: in the middle of a snapshot. Whoever goes on from there has not had all of it, and gets it anew. */
  readonly position: bigint | null;
}

export const cursorAt = ({ epoch, position }: StreamCursor): string =>
  Buffer.from(`outbox:${epoch}:${position ?? "snapshot"}`).toString("base64url");

/** Errors: BAD_USER_INPUT. */
export function readCursor(cursor: string): StreamCursor {
  const [, epoch, place] = CURSOR.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  const position = place === "snapshot" || place === undefined ? null : BigInt(place);
  // What decodes to the same text need not be what we sent: base64url readers skip what they do not know.
  if (
    epoch === undefined ||
    !isId(epoch) ||
    (position ?? 0n) > POSITION_MAX ||
    cursorAt({ epoch, position }) !== cursor
  ) {
    throw new DomainError(
      "BAD_USER_INPUT",
      "after is not a cursor of this stream: pass on a cursor exactly as it was received.",
      { field: "after" },
    );
  }
  return { epoch, position };
}
