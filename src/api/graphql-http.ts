/** GraphQL over HTTP: Apollo Server behind a handler of ours, with its per-field plugins off. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ApolloServer, type ApolloServerPlugin, HeaderMap } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from "@apollo/server/plugin/disabled";
import type { GraphQLSchema } from "graphql";
import type { Config } from "../platform/config";
import { DomainError } from "../platform/errors";
import { readBody } from "../platform/http-server";
import type { Log } from "../platform/log";
import type { Services } from "../services";
import { viewerOf } from "./authentication";
import type { Context } from "./context";
import { presentError, withRequestId } from "./errors";
import { ownRules, parseOptions, VALIDATION_ERRORS_MAX } from "./limits";
import { createLoaders } from "./loaders";

export interface GraphqlHttp {
  /** Errors: UNAUTHENTICATED, BODY_TOO_LARGE, MALFORMED_BODY, BodyAborted; others of the request are in its answer. */
  handle(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void>;
  stop(): Promise<void>;
}

export interface GraphqlDependencies {
  readonly config: Config;
  readonly schema: GraphQLSchema;
  readonly services: Services;
  readonly log: Log;
}

export async function createGraphqlHttp({ config, schema, services, log }: GraphqlDependencies): Promise<GraphqlHttp> {
  const apollo = new ApolloServer<Context>({
    schema,
    logger: log,
    introspection: config.introspection,
    // "Did you mean …?" spells out a schema that introspection would not show.
    hideSchemaDetailsFromClientErrors: !config.introspection,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    stopOnTerminationSignals: false,
    parseOptions,
    maxRecursiveSelections: true,
    validationRules: [...ownRules],
    validationOptions: { maxErrors: VALIDATION_ERRORS_MAX },
    formatError: (_formatted, error) => presentError(error).formatted,
    plugins: [
      // Its willResolveField hook instruments every field: 20 ms instead of 5 for a list of 1,000.
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      queriesAndMutationsOnly,
      faultsLogged(log),
    ],
  });
  await apollo.start();
  return {
    async handle(request, response, requestId) {
      const viewer = await viewerOf(services.accounts, request.headers.authorization);
      const body = request.method === "POST" ? await readJson(request, config.apiBodyLimitBytes) : undefined;
      const url = request.url ?? "/";
      const result = await apollo.executeHTTPGraphQLRequest({
        httpGraphQLRequest: {
          method: request.method ?? "GET",
          headers: headersOf(request),
          search: url.includes("?") ? url.slice(url.indexOf("?")) : "",
          body,
        },
        context: async () => ({
          viewer,
          loaders: createLoaders(services, viewer),
          services,
          requestId,
          signal: signalOf(response),
        }),
      });
      if (result.body.kind !== "complete") throw new Error("incremental delivery is not on offer");
      const status = result.status ?? 200;
      const text = status < 400 ? result.body.string : withRequestIds(result.body.string, requestId);
      response.writeHead(status, { ...Object.fromEntries(result.headers), "content-length": Buffer.byteLength(text) });
      response.end(text);
    },
    stop: () => apollo.stop(),
  };
}

/** Undefined when it is not declared as JSON: Apollo then refuses what a browser form could have sent. */
async function readJson(request: IncomingMessage, limitBytes: number): Promise<unknown> {
  const bytes = await readBody(request, limitBytes);
  if (!/^application\/([\w.-]+\+)?json\b/i.test(request.headers["content-type"] ?? "")) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new DomainError("MALFORMED_BODY", "The body is not JSON.");
  }
}

function headersOf(request: IncomingMessage): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return headers;
}

function signalOf(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

/** Errors from before the pipeline (CSRF, a malformed request) never met the plugin that adds the id. */
function withRequestIds(body: string, requestId: string): string {
  const answer = JSON.parse(body) as { errors?: { message: string; extensions?: Record<string, unknown> }[] };
  return JSON.stringify({
    ...answer,
    ...(answer.errors ? { errors: answer.errors.map((error) => withRequestId(error, requestId)) } : {}),
  });
}

const queriesAndMutationsOnly: ApolloServerPlugin<Context> = {
  async requestDidStart() {
    return {
      async didResolveOperation({ operation }) {
        if (operation?.operation !== "subscription") return;
        throw new DomainError(
          "BAD_USER_INPUT",
          "Subscriptions go over WebSocket (graphql-transport-ws), at the same URL.",
        );
      },
    };
  },
};

function faultsLogged(log: Log): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      return {
        async didEncounterErrors({ errors, contextValue: { requestId, viewer }, operationName }) {
          for (const error of errors) {
            const { fault } = presentError(error);
            if (fault)
              log.error(
                { err: fault, requestId, operationName, path: error.path, keyId: viewer?.keyId },
                "GraphQL request failed",
              );
          }
        },
        async willSendResponse({ response, contextValue: { requestId } }) {
          if (response.body.kind !== "single" || !response.body.singleResult.errors) return;
          const { errors } = response.body.singleResult;
          response.body.singleResult.errors = errors.map((error) => withRequestId(error, requestId));
        },
      };
    },
  };
}
