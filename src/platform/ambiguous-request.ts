/** Requests that Node's parser takes and that a proxy in front of us may have read otherwise: they are refused, not interpreted. */
import type { IncomingMessage } from "node:http";

/** Node drops what is beyond its own limit without a word; nobody real sends a tenth of this. */
const HEADERS_MAX = 128;
/** What `Connection` may name: it speaks of this hop alone. All else that it names, a proxy would have taken away on its way here. */
const hopByHop: ReadonlySet<string> = new Set([
  "close",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
  "http2-settings",
  "proxy-connection",
]);

export interface Ambiguity {
  readonly status: 400 | 431 | 501 | 505;
  readonly reason: string;
}

/** Null: it can be read in one way only. */
export function ambiguityOf({ rawHeaders, headers, httpVersion }: IncomingMessage): Ambiguity | null {
  // Node takes 0.9 and 2.0 as numbers, and reads on as if they were 1.1.
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return { status: 505, reason: `HTTP/${httpVersion}` };
  if (rawHeaders.length > 2 * HEADERS_MAX) return { status: 431, reason: `more than ${HEADERS_MAX} header fields` };
  let hosts = 0;
  let codings = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    // Most names are shorter or longer, and none of these has to be read.
    const { length } = rawHeaders[i]!;
    if (length === 4 && rawHeaders[i]!.toLowerCase() === "host") hosts += 1;
    else if (length === 17 && rawHeaders[i]!.toLowerCase() === "transfer-encoding") codings += 1;
  }
  if (hosts > 1) return { status: 400, reason: "more than one Host" };
  if (codings > 0) {
    if (httpVersion === "1.0") return { status: 400, reason: "Transfer-Encoding in HTTP/1.0" };
    if (codings > 1 || headers["transfer-encoding"]!.toLowerCase() !== "chunked")
      return { status: 501, reason: "a Transfer-Encoding other than chunked" };
  }
  const nominated = headers.connection === undefined ? undefined : nominatedField(headers.connection, headers);
  if (nominated !== undefined) return { status: 400, reason: `Connection names ${nominated}` };
  return null;
}

function nominatedField(connection: string, headers: IncomingMessage["headers"]): string | undefined {
  if (connection === "keep-alive" || connection === "close") return undefined;
  return connection
    .toLowerCase()
    .split(",")
    .map((option) => option.trim())
    .find((option) => !hopByHop.has(option) && Object.hasOwn(headers, option));
}
