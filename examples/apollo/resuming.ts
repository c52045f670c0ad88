/** Makes a graphql-ws client resume: each message's cursor becomes the `after` that is sent again on a new connection. */
import type { Client } from "graphql-ws";

interface Message {
  readonly cursor?: string;
}

/** graphql-ws sends the same `variables` object on every connection; Apollo keeps its own copy, so the move is made here. */
export function resuming(socket: Client): Client {
  return {
    ...socket,
    subscribe(payload, sink) {
      const variables: Record<string, unknown> = { ...payload.variables };
      return socket.subscribe({ ...payload, variables }, {
        ...sink,
        next(result: Parameters<typeof sink.next>[0]) {
          sink.next(result);
          for (const message of Object.values((result.data ?? {}) as Record<string, Message | null>)) {
            if (message?.cursor !== undefined) variables.after = message.cursor;
          }
        },
      } as typeof sink);
    },
  };
}
