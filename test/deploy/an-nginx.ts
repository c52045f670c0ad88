/** A real nginx with the configuration of deploy/nginx, its addresses replaced by local ports and its files by a temporary directory. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { until } from "../support/leftovers";

/** By the names of deploy/nginx/upstreams.conf; null marks a server as `down`. */
export interface Backends {
  readonly "api-1": number | null;
  readonly "api-2": number | null;
  readonly "relay-1": number | null;
  readonly "relay-2": number | null;
}

export interface TestNginx {
  readonly url: string;
  /** As the guide says: the file is changed, and nginx told to read it again. Resolves when it serves by it. */
  reload(backends: Backends): Promise<void>;
  /** What it logged of requests. */
  accessLog(): string;
  stop(): Promise<void>;
}

const folder = join(__dirname, "../../deploy/nginx");
const NEWER = "since-1.27.4.conf";
/** Nobody listens there: what would be sent to a server that is down fails at once. */
const NOBODY = 9;

export async function startNginx(backends: Backends): Promise<TestNginx> {
  const program = nginxProgram();
  const home = mkdtempSync(join(tmpdir(), "exergy-nginx-"));
  // Its workers are another user when it is started as root.
  chmodSync(home, 0o755);
  const port = await freePort();
  const render = (to: Backends) => {
    writeFileSync(join(home, "upstreams.conf"), renderUpstreams(to));
    writeFileSync(join(home, "nginx.conf"), renderConfig(home, port));
  };
  render(backends);
  if (knowsKeepaliveMin(program)) copyFileSync(join(folder, NEWER), join(home, NEWER));
  const master = await guarded([program, "-p", home, "-c", join(home, "nginx.conf"), "-g", "daemon off;"]);
  await until("nginx listens", () => listens(port), 10_000);
  return {
    url: `http://127.0.0.1:${port}`,
    accessLog: () => readFileSync(join(home, "access.log"), "utf8"),
    async reload(to) {
      const before = workersOf(master.pid);
      render(to);
      process.kill(master.pid, "SIGHUP");
      // The old workers accept nothing from the moment when they are told, and carry what is open to its end.
      await until(
        "nginx has new workers",
        () => {
          const workers = workersOf(master.pid);
          const leaving = workers.filter((line) => before.some((old) => pidOf(old) === pidOf(line)));
          return workers.length > leaving.length && leaving.every((line) => line.includes("shutting down"));
        },
        10_000,
      );
    },
    async stop() {
      await master.end();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export function renderUpstreams(backends: Backends): string {
  let text = readFileSync(join(folder, "upstreams.conf"), "utf8");
  for (const [name, port] of Object.entries(backends)) {
    text = replaced(text, new RegExp(`server ${name}:\\d+([^;]*);`), (_, rest) =>
      port === null ? `server 127.0.0.1:${NOBODY}${rest} down;` : `server 127.0.0.1:${port}${rest};`,
    );
  }
  return text;
}

function renderConfig(home: string, port: number): string {
  const text = readFileSync(join(folder, "nginx.conf"), "utf8").replaceAll("/tmp/", `${home}/`);
  const listening = replaced(text, /listen 8080;/, () => `listen 127.0.0.1:${port};`);
  const logging = replaced(listening, /error_log stderr/, () => `error_log ${join(home, "error.log")}`);
  return replaced(logging, /\/dev\/stdout/, () => join(home, "access.log"));
}

/** Errors: when there is nothing to replace, for then the file is not what the test believes. */
function replaced(text: string, pattern: RegExp, by: (whole: string, ...groups: string[]) => string): string {
  if (!pattern.test(text)) throw new Error(`deploy/nginx has nothing like ${pattern}`);
  return text.replace(pattern, by);
}

/** Its parent is a shell that waits for the end of its input, which comes with our end, even by kill -9. */
const guardian = `"$@" & server=$!; echo "pid $server"; read -r _; kill -TERM $server 2>/dev/null; wait`;

async function guarded(command: readonly string[]): Promise<{ pid: number; end(): Promise<void> }> {
  const shell = spawn("/bin/sh", ["-c", guardian, "nginx", ...command], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(shell, "close");
  const [line] = (await Promise.race([once(shell.stdout, "data"), ended])) as [Buffer | number];
  const pid = /^pid (\d+)/.exec(String(line))?.[1];
  if (pid === undefined) throw new Error(`nginx did not start: ${line}`);
  shell.stdout.resume();
  return {
    pid: Number(pid),
    async end() {
      shell.stdin.end();
      await ended;
    },
  };
}

const pidOf = (line: string) => line.trim().split(/\s+/, 1)[0]!;

function workersOf(master: number): string[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.trim().split(/\s+/)[1] === `${master}`);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function knowsKeepaliveMin(program: string): boolean {
  const [, major, minor, patch] = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(spawnSync(program, ["-v"]).stderr.toString()) ?? [];
  const version = Number(major) * 1_000_000 + Number(minor) * 1_000 + Number(patch);
  return version >= 1_027_004;
}

/** On the PATH or where Debian has it, else Debian's when we may install it. Errors: says that there is none. */
function nginxProgram(): string {
  const found = present();
  if (found !== undefined) return found;
  if (process.getuid?.() === 0) {
    const quiet = { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } } as const;
    try {
      execFileSync("apt-get", ["update"], quiet);
      execFileSync("apt-get", ["install", "-y", "--no-install-recommends", "nginx-light"], quiet);
    } catch {
      // No Debian, or no way to its packages: said below.
    }
  }
  const installed = present();
  if (installed === undefined) throw new Error("There is no nginx on this machine: install it to run these tests.");
  return installed;
}

function present(): string | undefined {
  for (const place of [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/opt/homebrew/bin"]) {
    try {
      execFileSync(join(place, "nginx"), ["-v"], { stdio: "ignore" });
      return join(place, "nginx");
    } catch {
      // Not here.
    }
  }
  return undefined;
}
