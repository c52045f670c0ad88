/** The schema as the committed file has it: sorted, so that its diff is the API's diff and nothing else. */
import { type GraphQLSchema, lexicographicSortSchema, printSchema } from "graphql";

export const printContract = (schema: GraphQLSchema): string =>
  `# Printed from schema/, resolvers/ and subscriptions/ by \`npm run schema:print\`; do not edit.\n${printSchema(lexicographicSortSchema(schema))}\n`;
