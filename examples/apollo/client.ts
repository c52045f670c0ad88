/** An Apollo client for Exergy, without React: a cache that joins pages, HTTP, and subscriptions that resume by their cursors. */
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { getMainDefinition, relayStylePagination } from "@apollo/client/utilities";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { resuming } from "./resuming";

export interface Connection {
  readonly client: ApolloClient;
  close(): Promise<void>;
}

export function connect(url: string, key: string): Connection {
  const authorization = `Bearer ${key}`;
  const socket = createClient({
    url: url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket, // Leave it out in a browser, which has its own.
    connectionParams: { authorization },
    retryAttempts: Number.POSITIVE_INFINITY,
  });
  const client = new ApolloClient({
    cache: new InMemoryCache({
      typePolicies: {
        // Lists are joined over `first` and `after`; another filter is another list. One line for each list that is paged.
        Query: { fields: { endpoints: relayStylePagination(["filter"]) } },
      },
    }),
    link: ApolloLink.split(
      ({ query }) => isSubscription(getMainDefinition(query)),
      new GraphQLWsLink(resuming(socket)),
      new HttpLink({ uri: url, headers: { authorization } }),
    ),
  });
  return {
    client,
    async close() {
      client.stop();
      await socket.dispose();
    },
  };
}

const isSubscription = (definition: ReturnType<typeof getMainDefinition>) =>
  definition.kind === "OperationDefinition" && definition.operation === "subscription";
