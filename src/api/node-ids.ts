/** Global ids as they come in: checked for their type, turned into the ids that doors take, or into a page of exactly one. */
import { decodeId, type NodeType } from "../../schema/node";
import { DomainError } from "../platform/errors";
import { isId } from "../platform/ids";
import { cursorOf, type PageRequest } from "../platform/page";

export const organisationTypes = ["Provider", "Startup", "CapitalPartner", "Operator"] as const;

/** Errors: BAD_USER_INPUT naming `field` when it is no id of these types. */
export function uuidOf(id: string, types: NodeType | readonly NodeType[], field: string): string {
  const allowed: readonly NodeType[] = typeof types === "string" ? [types] : types;
  const decoded = decodeId(id);
  if (decoded === null || !allowed.includes(decoded.type) || !isId(decoded.key)) {
    throw new DomainError(
      "BAD_USER_INPUT",
      `${field} is not the id of a ${allowed.join(" or ")}: pass ids on exactly as received.`,
      {
        field,
      },
    );
  }
  return decoded.key;
}

export function optionalUuidOf(
  id: string | null | undefined,
  types: NodeType | readonly NodeType[],
  field: string,
): string | null {
  return id == null ? null : uuidOf(id, types, field);
}

const UUID_MAX = (1n << 128n) - 1n;

/**
 * The page that holds the row of this id and no other: between its neighbours. Asking a list's door for it applies the
 * very authorisation of the list, so `node(id:)` cannot show what no list would.
 */
export function pageOfOne(id: string): PageRequest {
  const number = BigInt(`0x${id.replaceAll("-", "")}`);
  return {
    first: 1,
    ...(number < UUID_MAX ? { after: cursorOf(uuidText(number + 1n)) } : {}),
    ...(number > 0n ? { before: cursorOf(uuidText(number - 1n)) } : {}),
  };
}

function uuidText(number: bigint): string {
  const hex = number.toString(16).padStart(32, "0");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
