/** The payload of a mutation: what it made, or user errors with a code from a set of its own. */
import { type ClassType, InterfaceType, ObjectType, registerEnumType } from "type-graphql";
import { ListOf, Of, Text, Texts } from "./fields";

/** The expected failures that a mutation may answer as data. */
const meanings = {
  BAD_USER_INPUT: "A value is missing or out of its bounds; the message names it.",
  NOT_FOUND: "An object that the input names does not exist, or is not yours to see.",
  ALREADY_EXISTS: "An object with this identity exists already.",
  STATE_CONFLICT: "The object's state does not allow this act.",
  VERSION_CONFLICT: "The object changed since it was read: read it again and repeat.",
  UPSTREAM_URL_REFUSED: "The URL may not be called from here; the message says why.",
  FACILITY_LIMIT_EXCEEDED: "The drawdown would take the facility over its limit.",
  BLOCK_EXCEEDS_AVAILABLE: "More credit was to be blocked than is free.",
  MULTIPLIER_OUT_OF_BOUNDS: "The multiplier must lie between 1.25 and 1.50.",
  COVERAGE_BELOW_FLOOR:
    "The dollars behind the facility's credits would not cover what they may cost providers; the message has the figures.",
  COVENANT_BREACHED: "The act would break a covenant of the facility; the message says which, and what would fit.",
  RATE_CARD_INSOLVENT: "The rate card could owe providers more than was funded; the message has the figures.",
  SECOND_PERSON_REQUIRED: "Whoever proposed this cannot approve it: another must.",
  STATEMENT_MISMATCH:
    "Usage, lines and ledger do not say the same of the month; the message has the figures. Nothing was changed.",
  IDEMPOTENCY_KEY_REQUIRED: 'This mutation moves money: add `@idempotent(key: "…")` to it.',
  IDEMPOTENCY_KEY_REUSED: "The same key came with another input: use a new key for a new act.",
} as const;
export type UserErrorCode = keyof typeof meanings;
export const userErrorCodes = Object.keys(meanings) as UserErrorCode[];

/** `code` is not here: each mutation types it by an enum of its own, which no common type could stand for. */
@InterfaceType("UserError", { description: "Why a mutation did nothing, for the person or program that asked." })
export abstract class UserError {
  @Texts('Path of the argument at fault, e.g. `["input", "amount"]`; null when no single one is.', { nullable: true })
  field!: string[] | null;

  @Text("What is wrong and what to do, in a sentence.") message!: string;
}

/** What `payload` made: the GraphQL type, and the codes that go into it as data instead of failing the request. */
export interface Payload<Results extends object> {
  readonly type: ClassType<Results & { userErrors: readonly UserError[] }>;
  readonly codes: ReadonlySet<string>;
}

type Result = readonly [type: () => object, description: string];

/** `mutation` in PascalCase; every result is nullable, because a refused mutation has none. */
export function payload<Results extends object>(
  mutation: string,
  results: { readonly [Name in keyof Results]: Result },
  codes: readonly UserErrorCode[],
): Payload<Results> {
  const Code = Object.fromEntries(codes.map((code) => [code, code]));
  registerEnumType(Code, {
    name: `${mutation}ErrorCode`,
    description: `Why ${mutation} did nothing.`,
    valuesConfig: Object.fromEntries(codes.map((code) => [code, { description: meanings[code] }])),
  });

  @ObjectType(`${mutation}UserError`, {
    description: `A reason why ${mutation} did nothing.`,
    implements: UserError,
    simpleResolvers: true,
  })
  class MutationUserError extends UserError {
    @Of(() => Code, "What kind of reason it is.") code!: string;
  }

  class MutationPayload {
    @ListOf(() => MutationUserError, "Why nothing was done; empty when it was.") userErrors!: MutationUserError[];
  }
  for (const [name, [type, description]] of Object.entries<Result>(results)) {
    Of(type, description, { nullable: true })(MutationPayload.prototype, name);
  }
  ObjectType(`${mutation}Payload`, { description: `What ${mutation} did.`, simpleResolvers: true })(MutationPayload);
  return { type: MutationPayload as unknown as Payload<Results>["type"], codes: new Set<string>(codes) };
}
