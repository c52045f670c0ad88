/** Inputs marked `@oneOf` (specification of September 2025), by name: type-graphql has no word for them. */
import { type GraphQLSchema, isInputObjectType } from "graphql";

export const oneOfInputs = new Set<string>();

/** From here on graphql-js prints and validates them as what they are. */
export function markOneOfInputs(schema: GraphQLSchema): void {
  for (const name of oneOfInputs) {
    const type = schema.getType(name);
    if (isInputObjectType(type)) type.isOneOf = true;
  }
}
