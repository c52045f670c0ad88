/** The `@idempotent` directive: the client's key that makes a repeated mutation answer the same and act once. */
import { DirectiveLocation, GraphQLDirective, GraphQLNonNull, GraphQLString } from "graphql";

export const idempotentDirective = new GraphQLDirective({
  name: "idempotent",
  description:
    "Makes a mutation safe to repeat: the same key with the same input answers the first result and moves nothing again; with another input it fails.",
  locations: [DirectiveLocation.FIELD],
  args: {
    key: {
      type: new GraphQLNonNull(GraphQLString),
      description: "Chosen by the client, unique per act; a UUID serves well. 1 to 255 characters.",
    },
  },
});

/** Where a field's `extensions` say that it keeps keys; on any other field the directive is refused. */
export const KEEPS_IDEMPOTENCY_KEYS = "keepsIdempotencyKeys";
