/** A client of the GraphQL API that knows nothing of the server but its URL: codegen's documents in, typed answers out. */

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";

export interface ApiError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: { readonly code: string; readonly requestId: string; readonly field?: readonly string[] };
}

export interface ApiAnswer<Result> {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Result | null | undefined;
  readonly errors: readonly ApiError[] | undefined;
}

export interface ApiClient {
  /** The whole answer, errors and all. */
  ask<Result, Variables>(
    document: TypedDocumentNode<Result, Variables>,
    variables?: Variables,
  ): Promise<ApiAnswer<Result>>;
  /** The data; throws what went wrong. */
  read<Result, Variables>(document: TypedDocumentNode<Result, Variables>, variables?: Variables): Promise<Result>;
  /** The codes of the errors that a refused operation has. */
  codes<Result, Variables>(document: TypedDocumentNode<Result, Variables>, variables?: Variables): Promise<string[]>;
  /** Any text as the document. */
  text(query: string, variables?: Record<string, unknown>): Promise<ApiAnswer<Record<string, unknown>>>;
}

export function apiClient(url: string, secret?: string): ApiClient {
  const post = async <Result>(query: string, variables: unknown): Promise<ApiAnswer<Result>> => {
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(secret ? { authorization: `Bearer ${secret}` } : {}) },
      body: JSON.stringify({ query, variables }),
    });
    const answer = (await response.json()) as { data?: Result; errors?: ApiError[] };
    return { status: response.status, headers: response.headers, data: answer.data, errors: answer.errors };
  };
  const client: ApiClient = {
    ask: (document, variables) => post(print(document), variables),
    read: async (document, variables) => {
      const { data, errors } = await client.ask(document, variables);
      if (errors || !data) throw new Error(JSON.stringify(errors));
      return data;
    },
    codes: async (document, variables) =>
      ((await client.ask(document, variables)).errors ?? []).map(({ extensions }) => extensions.code),
    text: (query, variables) => post(query, variables),
  };
  return client;
}
