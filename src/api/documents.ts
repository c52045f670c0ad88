/** Text → parsed and validated document. What was judged once is remembered by its text, good or bad. */
import { createHash } from "node:crypto";
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from "graphql";
import { LRUCache } from "lru-cache";
import { checkNesting, limitRules, ownRules, parseOptions, VALIDATION_ERRORS_MAX } from "./limits";

/** Of texts; the parsed and compiled forms are some ten times as large. */
const TEXT_BYTES_MAX = 8 * 1024 * 1024;
const DOCUMENTS_MAX = 2_000;
/** An entry costs something even if its text is short. */
const ENTRY_BYTES = 1_024;

export interface KnownDocument {
  readonly text: string;
  readonly document: DocumentNode;
  /** Hex sha256 of the text: its name in a manifest and in a persisted query. */
  readonly hash: string;
}

export type Refused = readonly GraphQLError[];

export interface Documents {
  /** Parses and validates what it does not know. */
  read(text: string): KnownDocument | Refused;
  /** Whether reading it costs nothing. */
  knows(text: string): boolean;
}

export const isRefused = (read: KnownDocument | Refused): read is Refused => Array.isArray(read);

export function createDocuments(schema: GraphQLSchema, introspection: boolean): Documents {
  const judged = new LRUCache<string, KnownDocument | Refused>({
    max: DOCUMENTS_MAX,
    maxSize: TEXT_BYTES_MAX,
    sizeCalculation: (_judgement, text) => text.length + ENTRY_BYTES,
  });
  const rules = [...ownRules, ...specifiedRules, ...(introspection ? [] : [NoSchemaIntrospectionCustomRule])];
  // "Did you mean …?" spells out a schema that introspection would not show.
  const options = { maxErrors: VALIDATION_ERRORS_MAX, hideSuggestions: !introspection };

  const judge = (text: string): KnownDocument | Refused => {
    let document: DocumentNode;
    try {
      checkNesting(text);
      document = parse(text, parseOptions);
    } catch (error) {
      return [coded(asGraphQLError(error), "GRAPHQL_PARSE_FAILED")];
    }
    const errors = check(document);
    if (errors.length > 0) return errors.map((error) => coded(error, "GRAPHQL_VALIDATION_FAILED"));
    return { text, document, hash: hashOf(text) };
  };
  const check = (document: DocumentNode): Refused => {
    try {
      // First what bounds the work of the rules after it: comparing fields takes time by the square of their number.
      const errors = validate(schema, document, limitRules, options);
      return errors.length > 0 ? errors : validate(schema, document, rules, options);
    } catch (error) {
      return [asGraphQLError(error)];
    }
  };
  return {
    read(text) {
      const known = judged.get(text);
      if (known) return known;
      const judgement = judge(text);
      judged.set(text, judgement);
      return judgement;
    },
    knows: (text) => judged.has(text),
  };
}

export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Errors: whatever is a fault of ours. */
function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  throw error;
}

function coded(error: GraphQLError, code: string): GraphQLError {
  error.extensions.code = code;
  return error;
}
