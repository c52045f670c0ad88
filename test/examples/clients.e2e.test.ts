/** The client examples against a real API, each as a process of its own, as a partner runs them. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { CapacityWindowOpenDocument, EndpointMoveDocument } from "../../codegen/generated/graphql";
import type { Book } from "../../examples/graphql-ws/breach-book";
import { newId } from "../../src/platform/ids";
import { openApi, type Party, registered, type TestApi, uuidOf } from "../api/an-api";
import { until } from "../support/leftovers";
import { Example } from "./an-example";
import { closeBreach, openBreach } from "./breaches";

let api: TestApi;
let provider: Party;
let endpoint: string;
let home: string;
/** Those that carry streams. */
const live = new Set<Socket>();
const running: Example[] = [];

beforeAll(async () => {
  api = await openApi();
  const remember = (socket: Duplex) => {
    live.add(socket as Socket);
    socket.once("close", () => live.delete(socket as Socket));
  };
  api.api.server.on("upgrade", (_, socket: Duplex) => remember(socket));
  api.api.server.on("request", ({ headers, socket }) => {
    if (headers.accept === "text/event-stream") remember(socket);
  });
  home = mkdtempSync(join(tmpdir(), "exergy-examples-"));
});
beforeEach(async () => {
  provider = await api.a("PROVIDER", "Northern GPU");
  endpoint = await registered(provider, "North one");
});
afterEach(async () => {
  for (const example of running.splice(0)) await example.stop("SIGKILL");
});
afterAll(async () => {
  await api.close();
  rmSync(home, { recursive: true, force: true });
});

function run(name: string, more: Readonly<Record<string, string>> = {}, ...args: string[]): Example {
  const example = new Example(name, { EXERGY_URL: `${api.url}/graphql`, EXERGY_KEY: provider.secret, ...more }, args);
  running.push(example);
  return example;
}

/** As a network that dies: every connection that carries a stream is reset. */
function cutEverySocket(): void {
  expect(live.size).toBeGreaterThan(0);
  for (const socket of live) socket.resetAndDestroy();
}

async function openWindow(gpuCount: number): Promise<void> {
  const { capacityWindowOpen } = await provider.read(CapacityWindowOpenDocument, {
    input: {
      accelerator: "H100",
      gpuCount,
      kind: "BASELINE",
      region: "eu-north",
      zone: "eu-north-a",
      startsAt: "2026-01-15T12:00:00.000Z",
    },
  });
  expect(capacityWindowOpen.userErrors).toEqual([]);
  await api.services.outbox.publish();
}

describe("graphql-ws", () => {
  /** Null while there is none. */
  function readBook(name: string): Book | null {
    try {
      return JSON.parse(readFileSync(join(home, name), "utf8")) as Book;
    } catch {
      return null;
    }
  }
  const follow = (book: string) => run("graphql-ws", { EXERGY_BOOK: join(home, book) });

  it("prints every breach once, though its sockets are cut in the middle and it is killed and started again", async () => {
    const expected: string[] = [];
    let example = follow("cut.json");
    await until("the snapshot is in the book", () => readBook("cut.json")?.named === null);
    for (let round = 0; round < 4; round++) {
      if (round === 2) {
        // It has written down all that it printed. Killed without a warning, and breaches go on without it.
        await until("the book is up to date", () => Object.keys(readBook("cut.json")!.open).length === 0);
        await example.stop("SIGKILL");
      }
      const id = await openBreach(api, endpoint, provider);
      if (round % 2 === 1) cutEverySocket();
      await closeBreach(api, id, provider);
      const global = Buffer.from(`SlaBreach:${id}`).toString("base64url");
      const lines = [`OPENED UPTIME North one ${global}`, `CLOSED UPTIME North one ${global}`];
      if (round === 2) {
        expect(example.lines).toEqual(expected.splice(0));
        example = follow("cut.json");
      }
      expected.push(...lines);
      await example.prints(/CLOSED/, expected.length / 2);
    }
    expect(example.lines).toEqual(expected);
    expect(await example.stop()).toBe(0);
  });

  it("learns from the snapshot what has happened when the server no longer knows its cursor", async () => {
    const first = follow("gap.json");
    const closing = await openBreach(api, endpoint, provider);
    await first.prints(/OPENED|STANDING/);
    expect(await first.stop()).toBe(0);
    const written = readBook("gap.json")!;
    // As after a backup was restored: the cursor counts in a history that is not this one.
    const [, , position] = Buffer.from(written.cursor!, "base64url").toString().split(":");
    const foreign = Buffer.from(`outbox:${newId()}:${position}`).toString("base64url");
    writeFileSync(join(home, "gap.json"), JSON.stringify({ ...written, cursor: foreign }));
    await closeBreach(api, closing, provider);
    const second = follow("gap.json");
    await second.prints(/CLOSED/);
    expect(second.lines).toEqual(["GAP EPOCH_CHANGED", expect.stringMatching(/^CLOSED UPTIME North one /)]);
  });

  it("ends with the server's words when its key is no good", async () => {
    const example = run("graphql-ws", {
      EXERGY_KEY: (await api.a("STARTUP")).secret,
      EXERGY_BOOK: join(home, "no.json"),
    });
    expect(await example.end()).toBe(1);
    expect(example.stderr).toMatch(/PROVIDER/);
  });
});

describe("urql", () => {
  it("reads every page of a list, then prints each sample", async () => {
    for (let gpus = 1; gpus <= 53; gpus++) await openWindow(gpus);
    const example = run("urql");
    await example.prints(/^BASELINE \d+ × H100 eu-north/, 53);
    const numbers = example.lines.map((line) => Number(/(\d+) × /.exec(line)?.[1]));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 53 }, (_, index) => index + 1));
    await until("it follows", () => api.api.live().subscriptions === 1);
    api.bus.publish("utilization.sampled", {
      endpointId: uuidOf(endpoint),
      providerId: provider.uuid,
      at: "2026-01-15T12:00:00.000Z",
      listedGpus: 8,
      slots: 32,
      inFlight: 7,
      soldGpuNanos: "1500000000",
      activeGpuNanos: "750000000",
      fillPpm: 800_000,
      utilizationPpm: 500_000,
    });
    await example.prints(/^North one 7\/32 slots, 0\.5 busy$/);
    expect(await example.stop()).toBe(0);
  });

  it("names the code of a refusal", async () => {
    const example = run("urql", { EXERGY_KEY: "exg_wrong" });
    expect(await example.end()).toBe(1);
    expect(example.stderr).toContain("UNAUTHENTICATED");
  });
});

describe("apollo", () => {
  it("joins the pages, shows in the list what a mutation changed, and resumes its subscription", async () => {
    for (let number = 2; number <= 23; number++) await registered(provider, `North ${number}`);
    const { endpointMove } = await api.operator.read(EndpointMoveDocument, { input: { id: endpoint, to: "LIVE" } });
    expect(endpointMove.userErrors).toEqual([]);
    const example = run("apollo", {}, "North one");
    await example.prints(/North one DRAINING/);
    const list = example.lines.find((line) => line.includes("North one DRAINING"))!;
    expect(list.split(", ")).toHaveLength(23);
    await until("it follows", () => api.api.live().subscriptions === 1);
    const first = await openBreach(api, endpoint, provider);
    // It follows before its snapshot is read: then that has the breach already.
    await example.prints(/^(OPENED|STANDING) UPTIME/);
    cutEverySocket();
    await closeBreach(api, first, provider);
    await openBreach(api, endpoint, provider);
    await example.prints(/^(OPENED|STANDING) UPTIME/, 2);
    const told = example.lines.filter((line) => /UPTIME/.test(line)).map((line) => line.split(" ")[0]);
    expect(told).toEqual([expect.stringMatching(/OPENED|STANDING/), "CLOSED", "OPENED"]);
    expect(await example.stop()).toBe(0);
  });

  it("prints why a mutation was refused", async () => {
    const example = run("apollo", {}, "North one");
    await example.prints(/^refused: STATE_CONFLICT /);
  });
});

describe("sse", () => {
  it("prints every change, though its connection is cut in the middle", async () => {
    const example = run("sse");
    await until("it follows", () => api.api.live().subscriptions === 1);
    const expected: RegExp[] = [];
    for (const gpus of [11, 12, 13, 14]) {
      await openWindow(gpus);
      expected.push(new RegExp(`BASELINE ${gpus} × H100 eu-north$`));
      if (gpus % 2 === 1) {
        await example.prints(expected.at(-1)!);
        cutEverySocket();
      }
    }
    await example.prints(expected.at(-1)!);
    expect(example.lines).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
    expect(await example.stop()).toBe(0);
  });

  it("ends with the server's words when asking again would not help", async () => {
    const example = run("sse", { EXERGY_KEY: "exg_wrong" });
    expect(await example.end()).toBe(1);
    expect(example.stderr).toContain("UNAUTHENTICATED");
  });
});
