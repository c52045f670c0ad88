/** A subscription over server-sent events with nothing but `fetch`: for places that let no WebSocket through. */

export interface Subscription {
  readonly url: string;
  readonly key: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
}

/** What comes on one connection. `complete`: the server has ended the operation; without it the connection was lost. */
export type StreamEvent =
  | { readonly kind: "next"; readonly result: { data?: unknown; errors?: readonly { message: string }[] } }
  | { readonly kind: "retry"; readonly afterMs: number }
  | { readonly kind: "complete" };

/** Errors: when the server refuses the request; those of fetch when the connection breaks. */
export async function* subscribe({ url, key, query, variables, signal }: Subscription): AsyncGenerator<StreamEvent> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      accept: "text/event-stream",
      "content-type": "application/json",
      authorization: `Bearer ${key}`,
    },
    body: JSON.stringify({ query, variables }),
    signal,
  });
  if (!response.ok || response.body === null) throw new Refused(response.status, await response.text());
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    yield* blocks.flatMap((block) => eventOf(block) ?? []);
  }
}

export class Refused extends Error {
  override readonly name = "Refused";

  constructor(
    readonly status: number,
    body: string,
  ) {
    super(`The server answered ${status}: ${body}`);
  }
}

/** Undefined for a comment, which only keeps the connection from being idle. */
function eventOf(block: string): StreamEvent | undefined {
  const fields = new Map(block.split("\n").map((line) => [line.split(":", 1)[0], line.replace(/^[^:]*: ?/, "")]));
  if (fields.get("event") === "next") return { kind: "next", result: JSON.parse(fields.get("data") ?? "") };
  if (fields.get("event") === "complete") return { kind: "complete" };
  const retry = fields.get("retry");
  return retry === undefined ? undefined : { kind: "retry", afterMs: Number(retry) };
}
