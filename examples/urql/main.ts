/** A provider's dashboard in a terminal: all its capacity windows, page by page, and then the load of its endpoints, live. */
import type { Client, CombinedError, OperationResult } from "@urql/core";
import {
  CapacityWindowsDocument,
  type CapacityWindowsQuery,
  UtilizationDocument,
} from "../../codegen/generated/graphql";
import { connect } from "./client";

type Window = CapacityWindowsQuery["capacityWindows"]["nodes"][number];

const PAGE_SIZE = 50;

export async function* windows(client: Client, first = PAGE_SIZE): AsyncGenerator<Window> {
  let after: string | null = null;
  do {
    const page: OperationResult<CapacityWindowsQuery> = await client.query(CapacityWindowsDocument, { first, after });
    if (page.data === undefined) throw page.error;
    const { nodes, pageInfo }: CapacityWindowsQuery["capacityWindows"] = page.data.capacityWindows;
    yield* nodes;
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null);
}

/** The codes are the contract; the sentences are for people. */
function fail(error: unknown): void {
  const codes = (error as Partial<CombinedError>).graphQLErrors?.map(({ extensions }) => extensions.code) ?? [];
  console.error([...codes, error instanceof Error ? error.message : String(error)].join(" "));
  process.exitCode = 1;
}

async function main(url: string, key: string): Promise<void> {
  const { client, close } = connect(url, key);
  try {
    for await (const { kind, gpuCount, accelerator, region, startsAt } of windows(client)) {
      console.log(`${kind} ${gpuCount} × ${accelerator.code} ${region} from ${startsAt}`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const { unsubscribe } = client.subscription(UtilizationDocument, {}).subscribe(({ data, error }) => {
    if (error) fail(error);
    if (data === undefined) return;
    const { endpoint, inFlight, slots, utilization } = data.utilization;
    console.log(`${endpoint.name} ${inFlight}/${slots} slots, ${utilization} busy`);
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      unsubscribe();
      void close();
    });
  }
}

const { EXERGY_URL = "http://localhost:4000/graphql", EXERGY_KEY } = process.env;
if (EXERGY_KEY) main(EXERGY_URL, EXERGY_KEY).catch(fail);
else fail(new Error("Set EXERGY_KEY to an API key of a provider, and EXERGY_URL to the address of the API."));
