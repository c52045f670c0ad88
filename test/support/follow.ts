/** Follows a subscription with the stock graphql-ws client and queues what arrives, so that a test can wait for it. */

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { type Client, createClient } from "graphql-ws";
import { WebSocket } from "ws";

export interface Follower<Result, Variables = unknown> {
  /** The next message; waits for it. Throws when the stream ended or failed first. */
  next(): Promise<Result>;
  /** What has arrived and was not fetched. */
  readonly waiting: readonly Result[];
  /** Ends the subscription; the connection stays. */
  stop(): void;
  /** What the client sends again when it connects anew: a test may move its cursor. */
  readonly variables: Variables;
}

export interface Following {
  readonly client: Client;
  follow<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    onMessage?: (message: Result, variables: Variables) => void,
  ): Follower<Result, Variables>;
  /** Resolves with code and reason when the server or the network closes the connection. */
  closed(): Promise<{ code: number; reason: string }>;
  /** Breaks the connection as a dead network would. */
  cut(): void;
  close(): Promise<void>;
}

/** Without `retries` a lost connection ends every subscription with an error. */
export function following(url: string, secret: string | undefined, { retries = 0 } = {}): Following {
  let socket: WebSocket | undefined;
  const closings: ((closing: { code: number; reason: string }) => void)[] = [];
  const client = createClient({
    url: `${url.replace(/^http/, "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: secret === undefined ? {} : { authorization: `Bearer ${secret}` },
    retryAttempts: retries,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
    shouldRetry: () => true,
    on: {
      opened: (opened) => {
        socket = opened as WebSocket;
      },
      closed: (event) => {
        const { code, reason } = event as { code: number; reason: string };
        for (const closing of closings.splice(0)) closing({ code, reason });
      },
    },
  });
  return {
    client,
    follow: (document, variables, onMessage) => follow(client, print(document), variables, onMessage),
    closed: () => new Promise((resolve) => closings.push(resolve)),
    cut: () => socket?.terminate(),
    close: async () => client.dispose(),
  };
}

function follow<Result, Variables extends Record<string, unknown>>(
  client: Client,
  query: string,
  variables: Variables,
  onMessage?: (message: Result, variables: Variables) => void,
): Follower<Result, Variables> {
  const waiting: Result[] = [];
  let end: Error | undefined;
  let stirred: (() => void) | undefined;
  const stop = client.subscribe<Result>(
    { query, variables },
    {
      next: ({ data, errors }) => {
        if (errors || !data) {
          end ??= Object.assign(new Error(JSON.stringify(errors)), { errors });
        } else {
          waiting.push(data);
          onMessage?.(data, variables);
        }
        stirred?.();
      },
      error: (error) => {
        end ??= Array.isArray(error)
          ? Object.assign(new Error(JSON.stringify(error)), { errors: error })
          : (error as Error);
        stirred?.();
      },
      complete: () => {
        end ??= new Error("the stream is complete");
        stirred?.();
      },
    },
  );
  return {
    waiting,
    stop,
    variables,
    async next() {
      for (;;) {
        const message = waiting.shift();
        if (message !== undefined) return message;
        if (end) throw end;
        await new Promise<void>((resolve) => {
          stirred = resolve;
        });
      }
    },
  };
}
