/** The port of a process that serves nobody else: whether it lives, whether it can work, what it measures. */
import type { Server, ServerResponse } from "node:http";
import { closeGracefully, createHttpServer } from "./http-server";
import type { Metrics } from "./metrics";

export interface HealthServer {
  readonly server: Server;
  startDraining(): void;
  stop(): Promise<void>;
}

export interface HealthOptions {
  readonly metrics: Metrics;
  /** What it lacks, or null. */
  readonly unready: () => Promise<string | null>;
}

const GRACE_MS = 1_000;

/** Same paths and answers as the API's port. */
export function createHealthServer({ metrics, unready }: HealthOptions): HealthServer {
  let draining = false;
  const answers: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    "/healthz": async (response) => plain(response, 200, "ok"),
    "/readyz": async (response) => {
      const lack = draining ? "draining" : await unready();
      plain(response, lack === null ? 200 : 503, lack ?? "ready");
    },
    "/metrics": async (response) => {
      response.setHeader("content-type", metrics.contentType);
      response.end(await metrics.text());
    },
  };
  const server = createHttpServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0]!;
    const answer = Object.hasOwn(answers, path) ? answers[path] : undefined;
    if (answer === undefined) {
      plain(response, 404, `No route ${path}: this process has ${Object.keys(answers).join(", ")}.`);
    } else {
      answer(response).catch(() => response.destroy());
    }
  });
  return {
    server,
    startDraining() {
      draining = true;
    },
    async stop() {
      draining = true;
      await closeGracefully(server, GRACE_MS);
    },
  };
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain", "content-length": Buffer.byteLength(text) });
  response.end(text);
}
