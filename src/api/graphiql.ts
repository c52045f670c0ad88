/** GraphiQL as it was built into dist/graphiql, under /graphiql: known files only, and nothing that another host would have to send. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { dirname, extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { DomainError } from "../platform/errors";

export const GRAPHIQL_PATH = "/graphiql";

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** Scripts and connections are ours alone. The editor sets style attributes, and its fonts lie in the stylesheet. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

interface BuiltFile {
  readonly type: string;
  /** Names of built assets carry a hash of what is in them. */
  readonly immutable: boolean;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
}

export interface Graphiql {
  serves(path: string): boolean;
  /** Errors: NOT_FOUND for what is not in the build. */
  answer(path: string, request: IncomingMessage, response: ServerResponse): void;
}

/** `directory` is read once for its names; a file is read and compressed when it is first asked for. */
export function openGraphiql(directory: string = builtDirectory()): Graphiql {
  const names = existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: "utf8" }) : [];
  // What may be asked for is a list, so that no path can lead anywhere else.
  const files = new Map(
    names
      .filter((name) => contentTypes[extname(name)] !== undefined)
      .map((name) => [`${GRAPHIQL_PATH}/${name.replaceAll("\\", "/")}`, () => read(join(directory, name))]),
  );
  const index = files.get(`${GRAPHIQL_PATH}/index.html`);
  if (index) files.set(GRAPHIQL_PATH, index).set(`${GRAPHIQL_PATH}/`, index);
  const opened = new Map<string, BuiltFile>();
  return {
    serves: (path) => path === GRAPHIQL_PATH || path.startsWith(`${GRAPHIQL_PATH}/`),
    answer(path, request, response) {
      const file = opened.get(path) ?? files.get(path)?.();
      if (!file) {
        const reason = index ? `${path} is not part of GraphiQL.` : "GraphiQL is not built: `npm run build:graphiql`.";
        throw new DomainError("NOT_FOUND", reason);
      }
      opened.set(path, file);
      send(file, request, response);
    },
  };
}

function send(file: BuiltFile, request: IncomingMessage, response: ServerResponse): void {
  const gzip = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  const body = gzip ? file.gzipped : file.plain;
  response.writeHead(200, {
    "content-type": file.type,
    "content-length": body.length,
    ...(gzip ? { "content-encoding": "gzip" } : {}),
    vary: "accept-encoding",
    "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function read(file: string): BuiltFile {
  const plain = readFileSync(file);
  const extension = extname(file);
  return { type: contentTypes[extension]!, immutable: extension !== ".html", plain, gzipped: gzipSync(plain) };
}

/** dist/graphiql of this package, from the sources and from what they compile to alike. */
function builtDirectory(): string {
  let root = __dirname;
  while (!existsSync(join(root, "package.json")) && dirname(root) !== root) root = dirname(root);
  return join(root, "dist", "graphiql");
}
