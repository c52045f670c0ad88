/** Reads the `@idempotent` key of a mutation, and refuses the directive where no key is kept. */
import {
  type ASTVisitor,
  GraphQLError,
  type GraphQLResolveInfo,
  getDirectiveValues,
  type ValidationContext,
} from "graphql";
import { idempotentDirective, KEEPS_IDEMPOTENCY_KEYS } from "../../schema/idempotent";
import { DomainError } from "../platform/errors";

const KEY_LENGTH_MAX = 255;

/** Errors: IDEMPOTENCY_KEY_REQUIRED; BAD_USER_INPUT when it is empty or too long. */
export function idempotencyKeyOf(info: GraphQLResolveInfo): string {
  for (const node of info.fieldNodes) {
    const values = getDirectiveValues(idempotentDirective, node, info.variableValues);
    if (values === undefined) continue;
    const key = values.key as string;
    if (key.length >= 1 && key.length <= KEY_LENGTH_MAX) return key;
    throw new DomainError("BAD_USER_INPUT", `An idempotency key has 1 to ${KEY_LENGTH_MAX} characters.`);
  }
  throw new DomainError(
    "IDEMPOTENCY_KEY_REQUIRED",
    `${info.fieldName} moves money: add @idempotent(key: "…") to it, with a key of its own for each act.`,
  );
}

/** Elsewhere the directive would promise a safety that nobody keeps. */
export function idempotentOnlyWhereKept(context: ValidationContext): ASTVisitor {
  return {
    Field(node) {
      const directive = node.directives?.find(({ name }) => name.value === idempotentDirective.name);
      if (directive === undefined || context.getFieldDef()?.extensions[KEEPS_IDEMPOTENCY_KEYS] === true) return;
      context.reportError(
        new GraphQLError(`${node.name.value} keeps no idempotency keys: leave @idempotent out.`, {
          nodes: [directive],
        }),
      );
    },
  };
}
