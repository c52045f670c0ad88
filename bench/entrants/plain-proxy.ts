/** The peer: the shortest honest proxy, node:http in and an undici pool out over the same mTLS; it checks and records nothing. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";

const { target, tls } = JSON.parse(process.argv[2] ?? "{}") as {
  target: string;
  tls: { ca: string; cert: string; key: string };
};
const pool = new Pool(target, { connect: { ...tls, noDelay: true }, connections: 4_096, pipelining: 1 });

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    pool.dispatch(
      {
        method: request.method === "GET" ? "GET" : "POST",
        path: request.url ?? "/",
        headers: { "content-type": "application/json" },
        body: chunks.length === 0 ? null : Buffer.concat(chunks),
      },
      {
        onRequestStart(controller) {
          response.on("close", () => {
            if (!response.writableFinished) controller.abort(new Error("the client went away"));
          });
          response.on("drain", () => controller.resume());
        },
        onResponseStart(_, status, headers) {
          response.writeHead(status, { "content-type": String(headers["content-type"]) });
        },
        onResponseData(controller, chunk) {
          if (!response.write(chunk)) controller.pause();
        },
        onResponseEnd() {
          response.end();
        },
        onResponseError() {
          if (!response.headersSent) response.writeHead(502);
          response.end();
        },
      },
    );
  });
});

server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })}\n`);
});
process.on("SIGTERM", () => process.exit(0));
