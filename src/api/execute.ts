/** One operation of a document, compiled by graphql-jit on its second use; by graphql-js where the compiled form could differ. */
import {
  BREAK,
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  parse,
  visit,
} from "graphql";
import { compileQuery, isCompiledQuery } from "graphql-jit";
import type { Context } from "./context";

export type Run = (
  rootValue: unknown,
  context: Context,
  variables: Record<string, unknown>,
) => ExecutionResult | Promise<ExecutionResult>;

/** Compiling takes as long as some ten executions: a document that comes once shall not pay for it. */
export function runner(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  text: string,
): Run {
  const operationName = operation.name?.value;
  const interpret: Run = (rootValue, contextValue, variableValues) =>
    execute({ schema, document, rootValue, contextValue, variableValues, operationName: operationName ?? null });
  if (!isCompilable(document)) return interpret;
  let run = interpret;
  let uses = 0;
  return (rootValue, context, variables) => {
    uses += 1;
    if (uses === 2) run = compiled(schema, text, operationName) ?? interpret;
    return run(rootValue, context, variables);
  };
}

/**
 * What graphql-jit 0.8.9 gets wrong. It writes its conditions for @skip and @include into the document's own nodes, one
 * set for all places where a fragment is spread. A variable inside a literal object that is not given becomes null
 * instead of its field's default. And it writes literals into the source that it compiles, where a string of a certain
 * form is run as code (`__MAGIC_DATE__…`). So whole values are to come as variables, which it never writes.
 */
function isCompilable(document: DocumentNode): boolean {
  let compilable = true;
  const refuse = () => {
    compilable = false;
    return BREAK;
  };
  visit(document, {
    [Kind.STRING]: refuse,
    [Kind.OBJECT]: refuse,
    [Kind.LIST]: refuse,
    [Kind.DIRECTIVE]: ({ name }) => (name.value === "skip" || name.value === "include" ? refuse() : undefined),
  });
  return compilable;
}

/** Null when it refuses the document. */
function compiled(schema: GraphQLSchema, text: string, operationName: string | undefined): Run | null {
  // A copy of its own, since it writes into the nodes.
  const query = compileQuery(schema, parse(text), operationName, {
    disablingCapturingStackErrors: true,
  });
  if (!isCompiledQuery(query)) return null;
  return (rootValue, context, variables) => {
    const result = query.query(rootValue, context, variables) as ExecutionResult | Promise<ExecutionResult>;
    return result instanceof Promise ? result.then(withRealErrors) : withRealErrors(result);
  };
}

/** graphql-jit's errors lack what everybody expects of a GraphQLError: extensions, and a constructor that was run. */
function withRealErrors(result: ExecutionResult): ExecutionResult {
  if (!result.errors) return result;
  return { ...result, errors: result.errors.map(asGraphQLError) };
}

function asGraphQLError({ message, locations, path, originalError }: GraphQLError): GraphQLError {
  const error = new GraphQLError(message, { path, originalError });
  return Object.assign(error, { locations });
}
