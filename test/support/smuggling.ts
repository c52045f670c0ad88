/** Requests that two servers may read in two ways, or that no server should take, for any listener of ours. */
import { connect } from "node:net";

export interface Doorway {
  readonly url: string;
  /** Request line and headers of a proper POST but for its framing: what makes it more than refused at the door. */
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: string;
}

/**
 * REFUSED: one answer of 4xx, 501 or 505 or none, and the connection is closed. LAST: a 200, then the same for what is
 * behind it. ONCE: one answer, then that to the probe behind it. Numbers: so many answers, in order, then the probe's.
 */
export type Reading = "REFUSED" | "LAST" | "ONCE" | readonly number[];

export interface Smuggling {
  readonly what: string;
  readonly bytes: (door: Doorway) => string | Buffer;
  readonly reading: Reading;
}

/** If this is ever answered, something was read as a request that was none. */
const hidden = "GET /canary HTTP/1.1\r\nhost: canary\r\n\r\n";
const probe = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

const post = (door: Doorway, framing: readonly string[], body: string) =>
  `${[door.line, ...door.headers, ...framing].join("\r\n")}\r\n\r\n${body}`;
const chunkedBody = ({ body }: Doorway, size = Buffer.byteLength(body).toString(16)) =>
  `${size}\r\n${body}\r\n0\r\n\r\n`;
const lengthOf = ({ body }: Doorway) => Buffer.byteLength(body);
const TE = "transfer-encoding: chunked";

/** The two framings at once or one of them bent, the hidden request where the other reading would find it. */
const framed = (
  what: string,
  framing: (door: Doorway) => readonly string[],
  reading: Reading = "REFUSED",
): Smuggling => ({
  what,
  bytes: (door) => post(door, framing(door), reading === "REFUSED" ? `0\r\n\r\n${hidden}` : chunkedBody(door)),
  reading,
});
const length = (what: string, value: (door: Doorway) => string): Smuggling => ({
  what: `Content-Length ${what}`,
  bytes: (door) => post(door, [`content-length: ${value(door)}`], `${door.body}${hidden}`),
  reading: "REFUSED",
});
const chunks = (what: string, body: (door: Doorway) => string, reading: Reading = "REFUSED"): Smuggling => ({
  what,
  bytes: (door) => post(door, [TE], body(door)),
  reading,
});
const lines = (what: string, bytes: string, reading: Reading = "REFUSED"): Smuggling => ({
  what,
  bytes: () => bytes,
  reading,
});
const header = (what: string, text: string, reading: Reading = "REFUSED"): Smuggling =>
  lines(what, `GET /healthz HTTP/1.1\r\nhost: x\r\n${text}\r\n\r\n`, reading);
const encoded = (door: Doorway) => (Buffer.byteLength(door.body) + 5).toString(16);

export const smugglings: readonly Smuggling[] = [
  framed("a length, then chunks (CL.TE)", () => ["content-length: 44", TE]),
  framed("chunks, then a length (TE.CL)", () => [TE, "content-length: 4"]),
  framed("chunks and a length of nothing", () => [TE, "content-length: 0"]),
  framed("chunks of an unknown kind", () => ["transfer-encoding: xchunked"]),
  framed("chunks, then identity", () => ["transfer-encoding: chunked, identity"]),
  framed("identity, then chunks", () => ["transfer-encoding: identity, chunked"]),
  framed("packed, then in chunks", () => ["transfer-encoding: gzip, chunked"]),
  framed("chunks twice in one field", () => ["transfer-encoding: chunked, chunked"]),
  framed("chunks twice in two fields", () => [TE, TE]),
  framed("chunks, then identity in two fields", () => [TE, "transfer-encoding: identity"]),
  framed("identity alone", () => ["transfer-encoding: identity"]),
  framed("nothing as an encoding", () => ["transfer-encoding:"]),
  framed("a space before the colon", () => ["transfer-encoding : chunked"]),
  framed("a tab before the colon", () => ["transfer-encoding\t: chunked"]),
  framed("a vertical tab before the value", () => ["transfer-encoding: \u000bchunked"]),
  framed("a quoted encoding", () => ['transfer-encoding: "chunked"']),
  framed("an encoding with a parameter", () => ["transfer-encoding: chunked;q=1"]),
  framed("a folded encoding", () => ["transfer-encoding:\r\n chunked"]),
  framed("an encoding behind a bare LF", (door) => [`content-length: ${lengthOf(door)}`, `x: y\n${TE}`]),
  framed("an encoding behind a bare CR", (door) => [`content-length: ${lengthOf(door)}`, `x: y\r${TE}`]),
  framed("an encoding behind a NUL", () => [`x: y\0${TE}`]),
  framed("an encoding in capitals and a tab, which is proper", () => ["TRANSFER-ENCODING:\tChunked"], "ONCE"),
  length("twice, the same", (door) => `${lengthOf(door)}\r\ncontent-length: ${lengthOf(door)}`),
  length("twice, another", (door) => `${lengthOf(door)}\r\ncontent-length: 0`),
  length("as a list", (door) => `${lengthOf(door)}, ${lengthOf(door)}`),
  length("with a plus", (door) => `+${lengthOf(door)}`),
  length("below zero", (door) => `-${lengthOf(door)}`),
  length("in hexadecimal", (door) => `0x${lengthOf(door).toString(16)}`),
  length("with a space in it", (door) => `${lengthOf(door)} 0`),
  length("with a point", (door) => `${lengthOf(door)}.0`),
  length("with an exponent", (door) => `${lengthOf(door)}e0`),
  length("of nothing", () => ""),
  length("of foreign digits", () => "\u0661"),
  length("beyond 64 bits", (door) => String(2n ** 64n + BigInt(lengthOf(door)))),
  length("folded", (door) => `\r\n ${lengthOf(door)}`),
  chunks(
    "a chunk with an extension, which is proper",
    (door) => chunkedBody(door, `${lengthOf(door).toString(16)};a=b`),
    "ONCE",
  ),
  chunks(
    "a chunk with a quoted extension, which is proper",
    (door) => chunkedBody(door, `${lengthOf(door).toString(16)};a="b c"`),
    "ONCE",
  ),
  chunks(
    "a chunk with a bare LF in its extension",
    (door) => `${lengthOf(door).toString(16)};\n${door.body}\r\n0\r\n\r\n${hidden}`,
  ),
  chunks(
    "a chunk with a bare CR in its extension",
    (door) => `${lengthOf(door).toString(16)};a\rb\r\n${door.body}\r\n0\r\n\r\n${hidden}`,
  ),
  chunks("a chunk with an extension of 20 KB", (door) =>
    chunkedBody(door, `${lengthOf(door).toString(16)};${"a".repeat(20_000)}`),
  ),
  chunks("a chunk of a negative size", (door) => chunkedBody(door, `-${lengthOf(door).toString(16)}`)),
  chunks("a chunk of a size with a plus", (door) => chunkedBody(door, `+${lengthOf(door).toString(16)}`)),
  chunks("a chunk of a size with 0x", (door) => chunkedBody(door, `0x${lengthOf(door).toString(16)}`)),
  chunks("a chunk of a size behind a space", (door) => chunkedBody(door, ` ${lengthOf(door).toString(16)}`)),
  chunks("a chunk whose size overflows 64 bits", (door) =>
    chunkedBody(door, `1${"0".repeat(15)}${lengthOf(door).toString(16).padStart(2, "0")}`),
  ),
  chunks("a chunk whose size is a word", () => `five\r\nhello\r\n0\r\n\r\n${hidden}`),
  chunks(
    "a chunk whose size line ends with LF alone",
    (door) => `${lengthOf(door).toString(16)}\n${door.body}\r\n0\r\n\r\n${hidden}`,
  ),
  chunks(
    "a chunk without its line's end",
    (door) => `${lengthOf(door).toString(16)}\r\n${door.body}0\r\n\r\n${hidden}`,
  ),
  chunks("a chunk that is longer than its size", (door) => `1\r\n${door.body}\r\n0\r\n\r\n${hidden}`),
  chunks(
    "a chunk that hides a request in its size",
    (door) => `${encoded(door)}\r\n${door.body}0\r\n\r\nX\r\n0\r\n\r\n`,
  ),
  chunks(
    "trailers of 20 KB",
    (door) => `${lengthOf(door).toString(16)}\r\n${door.body}\r\n0\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
  ),
  chunks(
    "trailers, which are proper",
    (door) => `${lengthOf(door).toString(16)}\r\n${door.body}\r\n0\r\nauthorization: Bearer x\r\nx-sum: 99\r\n\r\n`,
    "ONCE",
  ),
  chunks(
    "trailers with a length",
    (door) => `${lengthOf(door).toString(16)}\r\n${door.body}\r\n0\r\ncontent-length: 99\r\n\r\n`,
  ),
  lines("LF alone at every line's end", "GET /healthz HTTP/1.1\nhost: x\n\n"),
  lines("LF alone behind the request line", "GET /healthz HTTP/1.1\nhost: x\r\n\r\n"),
  header("LF alone behind a header", "a: b\nc: d"),
  header("CR alone in a header", "a: b\rc: d"),
  header("a NUL in a header", "a: b\0c"),
  header("a NUL in a header's name", "a\0b: c"),
  header("a header without a name", ": b"),
  header("a header without a colon", "nothing"),
  header("a folded header", "a: b\r\n c: d"),
  lines("a header that begins with a space", "GET /healthz HTTP/1.1\r\n host: x\r\n\r\n"),
  header("an empty line in the middle", "a: b\r\n \r\nc: d"),
  header("two Hosts, the same", "Host: x"),
  header("two Hosts", "HOST: canary"),
  lines("no Host", "GET /healthz HTTP/1.1\r\n\r\n"),
  header("a Connection that names the Host", "connection: host"),
  header("a Connection that names the key", "authorization: Bearer x\r\nconnection: close, Authorization"),
  header("a Connection that names the length", "content-length: 0\r\nconnection: keep-alive, content-length"),
  header("a Connection that names a header of its own", "x-own: 1\r\nconnection: x-own"),
  header("a Connection that names what is not there, which is proper", "connection: keep-alive, x-own", "ONCE"),
  header("3,000 headers", Array.from({ length: 3_000 }, () => "a:b").join("\r\n")),
  header("129 headers", Array.from({ length: 128 }, (_, i) => `x${i}: y`).join("\r\n")),
  header("100 headers, which is proper", Array.from({ length: 99 }, (_, i) => `x${i}: y`).join("\r\n"), "ONCE"),
  header("headers of 20 KB", `x: ${"y".repeat(20_000)}`),
  header("an expectation that nobody meets", "expect: 200-ok", [417]),
  header("an expectation twice", "expect: 100-continue\r\nexpect: 100-continue", "ONCE"),
  lines("a target with a host", "GET http://canary/healthz HTTP/1.1\r\nhost: x\r\n\r\n", [404]),
  lines(
    "a target of ours with a host",
    "POST http://127.0.0.1/v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
    "ONCE",
  ),
  lines("a tunnel", "CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: 169.254.169.254:80\r\n\r\n"),
  lines("a tunnel to ourselves", "CONNECT localhost HTTP/1.1\r\nhost: localhost\r\n\r\n"),
  lines("an asterisk for a target", "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", "ONCE"),
  lines("a target without a slash", "GET healthz HTTP/1.1\r\nhost: x\r\n\r\n"),
  lines("a target with a space in it", "GET /healthz HTTP/1.1 HTTP/1.1\r\nhost: x\r\n\r\n"),
  lines("a target with a raw CR", "GET /healthz\r\rx HTTP/1.1\r\nhost: x\r\n\r\n"),
  lines(
    "an encoded line break in the path",
    "GET /v1/models/a%0d%0aset-cookie:%20b=c HTTP/1.1\r\nhost: x\r\n\r\n",
    "ONCE",
  ),
  lines("a path that climbs", "GET /v1/../healthz HTTP/1.1\r\nhost: x\r\n\r\n", "ONCE"),
  lines("a path with two slashes", "GET //canary/healthz HTTP/1.1\r\nhost: x\r\n\r\n", "ONCE"),
  lines("HTTP/0.9", "GET /healthz\r\n"),
  lines("HTTP/0.9 by number", "GET /healthz HTTP/0.9\r\n\r\n"),
  lines("HTTP/1.2", "GET /healthz HTTP/1.2\r\nhost: x\r\n\r\n"),
  lines("HTTP/2 by number", "GET /healthz HTTP/2.0\r\nhost: x\r\n\r\n"),
  lines("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0"),
  lines("http in small letters", "GET /healthz http/1.1\r\nhost: x\r\n\r\n"),
  lines("a method in small letters", "get /healthz HTTP/1.1\r\nhost: x\r\n\r\n"),
  lines("a method that nobody knows", "SMUGGLE /healthz HTTP/1.1\r\nhost: x\r\n\r\n"),
  lines("HTTP/1.0 in chunks", `POST /healthz HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\n${TE}\r\n\r\n0\r\n\r\n`),
  lines("a TLS hello", "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003"),
  lines(
    "an upgrade to HTTP/2",
    "GET /v1/nowhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ\r\n\r\n",
  ),
  lines(
    "an upgrade of a path that has none",
    "GET /v1/nowhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ),
  lines(
    "an upgrade with two Hosts",
    "GET /graphql HTTP/1.1\r\nhost: x\r\nhost: canary\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ),
  lines(
    "a GET with a body that is a request",
    `GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`,
    [200],
  ),
  lines(
    "a GET with a body in chunks",
    `GET /healthz HTTP/1.1\r\nhost: x\r\n${TE}\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    [200],
  ),
  lines("garbage behind a request", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n\0\0\0\0\r\n\r\n", "LAST"),
  {
    what: "a request behind one that is refused, which is proper",
    bytes: (door) => `${post(door, ["content-length: 1"], "x")}GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n`,
    reading: [400, 200],
  },
  {
    what: "a body that waits to be asked for, and comes at once",
    bytes: (door) => post(door, ["expect: 100-continue", `content-length: ${lengthOf(door)}`], door.body),
    reading: "ONCE",
  },
  {
    what: "a body in chunks that waits to be asked for, and comes at once",
    bytes: (door) => post(door, ["expect: 100-continue", TE], chunkedBody(door)),
    reading: "ONCE",
  },
];

export interface Read {
  /** Of all final answers, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
}

/** Sends it with a proper request right behind it, and resolves with all that came when the other side closed the connection. */
export function smuggle(door: Doorway, { bytes }: Smuggling): Promise<Read> {
  const { hostname, port } = new URL(door.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname).setEncoding("latin1");
    let text = "";
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      const all = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ statuses: all.filter((status) => status >= 200), text });
    });
    const given = bytes(door);
    socket.write(Buffer.concat([Buffer.isBuffer(given) ? given : Buffer.from(given, "latin1"), Buffer.from(probe)]));
  });
}

/** Null: it was read as it should. */
export function misread({ reading }: Smuggling, { statuses, text }: Read): string | null {
  const said = `${JSON.stringify(statuses)}: ${text.slice(0, 400)}`;
  if (/canary/.test(text.replaceAll("No route", "").replace(/\/canary\/healthz|http:\/\/canary/g, "")))
    return `something hidden was answered: ${said}`;
  if (/^set-cookie/im.test(text)) return `a header was injected: ${said}`;
  if (reading === "REFUSED" || reading === "LAST") {
    const [first, ...others] = reading === "LAST" ? statuses : [200, ...statuses];
    const refused = others.every((status) => (status >= 400 && status < 500) || status === 501 || status === 505);
    return first === 200 && others.length <= 1 && refused ? null : `not refused: ${said}`;
  }
  const [last, ...before] = [...statuses].reverse();
  if (last !== 200 || !text.endsWith("ok")) return `the request behind it was not answered: ${said}`;
  if (reading === "ONCE") return before.length === 1 ? null : `${before.length} answers to one request: ${said}`;
  return JSON.stringify(before.reverse()) === JSON.stringify(reading) ? null : `other answers: ${said}`;
}
