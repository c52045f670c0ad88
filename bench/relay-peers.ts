/** Peers of the relay that are programs of their own: nginx where it is installed, and the gateway of npm. */
import { type ChildProcess, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { installPeers, peerFile } from "./peers";
import { spawnPinned, stopChild } from "./processes";

export interface Peer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

interface NginxOptions {
  readonly core: number;
  readonly directory: string;
  readonly providerUrl: string;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Null where it is not installed. */
export async function startNginx({ core, directory, providerUrl, tls }: NginxOptions): Promise<Peer | null> {
  if (spawnSync("nginx", ["-v"]).error !== undefined) return null;
  const home = join(directory, "nginx");
  mkdirSync(home, { mode: 0o700 });
  for (const [name, pem] of Object.entries(tls)) writeFileSync(join(home, `${name}.pem`), pem, { mode: 0o600 });
  const port = await freePort();
  writeFileSync(join(home, "nginx.conf"), nginxConfiguration(home, port, new URL(providerUrl).port));
  const log = join(home, "error.log");
  const child = spawnPinned(["nginx", "-p", home, "-c", join(home, "nginx.conf"), "-e", log], {
    core,
    stdio: "ignore",
  });
  return started(child, port);
}

/** It speaks no client certificate: it gets the provider's plain port. */
export async function startPortkey(core: number): Promise<Peer> {
  installPeers();
  const port = await freePort();
  const script = peerFile("@portkey-ai/gateway/build/start-server.js");
  const child = spawnPinned([process.execPath, script, `--port=${port}`, "--headless"], {
    core,
    stdio: "ignore",
    environment: { NODE_ENV: "production" },
  });
  return started(child, port);
}

/** One process without a master, so that its CPU time is all of it. */
function nginxConfiguration(home: string, port: number, providerPort: string): string {
  const scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${home}/${kind};`,
  );
  return `daemon off;
master_process off;
pid ${home}/nginx.pid;
events { worker_connections 8192; }
http {
  access_log off;
  ${scratch.join(" ")}
  upstream provider { server 127.0.0.1:${providerPort}; keepalive 2048; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    keepalive_requests 100000000;
    tcp_nodelay on;
    client_max_body_size 32m;
    client_body_buffer_size 512k;
    location / {
      proxy_pass https://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_name localhost;
      proxy_ssl_certificate ${home}/cert.pem;
      proxy_ssl_certificate_key ${home}/key.pem;
      proxy_ssl_trusted_certificate ${home}/ca.pem;
      proxy_ssl_verify on;
    }
  }
}
`;
}

async function started(child: ChildProcess, port: number): Promise<Peer> {
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(" ")} ended before it listened`);
    await pause(20);
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid!, stop: () => stopChild(child) };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
