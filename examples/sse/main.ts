/** Prints every change of your capacity windows, over server-sent events; comes back with its cursor when the connection is lost. */
import { setTimeout as pause } from "node:timers/promises";
import { print } from "graphql";
import { CapacityChangesDocument, type CapacityChangesSubscription } from "../../codegen/generated/graphql";
import { Refused, subscribe } from "./event-stream";

const { EXERGY_URL: url = "http://localhost:4000/graphql", EXERGY_KEY: key } = process.env;

const FIRST_WAIT_MS = 500;
const WAIT_MAX_MS = 10_000;

function tell(message: CapacityChangesSubscription["capacityChanges"]): void {
  if (message.__typename === "CapacityWindowEvent") {
    const { kind, gpuCount, accelerator, region } = message.node;
    console.log(`${message.change} ${kind} ${gpuCount} × ${accelerator.code} ${region}`);
  }
  if (message.__typename === "StreamGap") console.log(`GAP ${message.reason}`);
}

/** Resolves when the server has ended the stream, or the signal says so. Errors: Refused, when asking again would not help. */
async function follow(apiKey: string, signal: AbortSignal): Promise<void> {
  let after: string | null = null;
  let waitMs = FIRST_WAIT_MS;
  while (!signal.aborted) {
    try {
      const query = print(CapacityChangesDocument);
      for await (const event of subscribe({ url, key: apiKey, query, variables: { after }, signal })) {
        if (event.kind === "complete") return;
        if (event.kind === "retry") waitMs = event.afterMs;
        if (event.kind !== "next") continue;
        const { data, errors } = event.result as { data?: CapacityChangesSubscription; errors?: { message: string }[] };
        if (data == null) throw new Refused(200, errors?.map(({ message }) => message).join("; ") ?? "no data");
        tell(data.capacityChanges);
        after = data.capacityChanges.cursor;
        waitMs = FIRST_WAIT_MS;
      }
    } catch (error) {
      // 5xx and a broken connection pass; what was wrong with the request stays wrong.
      if (error instanceof Refused && error.status < 500) throw error;
    }
    await pause(waitMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(WAIT_MAX_MS, Math.max(FIRST_WAIT_MS, waitMs * 2));
  }
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

const leaving = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => leaving.abort());
if (key) follow(key, leaving.signal).catch(fail);
else fail(new Error("Set EXERGY_KEY to an API key of a provider, and EXERGY_URL to the address of the API."));
