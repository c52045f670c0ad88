/** Ids are made by the caller before the write, so that a write can be retried after a lost COMMIT reply. */
import { v7 } from "uuid";

const canonicalUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A UUIDv7: sorts by the time of its making, and within this process strictly by the order of making. */
export function newId(): string {
  return v7();
}

/** Whether the text is a UUID exactly as PostgreSQL prints it (lower case, hyphens), so that one id has one spelling. */
export function isId(text: string): boolean {
  return canonicalUuid.test(text);
}
