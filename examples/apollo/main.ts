/**
 * Watches a provider's endpoints and their breaches; with a name as argument it first takes that endpoint out of service.
 * Shows a paged `watchQuery`, a mutation whose refusals are data, and a subscription that resumes.
 */
import type { ObservableQuery } from "@apollo/client";
import {
  EndpointMoveDocument,
  EndpointsDocument,
  type EndpointsQuery,
  type EndpointsQueryVariables,
  SlaBreachChangesDocument,
  type SlaBreachChangesSubscription,
} from "../../codegen/generated/graphql";
import { type Connection, connect } from "./client";

type Endpoint = EndpointsQuery["endpoints"]["edges"][number]["node"];
type EndpointList = ObservableQuery<EndpointsQuery, EndpointsQueryVariables>;

const PAGE_SIZE = 20;

/** Fetches page after page; the cache's policy joins them, and whoever watches is told. */
async function readToTheEnd(list: EndpointList): Promise<Endpoint[]> {
  const first = await list.refetch();
  if (first.data === undefined) throw first.error;
  let { pageInfo } = first.data.endpoints;
  while (pageInfo.hasNextPage) {
    const { data, error } = await list.fetchMore({ variables: { after: pageInfo.endCursor } });
    if (data === undefined) throw error;
    pageInfo = data.endpoints.pageInfo;
  }
  const { data } = list.getCurrentResult();
  return (data as EndpointsQuery).endpoints.edges.map(({ node }) => node);
}

/** Refusals of the business are in `userErrors`, each with a code to branch on; only faults are thrown. */
async function drain({ client }: Connection, { id, version }: Endpoint): Promise<void> {
  const { data } = await client.mutate({
    mutation: EndpointMoveDocument,
    // Only if nobody has changed it since we read it.
    variables: { input: { id, to: "DRAINING", expectedVersion: version } },
  });
  for (const { code, field, message } of data?.endpointMove.userErrors ?? []) {
    console.log(`refused: ${code} ${field?.join(".") ?? ""} ${message}`);
  }
}

function onBreach(data: SlaBreachChangesSubscription | undefined): void {
  const message = data?.slaBreaches;
  if (message?.__typename === "SlaBreachEvent")
    console.log(`${message.change} ${message.node.kind} ${message.node.id}`);
  if (message?.__typename === "StreamGap") console.log(`gap: ${message.reason}; query slaBreaches for what is open`);
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function run(connection: Connection, name: string | undefined): Promise<() => void> {
  const { client } = connection;
  const list = client.watchQuery({ query: EndpointsDocument, variables: { first: PAGE_SIZE } });
  const endpoints = await readToTheEnd(list);
  // The mutation answers `id`, `state` and `version`: the cache knows the object by its id and tells everyone who watches.
  const watching = list.subscribe(({ data, dataState }) => {
    if (dataState !== "complete") return;
    console.log(data.endpoints.edges.map(({ node }) => `${node.name} ${node.state}`).join(", "));
  });
  const breaches = client.subscribe({ query: SlaBreachChangesDocument, variables: {} }).subscribe({
    next: ({ data, error }) => (error ? fail(error) : onBreach(data)),
    error: fail,
  });
  const chosen = endpoints.find((endpoint) => endpoint.name === name);
  if (chosen !== undefined) await drain(connection, chosen);
  else if (name !== undefined) console.log(`no endpoint is called ${name}`);
  return () => {
    watching.unsubscribe();
    breaches.unsubscribe();
  };
}

async function main(url: string, key: string): Promise<void> {
  const connection = connect(url, key);
  try {
    const stop = await run(connection, process.argv[2]);
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        stop();
        void connection.close();
      });
    }
  } catch (error) {
    await connection.close();
    throw error;
  }
}

const { EXERGY_URL = "http://localhost:4000/graphql", EXERGY_KEY } = process.env;
if (EXERGY_KEY) main(EXERGY_URL, EXERGY_KEY).catch(fail);
else fail(new Error("Set EXERGY_KEY to an API key of a provider, and EXERGY_URL to the address of the API."));
