/** The peer: graphql-ws's own server as its guide sets it up, on the same schema and event source. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { GraphQLSchema } from "graphql";
import { useServer as serve } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import type { LatestStream, Subscribable } from "../../src/api/streams/stream";
import { answerCommands, say } from "../commands";
import { openSameGraph } from "../same-graph";
import { type Pace, utilizationSource } from "../utilization-source";

/** Declarations of streams become what graphql-js wants: one iterator for each subscriber, with a queue of its own. */
function iterated(schema: GraphQLSchema): GraphQLSchema {
  for (const field of Object.values(schema.getSubscriptionType()!.getFields())) {
    const declare = field.subscribe!;
    field.subscribe = async (...asked) => {
      const { stream } = (await declare(...asked)) as Subscribable;
      if (stream.kind !== "LATEST") throw new Error("only streams of latest values are compared");
      return queueOf(stream);
    };
  }
  return schema;
}

function queueOf(stream: LatestStream): AsyncIterableIterator<unknown> {
  const waiting: unknown[] = [];
  let wake = () => {};
  const off = stream.listen((item) => {
    waiting.push(item);
    wake();
  });
  return {
    async next() {
      while (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return { done: false, value: waiting.shift() };
    },
    async return() {
      off();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function main(): Promise<void> {
  const { schema, services, contextOf } = await openSameGraph(process.argv[2]!);
  const source = utilizationSource(services, contextOf().viewer!.organisationId);
  const server = createServer();
  serve({ schema: iterated(schema), context: contextOf }, new WebSocketServer({ server, path: "/graphql" }));
  server.listen(0, "127.0.0.1", () => {
    say({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql` });
  });
  await answerCommands({
    publish: ({ events }: { events: number }) => source.publish(events),
    pace: (pace: Pace) => source.pace(pace),
  });
}

void main();
