/** Follows subscriptions of the public GraphQL API over a WebSocket. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { type Client, createClient } from "graphql-ws";
import { WebSocket } from "ws";

export class GraphqlStreams {
  private readonly client: Client;

  /** `onFault` hears what ended a stream that should have gone on. */
  constructor(
    url: string,
    key: string,
    private readonly onFault: (error: unknown) => void,
  ) {
    this.client = createClient({
      url,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${key}` },
      retryAttempts: 3,
    });
  }

  follow<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    onMessage: (data: Data) => void,
  ): void {
    this.client.subscribe<Data>(
      { query: print(document), variables: variables as Record<string, unknown> },
      {
        next: ({ data, errors }) => (data == null ? this.onFault(errors) : onMessage(data)),
        error: (error) => this.onFault(error),
        complete: () => undefined,
      },
    );
  }

  close(): void {
    void this.client.dispose();
  }
}
