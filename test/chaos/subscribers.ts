/** Followers of durable streams with the stock client, at whichever API answers; each writes down all that it is told. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { type Client, createClient } from "graphql-ws";
import { WebSocket } from "ws";
import {
  CapacityChangesDocument,
  type CapacityChangesSubscription,
  SlaBreachChangesDocument,
  type SlaBreachChangesSubscription,
} from "../../codegen/generated/graphql";

type Message = CapacityChangesSubscription["capacityChanges"] | SlaBreachChangesSubscription["slaBreaches"];

/** What an event is called here, from the database's side and from the client's. */
export const streams = {
  capacityChanges: {
    document: CapacityChangesDocument as TypedDocumentNode<Record<string, Message>, { after?: string | null }>,
    told: { "capacity.window.announced": "ANNOUNCED", "capacity.window.cancelled": "CANCELLED" },
  },
  slaBreaches: {
    document: SlaBreachChangesDocument as TypedDocumentNode<Record<string, Message>, { after?: string | null }>,
    told: { "sla.breach.opened": "OPENED", "sla.breach.closed": "CLOSED" },
  },
} as const;
export type StreamName = keyof typeof streams;

/** `change id`, e.g. `ANNOUNCED Q2Fw…`. */
export type Told = string;

export interface Subscriber {
  readonly stream: StreamName;
  /** Events, in the order in which they came. */
  readonly events: Told[];
  /** Ids that a snapshot told of. */
  readonly standing: Set<string>;
  readonly gaps: { readonly reason: string; readonly behind: number }[];
  /** Any of these is a fault: a stream that is refused is not resumed. */
  readonly failures: string[];
  /** Whether its first snapshot is told: what is written from then on is its to hear. */
  readonly stands: () => boolean;
  readonly connections: () => number;
  cut(): void;
  close(): Promise<void>;
}

const RETRY_MS_MAX = 300;

export function subscribe(
  stream: StreamName,
  { secret, url, random }: { secret: string; url: () => string; random: () => number },
): Subscriber {
  let socket: WebSocket | undefined;
  let connections = 0;
  // What the client sends again when it connects anew.
  const variables: { after: string | null } = { after: null };
  const client: Client = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${secret}` },
    lazy: false,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, random() * RETRY_MS_MAX)),
    shouldRetry: () => true,
    onNonLazyError: () => undefined,
    on: {
      opened: (opened) => {
        socket = opened as WebSocket;
        connections += 1;
      },
    },
  });
  const subscriber: Subscriber = {
    stream,
    events: [],
    standing: new Set(),
    gaps: [],
    failures: [],
    stands: () => variables.after !== null,
    connections: () => connections,
    cut: () => socket?.terminate(),
    close: async () => client.dispose(),
  };
  client.subscribe<Record<string, Message>>(
    { query: print(streams[stream].document), variables },
    {
      next({ data, errors }) {
        const message = data?.[stream];
        if (!message) {
          subscriber.failures.push(JSON.stringify(errors));
          return;
        }
        note(subscriber, message);
        variables.after = message.cursor;
      },
      error: (error) => void subscriber.failures.push(error instanceof Error ? error.message : JSON.stringify(error)),
      complete: () => void subscriber.failures.push("the stream is complete"),
    },
  );
  return subscriber;
}

function note({ events, standing, gaps }: Subscriber, message: Message): void {
  if (message.__typename === "StreamGap") gaps.push({ reason: message.reason, behind: events.length });
  else if (message.__typename !== "StreamCheckpoint" && message.change === "STANDING") standing.add(message.node.id);
  else if (message.__typename !== "StreamCheckpoint") events.push(`${message.change} ${message.node.id}`);
}

/** Where what a subscriber was told differs from what was written: lost without a gap, told twice, out of order. */
export function faultsOf({ stream, events, standing, gaps, failures }: Subscriber, written: readonly Told[]): string[] {
  const faults = failures.map((failure) => `${stream} failed: ${failure}`);
  const places = new Map(written.map((told, place) => [told, place]));
  let expected = 0;
  for (const [position, told] of events.entries()) {
    const place = places.get(told);
    if (place === undefined) faults.push(`${stream} tells of ${told}, which nobody wrote`);
    else if (place < expected) faults.push(`${stream} tells of ${told} again, or too late`);
    else {
      const skipped = written.slice(expected, place);
      const explained =
        gaps.some(({ behind }) => behind === position) && skipped.every((one) => standing.has(idOf(one)));
      if (skipped.length > 0 && !explained) faults.push(`${stream} skips ${skipped.length} events before ${told}`);
      expected = place + 1;
    }
  }
  if (expected < written.length) faults.push(`${stream} ends ${written.length - expected} events too early`);
  return faults;
}

const idOf = (told: Told): string => told.split(" ")[1]!;
