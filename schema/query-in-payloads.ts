/** `query` in every payload: what a mutation changed can be read in the same round trip, by the rights of any query. */
import { type GraphQLField, type GraphQLSchema, getNamedType, isObjectType } from "graphql";

/** type-graphql cannot name the root type before it has built it, so the field is put in afterwards. */
export function putQueryInPayloads(schema: GraphQLSchema): void {
  const query = schema.getQueryType();
  if (!query) return;
  const field: GraphQLField<unknown, unknown> = {
    name: "query",
    description: "What can be asked, as it stands after the act.",
    type: query,
    args: [],
    resolve: () => ({}),
    deprecationReason: undefined,
    extensions: {},
    astNode: undefined,
  };
  for (const mutation of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    const payload = getNamedType(mutation.type);
    if (isObjectType(payload)) payload.getFields().query = field;
  }
}
