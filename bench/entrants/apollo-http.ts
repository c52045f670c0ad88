/** For orientation: Apollo Server without its per-field plugins behind node:http, on the same schema, services and rows. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { ApolloServer, HeaderMap } from "@apollo/server";
import { ApolloServerPluginCacheControlDisabled } from "@apollo/server/plugin/disabled";
import type { Context } from "../../src/api/context";
import { answerCommands, say } from "../commands";
import { type RowsAt, rowsSwitch } from "../rows";
import { openSameGraph } from "../same-graph";

async function main(): Promise<void> {
  const { schema, services, contextOf } = await openSameGraph(process.argv[2]!);
  const rowsAt = rowsSwitch(services);
  const apollo = new ApolloServer<Context>({ schema, plugins: [ApolloServerPluginCacheControlDisabled()] });
  await apollo.start();
  const answer = async (request: IncomingMessage) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        method: "POST",
        headers: new HeaderMap(Object.entries(request.headers) as [string, string][]),
        search: "",
        body: JSON.parse(Buffer.concat(chunks).toString()),
      },
      context: async () => contextOf(),
    });
  };
  const server = createServer((request, response) => {
    void answer(request).then(({ status, headers, body }) => {
      const text = body.kind === "complete" ? body.string : "";
      response.writeHead(status ?? 200, { ...Object.fromEntries(headers), "content-length": Buffer.byteLength(text) });
      response.end(text);
    });
  }).listen(0, "127.0.0.1", () => {
    say({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql` });
  });
  await answerCommands({ rows: ({ at }: { at: RowsAt }) => rowsAt(at) });
}

void main();
