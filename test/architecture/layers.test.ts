/** Holds the house: imports fall one way, rooms keep their ranks, siblings do not know each other, nothing goes in circles. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(__dirname, "../..");

/** Higher imports lower. What is not named here is no place for code. */
const floors: Readonly<Record<string, number>> = {
  bin: 5,
  resolvers: 4,
  subscriptions: 4,
  src: 3,
  entities: 2,
  schema: 1,
};

/** Smaller imports larger. `services` and `jobs` are the two wiring files between the edges and the rooms. */
const ranks: Readonly<Record<string, number>> = {
  api: 1,
  relay: 1,
  jobs: 2,
  services: 2,
  routing: 3,
  payouts: 3,
  workloads: 3,
  statements: 4,
  funding: 4,
  metering: 4,
  capacity: 4,
  sla: 4,
  accounts: 6,
  audit: 7,
  catalog: 5,
  pricing: 5,
  system: 5,
  ledger: 6,
  upstreams: 6,
  events: 7,
  money: 7,
  platform: 8,
};

/** Folders that stand beside the house and see only what is listed. */
const outside: Readonly<Record<string, readonly string[]>> = {
  demo: ["demo", "codegen"],
  examples: ["examples", "codegen"],
};

function sources(folder: string): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((name) => name.endsWith(".ts") && statSync(join(root, name)).isFile());
}

interface Import {
  readonly from: string;
  readonly to: string;
  /** Erased by the compiler: counts for floors and ranks, not for circles. */
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^;"']*?from\s*["'](\.[^"']*)["']|(?:import|require)\(\s*["'](\.[^"']*)["']\s*\)/g;
  return [...text.matchAll(pattern)].flatMap((match) => {
    const target = resolve(root, dirname(file), (match[2] ?? match[3])!);
    const found = [`${target}.ts`, join(target, "index.ts"), target].find(
      (path) => existsSync(path) && statSync(path).isFile(),
    );
    return found === undefined ? [] : [{ from: file, to: relative(root, found), typeOnly: match[1] !== undefined }];
  });
}

const floorOf = (file: string) => floors[file.split("/")[0]!];
const roomOf = (file: string) => file.split("/")[1]!.replace(/\.ts$/, "");
const house = Object.keys(floors).flatMap(sources);
const imports = house.flatMap(importsOf);

describe("the house", () => {
  it("has files on every floor, and each import in it was found", () => {
    for (const floor of Object.keys(floors)) expect(sources(floor).length).toBeGreaterThan(0);
    expect(imports.length).toBeGreaterThan(house.length);
  });

  it("lets imports fall to a lower floor, never rise, and never pass between siblings", () => {
    const wrong = imports.filter(({ from, to }) => {
      const sameFolder = from.split("/")[0] === to.split("/")[0];
      const target = floorOf(to);
      // bin/ starts the demo, which stands beside the house.
      const startsDemo = from.startsWith("bin/") && to.startsWith("demo/");
      return !sameFolder && !startsDemo && !(target !== undefined && target < floorOf(from)!);
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}: move the rule down or the caller up`)).toEqual([]);
  });

  it("gives every room of src/ a rank", () => {
    const rooms = new Set(sources("src").map(roomOf));
    expect([...rooms].filter((room) => ranks[room] === undefined)).toEqual([]);
  });

  it("lets a room import only rooms of a higher rank number", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!from.startsWith("src/") || !to.startsWith("src/") || roomOf(from) === roomOf(to)) return false;
      return !(ranks[roomOf(to)]! > ranks[roomOf(from)]!);
    });
    // jobs.ts runs what services.ts wires: one rank, one known edge.
    const surprising = wrong.filter(({ from, to }) => !(from === "src/jobs.ts" && to === "src/services.ts"));
    expect(surprising.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it("has no barrel in src/ and entities that know no other entity", () => {
    expect(sources("src").filter((file) => file.endsWith("/index.ts"))).toEqual([]);
    const entities = imports.filter(
      ({ from, to }) => /^entities\/[^/]+$/.test(from) && from !== "entities/index.ts" && to.startsWith("entities/"),
    );
    expect(entities.filter(({ to }) => to !== "entities/columns.ts")).toEqual([]);
  });

  it("has no circle of imports", () => {
    const next = new Map<string, string[]>();
    for (const { from, to, typeOnly } of imports) if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
    const state = new Map<string, "open" | "done">();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        circles.push([...path.slice(path.indexOf(file)), file].join(" → "));
        return;
      }
      state.set(file, "open");
      for (const target of next.get(file) ?? []) visit(target, [...path, file]);
      state.set(file, "done");
    };
    for (const file of house) visit(file, []);
    expect(circles).toEqual([]);
  });

  it("keeps demo and examples outside: they see the public surface only", () => {
    const wrong = Object.entries(outside).flatMap(([folder, allowed]) =>
      sources(folder)
        .flatMap(importsOf)
        .filter(({ to }) => !allowed.includes(to.split("/")[0]!)),
    );
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it("reads the environment in one place only", () => {
    const readers = [...house, ...sources("demo")].filter((file) =>
      /process\.env/.test(readFileSync(join(root, file), "utf8")),
    );
    expect(readers.filter((file) => !file.startsWith("bin/") && file !== "src/platform/config.ts")).toEqual([]);
  });
});
