/** An urql client for Exergy: queries and mutations over HTTP, subscriptions over one WebSocket, resumed by their cursors. */
import {
  type Client,
  cacheExchange,
  createClient,
  type ExecutionResult,
  fetchExchange,
  subscriptionExchange,
} from "@urql/core";
import { createClient as createSocket, type Client as Socket } from "graphql-ws";
import { WebSocket } from "ws";

export interface Connection {
  readonly client: Client;
  close(): Promise<void>;
}

export function connect(url: string, key: string): Connection {
  const authorization = `Bearer ${key}`;
  const socket = createSocket({
    url: url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket, // Leave it out in a browser, which has its own.
    connectionParams: { authorization },
    retryAttempts: Number.POSITIVE_INFINITY,
  });
  const client = createClient({
    url,
    fetchOptions: { headers: { authorization } },
    // Queries over GET are refused without a preflight header; and a long one does not fit a URL.
    preferGetMethod: false,
    exchanges: [cacheExchange, fetchExchange, subscriptionExchange({ forwardSubscription: resuming(socket) })],
  });
  return { client, close: async () => socket.dispose() };
}

type Forward = Parameters<typeof subscriptionExchange>[0]["forwardSubscription"];

/** Each message's cursor becomes the `after` that is sent again on a new connection. */
function resuming(socket: Socket): Forward {
  return ({ query = "", variables }) => {
    const moving = { ...variables };
    return {
      subscribe: (sink) => ({
        unsubscribe: socket.subscribe<Record<string, { cursor?: string } | null>>(
          { query, variables: moving },
          {
            ...sink,
            next(result) {
              sink.next(result as ExecutionResult);
              for (const message of Object.values(result.data ?? {})) {
                if (message?.cursor !== undefined) moving.after = message.cursor;
              }
            },
          },
        ),
      }),
    };
  };
}
