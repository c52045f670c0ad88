/** The breach stream of one organisation, followed for ever over one WebSocket, whatever happens to the connection. */
import { print } from "graphql";
import { type Client, createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { SlaBreachChangesDocument, type SlaBreachChangesSubscription } from "../../codegen/generated/graphql";
import type { Message } from "./breach-book";

export interface BreachStream {
  /** Resolves after `stop`. Errors: what the server refused, and what `onMessage` threw. */
  readonly ended: Promise<void>;
  stop(): void;
}

export interface BreachStreamOptions {
  /** Of the API, e.g. `https://api.example.com/graphql`. */
  readonly url: string;
  readonly key: string;
  /** Cursor of the last message that was handled; null begins with what is open now. */
  readonly after: string | null;
  readonly onMessage: (message: Message) => void;
  readonly onConnection?: (state: "connected" | "lost") => void;
}

/** The server says something at least every 20 s, if only a checkpoint: three times that in silence is a dead network. */
const SILENCE_MAX_MS = 60_000;
const RETRY_WAIT_MAX_MS = 10_000;

export function followBreaches({ url, key, after, onMessage, onConnection }: BreachStreamOptions): BreachStream {
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait,
    on: { connected: () => onConnection?.("connected"), closed: () => onConnection?.("lost") },
  });
  const silence = watchSilence(client);
  // The client sends this same object again on each new connection: moving `after` in it is all that resuming takes.
  const variables = { after };
  let stop = (): void => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    stop = client.subscribe<SlaBreachChangesSubscription>(
      { query: print(SlaBreachChangesDocument), variables },
      {
        next({ data, errors }) {
          silence.broken();
          try {
            if (data == null) throw failureOf(errors);
            onMessage(data.slaBreaches);
            variables.after = data.slaBreaches.cursor;
          } catch (error) {
            reject(error);
          }
        },
        error: (cause) => reject(failureOf(cause)),
        complete: resolve,
      },
    );
  }).finally(() => {
    silence.stop();
    return client.dispose();
  });
  return { ended, stop: () => stop() };
}

/** Doubling up to ten seconds, of which half is left to chance: a server that restarts must not meet all its clients at once. */
async function retryWait(retries: number): Promise<void> {
  const longestMs = Math.min(RETRY_WAIT_MAX_MS, 250 * 2 ** retries);
  await new Promise((resolve) => setTimeout(resolve, longestMs * (0.5 + Math.random() / 2)));
}

/** A dead network closes nothing: whoever only waits for a close event waits for ever. */
function watchSilence(client: Client): { broken(): void; stop(): void } {
  const timer = setTimeout(() => {
    client.terminate();
    timer.refresh();
  }, SILENCE_MAX_MS);
  return { broken: () => void timer.refresh(), stop: () => clearTimeout(timer) };
}

/** A refusal is a list of GraphQL errors, the end of a connection a close event, the rest an Error. */
function failureOf(cause: unknown): Error {
  if (cause instanceof Error) return cause;
  if (Array.isArray(cause)) return new Error(cause.map(({ message }) => message).join("; "));
  const { code, reason } = cause as { code?: number; reason?: string };
  return new Error(`The server closed the connection: ${code} ${reason}`);
}
