/** Apollo Server around our own pipeline: it judges the request's form (CSRF, batches, GET, persisted queries), we the document. */
import { ApolloServer, type ApolloServerPlugin, type GraphQLRequestContext, type HeaderMap } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from "@apollo/server/plugin/disabled";
import type { GraphQLSchema } from "graphql";
import type { Config } from "../platform/config";
import type { Log } from "../platform/log";
import { isRefused } from "./documents";
import { presentError, withRequestId } from "./errors";
import { parseOptions } from "./limits";
import type { Operations } from "./operations";
import { type Call, faultLogger, type Performed, type Performer } from "./perform";

/** Apollo has only a context to carry through what is not its own. */
export interface ApolloCall extends Call {
  /** Set when the document came as far as that. */
  performed: Performed | null;
  headers: Readonly<Record<string, string>>;
}

interface ApolloContext {
  readonly call: ApolloCall;
}

export interface Apollo {
  answer(
    head: { method: string; headers: HeaderMap; search: string },
    body: unknown,
    call: ApolloCall,
  ): Promise<{ status: number | undefined; headers: HeaderMap; body: string }>;
  stop(): Promise<void>;
}

interface ApolloDependencies {
  readonly config: Config;
  readonly schema: GraphQLSchema;
  readonly operations: Operations;
  readonly log: Log;
}

export async function createApollo(
  { config, schema, operations, log }: ApolloDependencies,
  performer: Performer,
): Promise<Apollo> {
  const server = new ApolloServer<ApolloContext>({
    gateway: gatewayTo(schema, performer),
    logger: log,
    introspection: config.introspection,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    stopOnTerminationSignals: false,
    parseOptions,
    // Ours does it, before it executes: by the same rules for every transport, and remembered for every transport.
    dangerouslyDisableValidation: true,
    documentStore: null,
    persistedQueries: { cache: registeredIn(operations) },
    stringifyResult: JSON.stringify,
    formatError: (_formatted, error) => presentError(error).formatted,
    plugins: [
      // Its willResolveField hook instruments every field: 20 ms instead of 5 for a list of 1,000.
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      {
        async requestDidStart() {
          return {
            async didEncounterErrors({ errors, contextValue: { call } }) {
              for (const error of errors) {
                const { fault } = presentError(error);
                if (fault) faultLogger(log, call)(fault, error);
              }
            },
            willSendResponse: (context) => completed(context, performer),
          };
        },
      } satisfies ApolloServerPlugin<ApolloContext>,
    ],
  });
  await server.start();
  return {
    async answer(head, body, call) {
      const answer = await server.executeHTTPGraphQLRequest({
        httpGraphQLRequest: { ...head, body },
        context: async () => ({ call }),
      });
      if (answer.body.kind !== "complete") throw new Error("incremental delivery is not on offer");
      return { status: answer.status, headers: answer.headers, body: answer.body.string };
    },
    stop: () => server.stop(),
  };
}

interface GatewayCall {
  readonly source: string;
  readonly request: { operationName?: string | undefined; variables?: Record<string, unknown> | undefined };
  readonly context: Record<string, unknown>;
}

/** The one place where Apollo Server 5 lets somebody else execute. */
function gatewayTo(schema: GraphQLSchema, performer: Performer) {
  return {
    load: async () => ({
      executor: async ({ source, request, context }: GatewayCall) => {
        const { call } = context as unknown as ApolloContext;
        const { operationName, variables } = request;
        call.performed = await performer.perform({ query: source, operationName, variables }, call);
        return call.performed.result;
      },
    }),
    onSchemaLoadOrUpdate(listener: (derived: { apiSchema: GraphQLSchema; coreSupergraphSdl: string }) => void) {
      listener({ apiSchema: schema, coreSupergraphSdl: "" });
      return () => undefined;
    },
    stop: async () => undefined,
  };
}

/** Every answer has the request's id on its errors, and its cost. */
async function completed(
  { response, contextValue: { call } }: GraphQLRequestContext<ApolloContext>,
  performer: Performer,
) {
  if (response.body?.kind !== "single") return;
  const { singleResult } = response.body;
  if (singleResult.errors) singleResult.errors = singleResult.errors.map((e) => withRequestId(e, call.requestId));
  const { headers, cost } = call.performed ?? (await performer.unspent(call));
  call.headers = headers;
  singleResult.extensions = { cost };
}

/** Apollo's registry of persisted queries on ours: sockets know what was registered over HTTP. */
function registeredIn({ persisted, read }: Operations) {
  return {
    get: async (key: string) => persisted.registered(key.replace(/^apq:/, "")),
    set: async (key: string, text: string) => {
      if (!isRefused(read(text))) persisted.register(key.replace(/^apq:/, ""), text);
    },
    delete: async () => false,
  };
}
