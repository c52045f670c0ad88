/** Ids of acts whose transfers take their ids from them. */
import { newId } from "../platform/ids";

/** A UUIDv7 whose last three digits are free for the ids of its transfers (see ledger_leg_id). */
export function newRequestId(): string {
  return `${newId().slice(0, 33)}000`;
}
