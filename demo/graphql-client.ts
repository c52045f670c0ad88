/** A client of the public GraphQL API in a few lines: typed documents over fetch, mutations that must succeed, lists to their end. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";

export class GraphqlFailure extends Error {
  override readonly name = "GraphqlFailure";
}

interface Answer<Data> {
  data?: Data | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

interface Refusal {
  readonly code: string;
  readonly field: readonly string[] | null;
  readonly message: string;
}

interface PageOf<Item> {
  readonly nodes?: readonly Item[];
  readonly edges?: readonly { readonly node: Item }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** Nobody's list in a demo is longer; a server that repeats a page must not keep us forever. */
const PAGES_MAX = 10_000;

export class GraphqlClient {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  /** Errors: GraphqlFailure with the server's words; those of fetch. */
  async ask<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    const response = await fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.key}` },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const answer = (await response.json()) as Answer<Data>;
    if (answer.errors !== undefined || answer.data == null) {
      const reasons = answer.errors?.map(({ message, extensions }) => `${extensions?.code ?? "ERROR"}: ${message}`);
      throw new GraphqlFailure(`${nameOf(document)} failed (${response.status}): ${reasons?.join("; ") ?? "no data"}`);
    }
    return answer.data;
  }

  /** A mutation that has to work: its payload, without the possibility of refusal. Errors: GraphqlFailure. */
  async act<Payload extends { userErrors: readonly Refusal[] }, Variables>(
    document: TypedDocumentNode<{ [mutation: string]: Payload }, Variables>,
    variables: Variables,
  ): Promise<{ [Result in keyof Payload]: NonNullable<Payload[Result]> }> {
    const [payload] = Object.values(await this.ask(document, variables));
    if (payload === undefined || payload.userErrors.length > 0) {
      const reasons = payload?.userErrors.map(
        ({ code, field, message }) => `${code} ${field?.join(".") ?? ""} ${message}`,
      );
      throw new GraphqlFailure(`${nameOf(document)} was refused: ${reasons?.join("; ")}`);
    }
    return payload as { [Result in keyof Payload]: NonNullable<Payload[Result]> };
  }

  /** Every item of a list, page after page. */
  async all<Item, Variables extends { first?: unknown; after?: unknown }>(
    document: TypedDocumentNode<{ [list: string]: PageOf<Item> }, Variables>,
    variables: Omit<Variables, "first" | "after">,
  ): Promise<Item[]> {
    const items: Item[] = [];
    let after: string | null = null;
    for (let page = 0; page < PAGES_MAX; page++) {
      const answer: { [list: string]: PageOf<Item> } = await this.ask(document, {
        ...variables,
        first: 100,
        after,
      } as unknown as Variables);
      const [list] = Object.values(answer);
      if (list === undefined) break;
      items.push(...(list.nodes ?? list.edges?.map(({ node }) => node) ?? []));
      if (!list.pageInfo.hasNextPage) return items;
      after = list.pageInfo.endCursor;
    }
    throw new GraphqlFailure(`${nameOf(document)} has no end.`);
  }
}

function nameOf(document: TypedDocumentNode<never, never> | object): string {
  const { definitions } = document as { definitions: readonly { name?: { value: string } }[] };
  return definitions[0]?.name?.value ?? "the operation";
}
