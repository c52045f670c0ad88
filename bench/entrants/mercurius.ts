/** The peer: Fastify and Mercurius with its JIT, on the same schema, services and rows. */
import type { AddressInfo } from "node:net";
import { answerCommands, say } from "../commands";
import { requirePeer } from "../peers";
import { type RowsAt, rowsSwitch } from "../rows";
import { openSameGraph } from "../same-graph";

/** The part of Fastify that is used here; its types are not installed with the project. */
interface FastifyLike {
  readonly server: { address(): AddressInfo };
  register(plugin: unknown, options: object): Promise<unknown>;
  listen(options: { port: number; host: string }): Promise<string>;
}

async function main(): Promise<void> {
  const { schema, services, contextOf } = await openSameGraph(process.argv[2]!);
  const rowsAt = rowsSwitch(services);
  const app = (requirePeer("fastify") as () => FastifyLike)();
  await app.register(requirePeer("mercurius"), { schema, context: contextOf, jit: 1, graphiql: false });
  await app.listen({ port: 0, host: "127.0.0.1" });
  say({ url: `http://127.0.0.1:${app.server.address().port}/graphql` });
  await answerCommands({ rows: ({ at }: { at: RowsAt }) => rowsAt(at) });
}

void main();
