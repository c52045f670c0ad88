/** The one way from a request's text to its result, for HTTP, WebSocket and SSE alike: known, validated, priced, compiled. */
import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  type OperationDefinitionNode,
} from "graphql";
import type { Viewer } from "../accounts/viewer";
import type { Config } from "../platform/config";
import { DomainError } from "../platform/errors";
import type { Allowance } from "../platform/rate-limiter";
import type { Context } from "./context";
import { type CostPlan, OPERATION_COST_MAX, planCost } from "./cost";
import { createDocuments, hashOf, isRefused, type KnownDocument, type Refused } from "./documents";
import { type Run, runner } from "./execute";
import { createPersistedDocuments, type Manifest, type PersistedDocuments } from "./persisted-documents";
import { type Allowances, createAllowances, type RateLimits } from "./rate-limit";
import { inTime } from "./time-limits";

/** As sent; nothing of it is checked. graphql-ws demands a text: over a socket an empty one stands for none. */
export interface OperationRequest {
  readonly query?: unknown;
  readonly documentId?: unknown;
  readonly operationName?: unknown;
  readonly variables?: unknown;
  readonly extensions?: unknown;
}

export interface Prepared {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly operationName: string | null;
  /** Same for the same text and operation name. */
  readonly key: string;
  /** As sent; they fit the operation's definitions. */
  readonly variables: Record<string, unknown>;
  /** Points, by the page sizes that are asked for. */
  readonly cost: number;
  /** Points, by the lists that came. */
  actualCost(data: unknown): number;
  /** Ends in time, with TIMEOUT if need be; the context's signal is aborted then. */
  execute(rootValue: unknown, context: Context): Promise<ExecutionResult>;
  stringify(result: ExecutionResult): string;
}

export interface Operations extends Allowances {
  prepare(request: OperationRequest, viewer: Viewer | null): Promise<Prepared | Refused>;
  /** Whether this text was read before, so that nothing of it is parsed again. */
  knows(text: string): boolean;
  /** Parses and validates a text that is not known. */
  read(text: string): KnownDocument | Refused;
  /** Takes the cost from the viewer's allowance. Errors: THROTTLED, with the allowance as its details. */
  charge(viewer: Viewer | null, address: string, cost: number): Promise<Allowance>;
  readonly persisted: PersistedDocuments;
}

export interface OperationsDependencies extends RateLimits {
  readonly config: Config;
  readonly schema: GraphQLSchema;
  readonly manifest?: Manifest | undefined;
}

export const NO_SUCH_DOCUMENT = "No document of the manifest has this documentId.";

export const isPrepared = (prepared: Prepared | Refused): prepared is Prepared => "execute" in prepared;

/** One operation of a known document, with all that does not depend on the request. */
interface Ready extends Pick<Prepared, "document" | "operation" | "operationName" | "key"> {
  readonly costs: CostPlan;
  readonly run: Run;
}

export function createOperations(dependencies: OperationsDependencies): Operations {
  const { config, schema, manifest } = dependencies;
  const documents = createDocuments(schema, config.introspection);
  const persisted = createPersistedDocuments(manifest);
  const readyOf = readier(schema);
  const coercion = { maxErrors: 20, hideSuggestions: !config.introspection };

  const prepare = (request: OperationRequest, viewer: Viewer | null): Prepared | Refused => {
    const text = textOf(request, persisted);
    const known = documents.read(text);
    if (isRefused(known)) return known;
    // Also a text of the manifest that comes in full is one of the manifest.
    if (viewer?.persistedOnly && persisted.ofManifest(known.hash) === undefined) {
      throw refused("PERSISTED_DOCUMENT_REQUIRED", "This key may send documents of the manifest only, by documentId.");
    }
    const ready = readyOf(known, operationNameOf(request));
    const variables = variablesOf(request);
    const { variableDefinitions = [] } = ready.operation;
    if (variableDefinitions.length > 0) {
      // graphql-jit takes what it should not, such as two fields of a @oneOf input.
      const { errors } = getVariableValues(schema, variableDefinitions, variables, coercion);
      if (errors) return errors.map(badInput);
    }
    const cost = ready.costs.requested(variables);
    if (cost > OPERATION_COST_MAX) {
      throw refused(
        "COST_LIMIT_EXCEEDED",
        `The operation costs ${cost} points; at most ${OPERATION_COST_MAX} are allowed. Ask for smaller pages.`,
      );
    }
    if (isRegistration(request)) persisted.register(known.hash, text);
    return {
      document: ready.document,
      operation: ready.operation,
      operationName: ready.operationName,
      key: ready.key,
      variables,
      cost,
      actualCost: ready.costs.actual,
      execute: (rootValue, context) =>
        inTime(ready.operation.operation, context, (timed) => ready.run(rootValue, timed, variables)),
      stringify,
    };
  };

  return {
    ...createAllowances(config, dependencies),
    async prepare(request, viewer) {
      try {
        return prepare(request, viewer);
      } catch (error) {
        if (error instanceof GraphQLError) return [error];
        throw error;
      }
    },
    knows: documents.knows,
    read: documents.read,
    persisted,
  };
}

/**
 * Members in the order in which Apollo Server has them. JSON.stringify is as fast as a serializer that is compiled for the
 * selection: most of the time goes into looking for characters to escape.
 */
export const stringify = ({ errors, data, extensions }: ExecutionResult): string =>
  JSON.stringify({ errors, data, extensions });

/** Operations of one document are made ready when first asked for, and forgotten with it. */
function readier(schema: GraphQLSchema) {
  const readies = new WeakMap<KnownDocument, Map<string, Ready>>();
  return (known: KnownDocument, operationName: string | null): Ready => {
    const ofDocument = readies.get(known) ?? new Map<string, Ready>();
    readies.set(known, ofDocument);
    const found = ofDocument.get(operationName ?? "");
    if (found) return found;
    const { document, hash, text } = known;
    const operation = getOperationAST(document, operationName);
    if (!operation) {
      throw new GraphQLError(
        operationName === null
          ? "Must provide operation name if query contains multiple operations."
          : `Unknown operation named "${operationName}".`,
        { extensions: { code: "OPERATION_RESOLUTION_FAILURE" } },
      );
    }
    const ready = {
      document,
      operation,
      operationName: operation.name?.value ?? null,
      key: `${hash}:${operation.name?.value ?? ""}`,
      costs: planCost(schema, document, operation),
      run: runner(schema, document, operation, text),
    };
    ofDocument.set(operationName ?? "", ready);
    return ready;
  };
}

/** Errors: GraphQLError, when the request names no document or one that nobody knows. */
function textOf(request: OperationRequest, persisted: PersistedDocuments): string {
  const { query, documentId, extensions } = request;
  if (query != null && typeof query !== "string") throw refused("BAD_USER_INPUT", "GraphQL queries must be strings.");
  if (documentId != null) {
    if (query) throw refused("BAD_USER_INPUT", "Send query or documentId, not both.");
    const text = persisted.byDocumentId(documentId);
    if (text !== undefined) return text;
    throw refused("PERSISTED_DOCUMENT_NOT_FOUND", NO_SUCH_DOCUMENT);
  }
  const hash = persistedQueryOf(extensions);
  if (query) {
    if (hash === null || hashOf(query) === hash) return query;
    throw refused("BAD_USER_INPUT", "provided sha does not match query");
  }
  if (hash === null) throw refused("BAD_USER_INPUT", "query, documentId or a persistedQuery extension is missing.");
  const text = persisted.registered(hash);
  if (text !== undefined) return text;
  // Message and code by which clients know that they have to send the text.
  throw new GraphQLError("PersistedQueryNotFound", { extensions: { code: "PERSISTED_QUERY_NOT_FOUND" } });
}

/** Null without the extension. */
function persistedQueryOf(extensions: unknown): string | null {
  const asked = isRecord(extensions) ? extensions.persistedQuery : undefined;
  if (asked == null) return null;
  if (!isRecord(asked) || asked.version !== 1 || typeof asked.sha256Hash !== "string") {
    throw refused("BAD_USER_INPUT", "Unsupported persisted query version");
  }
  return asked.sha256Hash;
}

const isRegistration = ({ query, extensions }: OperationRequest): boolean =>
  Boolean(query) && persistedQueryOf(extensions) !== null;

function operationNameOf({ operationName }: OperationRequest): string | null {
  if (operationName == null || operationName === "") return null;
  if (typeof operationName === "string") return operationName;
  throw refused("BAD_USER_INPUT", "operationName must be a string.");
}

function variablesOf({ variables }: OperationRequest): Record<string, unknown> {
  if (variables == null) return {};
  if (isRecord(variables)) return variables;
  throw refused("BAD_USER_INPUT", "variables must be an object.");
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A refusal of the error table in the shape that GraphQL answers are made of. */
export function refused(code: DomainError["code"], message: string): GraphQLError {
  const originalError = new DomainError(code, message);
  return new GraphQLError(message, { originalError });
}

function badInput(error: GraphQLError): GraphQLError {
  error.extensions.code = "BAD_USER_INPUT";
  return error;
}
