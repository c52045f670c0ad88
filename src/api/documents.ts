/** Parses and validates a document by the rules that Apollo applies over HTTP; what passed once is not validated again. */
import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from "graphql";
import { LRUCache } from "lru-cache";
import { ownRules, parseOptions, VALIDATION_ERRORS_MAX } from "./limits";

const DOCUMENTS_MAX = 500;

export type Prepare = (query: string) => DocumentNode | readonly GraphQLError[];

export function documentPreparer(schema: GraphQLSchema, introspection: boolean): Prepare {
  const known = new LRUCache<string, DocumentNode>({ max: DOCUMENTS_MAX });
  const rules = [...specifiedRules, ...ownRules, ...(introspection ? [] : [NoSchemaIntrospectionCustomRule])];
  return (query) => {
    const prepared = known.get(query);
    if (prepared) return prepared;
    let document: DocumentNode;
    try {
      document = parse(query, parseOptions);
    } catch (error) {
      return [coded(error as GraphQLError, "GRAPHQL_PARSE_FAILED")];
    }
    const errors = validate(schema, document, rules, { maxErrors: VALIDATION_ERRORS_MAX });
    if (errors.length > 0) return errors.map((error) => coded(error, "GRAPHQL_VALIDATION_FAILED"));
    known.set(query, document);
    return document;
  };
}

function coded(error: GraphQLError, code: string): GraphQLError {
  error.extensions.code = code;
  return error;
}
