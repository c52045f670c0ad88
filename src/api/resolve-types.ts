/** Which type a value of an interface or union has, told at once: type-graphql would promise it, for every single value. */
import { type GraphQLSchema, isAbstractType } from "graphql";

/** graphql-jit takes no promise here; graphql-js would wait a turn of the loop for each item of a list. */
export function resolveTypesAtOnce(schema: GraphQLSchema): void {
  // Where type-graphql keeps what its decorators have said.
  const { interfaceTypes, unions, objectTypes } = globalThis.TypeGraphQLMetadataStorage;
  const nameOf = new Map<unknown, string>(objectTypes.map(({ target, name }) => [target, name]));
  for (const { name, resolveType } of [...interfaceTypes, ...unions]) {
    const type = schema.getType(name);
    if (!isAbstractType(type) || !resolveType) continue;
    type.resolveType = (value, context, info) => {
      const resolved = resolveType(value, context, info, type);
      return typeof resolved === "string" ? resolved : nameOf.get(resolved);
    };
  }
}
