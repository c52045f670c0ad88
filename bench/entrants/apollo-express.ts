/** The peer: Apollo Server behind Express as its guide sets it up, on the same schema, services and rows. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { ApolloServer } from "@apollo/server";
import type { Context } from "../../src/api/context";
import { answerCommands, say } from "../commands";
import { requirePeer } from "../peers";
import { type RowsAt, rowsSwitch } from "../rows";
import { openSameGraph } from "../same-graph";

/** The parts of Express and its integration that are used here; their types are not installed with the project. */
type Express = (() => RequestListener & { use(path: string, ...handlers: unknown[]): void }) & { json(): unknown };
interface Integration {
  expressMiddleware(server: ApolloServer<Context>, options: { context: () => Promise<Context> }): unknown;
}

async function main(): Promise<void> {
  const { schema, services, contextOf } = await openSameGraph(process.argv[2]!);
  const rowsAt = rowsSwitch(services);
  const apollo = new ApolloServer<Context>({ schema });
  await apollo.start();
  const express = requirePeer("express") as Express;
  const { expressMiddleware } = requirePeer("@as-integrations/express5") as Integration;
  const app = express();
  app.use("/graphql", express.json(), expressMiddleware(apollo, { context: async () => contextOf() }));
  const server = createServer(app).listen(0, "127.0.0.1", () => {
    say({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql` });
  });
  await answerCommands({ rows: ({ at }: { at: RowsAt }) => rowsAt(at) });
}

void main();
