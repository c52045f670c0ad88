/** GraphiQL from a build of its own: complete, without another host, and no way out of its folder. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Graphiql, openGraphiql } from "../../src/api/graphiql";
import { DomainError } from "../../src/platform/errors";
import { openApi } from "./an-api";

const root = join(__dirname, "../..");
const VITE = join(root, "node_modules/vite/bin/vite.js");
let home: string;
let built: string;
let server: Server;
let port: number;

function serve(graphiql: Graphiql): Server {
  return createServer((incoming, response) => {
    const path = incoming.url!.split("?", 1)[0]!;
    try {
      if (!graphiql.serves(path)) throw new DomainError("NOT_FOUND", "not GraphiQL's");
      graphiql.answer(path, incoming, response);
    } catch (error) {
      response.writeHead(error instanceof DomainError ? 404 : 500).end((error as Error).message);
    }
  });
}

/** The path goes out as it is written: fetch would resolve its dots. */
function get(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: string }> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => void chunks.push(chunk));
      answer.on("end", () => {
        const known = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as [string, string]);
        resolve({
          status: answer.statusCode!,
          headers: new Headers(known),
          body: Buffer.concat(chunks).toString(),
        });
      });
    })
      .on("error", reject)
      .end();
  });
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "exergy-graphiql-"));
  built = join(home, "graphiql");
  await writeFile(join(home, "secret.js"), "the key");
  await promisify(execFile)(process.execPath, [
    VITE,
    "build",
    "--config",
    join(root, "graphiql/vite.config.mjs"),
    "--outDir",
    built,
  ]);
  server = serve(openGraphiql(built));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
}, 60_000);

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(home, { recursive: true, force: true });
});

describe("GraphiQL", () => {
  it("comes with every file that its page names, each once for good", async () => {
    const page = await get("/graphiql");
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const named = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
    expect(named.map((name) => name.split(".").at(-1)).toSorted()).toEqual(
      expect.arrayContaining(["css", "js", "svg"]),
    );
    for (const name of named) {
      expect(name).toMatch(/^\/graphiql\/assets\//);
      const file = await get(name);
      expect(file.status).toBe(200);
      expect(file.headers.get("cache-control")).toMatch(/immutable/);
    }
  });

  it("compresses for who can read it", async () => {
    const plain = await get("/graphiql");
    const gzipped = await get("/graphiql", { "accept-encoding": "gzip, br" });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(gzipped.headers.get("content-encoding")).toBe("gzip");
  });

  it("forbids any script, connection or frame of another host", async () => {
    const policy = (await get("/graphiql")).headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval/);
  });

  it("loads nothing from another host", async () => {
    const loading =
      /(?:src|href)=["']https?:|@import\s+(?:url\()?["']?https?:|url\(\s*["']?https?:|(?:fetch|import|Worker|importScripts)\(\s*["'`]https?:/;
    expect("@import url(https://fonts.example/x.css)").toMatch(loading);
    const files = (await readdir(built, { recursive: true })).filter((name) => /\.(html|js|css)$/.test(name));
    expect(files.length).toBeGreaterThan(2);
    for (const name of files) expect(await readFile(join(built, name), "utf8")).not.toMatch(loading);
  });

  it.each([
    "/graphiql/../secret.js",
    "/graphiql/..%2fsecret.js",
    "/graphiql/%2e%2e/secret.js",
    "/graphiql/assets/../../secret.js",
    "/graphiql/..\\secret.js",
    "/graphiql//index.html",
    "/graphiql/assets",
    "/graphiqlx",
  ])("finds nothing at %s", async (path) => {
    const { status, body } = await get(path);
    expect(status).toBe(404);
    expect(body).not.toContain("the key");
  });

  it("says how it is built where it is not", () => {
    const missing = openGraphiql(join(home, "nowhere"));
    expect(() => missing.answer("/graphiql", {} as never, {} as never)).toThrow(/npm run build:graphiql/);
  });
});

describe("the API", () => {
  it("serves GraphiQL unless it is told not to", async () => {
    const [open, closed] = await Promise.all([openApi(), openApi({ GRAPHIQL: "false" })]);
    try {
      // Built or not, the path is GraphiQL's.
      expect(await (await fetch(`${open.url}/graphiql`)).text()).toMatch(/Exergy GraphiQL|npm run build:graphiql/);
      expect((await fetch(`${open.url}/graphiql`, { method: "POST" })).status).toBe(405);
      const refused = await fetch(`${closed.url}/graphiql`);
      expect(refused.status).toBe(404);
      expect(await refused.text()).toContain("No route /graphiql");
    } finally {
      await Promise.all([open.close(), closed.close()]);
    }
  });
});
