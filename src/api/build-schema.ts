/** Resolver classes → GraphQLSchema; opens nothing, so that the schema can be printed anywhere. */
import "reflect-metadata";
import { type GraphQLSchema, specifiedDirectives } from "graphql";
import { buildSchemaSync, type NonEmptyArray, type PubSub } from "type-graphql";
import { idempotentDirective } from "../../schema/idempotent";
import { markOneOfInputs } from "../../schema/one-of";
import { resolveTotalCounts } from "../../schema/page";
import { putQueryInPayloads } from "../../schema/query-in-payloads";
import { resolveTypesAtOnce } from "./resolve-types";

// biome-ignore lint/complexity/noBannedTypes: type-graphql's own word for a resolver class.
export type ResolverClasses = NonEmptyArray<Function>;

/** type-graphql demands one for any subscription; ours bring their own iterators. */
const noPubSub: PubSub = {
  publish: () => {
    throw new Error("streams follow the event bus, not type-graphql's pubSub");
  },
  subscribe: () => {
    throw new Error("give the subscription a subscribe function");
  },
};

export function buildApiSchema(resolvers: ResolverClasses): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers,
    // Bounds are the doors' business, once for every edge; and each global middleware makes every field ten times slower.
    validate: false,
    pubSub: noPubSub,
    directives: [...specifiedDirectives, idempotentDirective],
  });
  for (const [type, description] of [
    [schema.getQueryType(), "What can be asked."],
    [schema.getMutationType(), "What can be done. A refusal that you can act on is in `userErrors`, not in `errors`."],
    [schema.getSubscriptionType(), "What can be followed, over WebSocket (graphql-transport-ws) at the same URL."],
  ] as const) {
    // type-graphql has no way to describe the root types.
    if (type) type.description = description;
  }
  resolveTypesAtOnce(schema);
  markOneOfInputs(schema);
  putQueryInPayloads(schema);
  resolveTotalCounts(schema);
  return schema;
}
