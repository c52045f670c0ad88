/** Reads a profile of V8 (`--cpu-prof`, or the inspector's): time of its own by function, and by stage of a request. */

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Between a sample and the one before, microseconds. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** A stage and what in a frame's place tells it, `path#function`. */
export type Stage = readonly [name: string, place: RegExp];

export interface Share {
  readonly name: string;
  readonly micros: number;
}

/** The last is the inspector's own, while it starts. */
const NOT_WORK = new Set(["(idle)", "dispatch"]);

export function selfTimes(profile: CpuProfile): Share[] {
  return shares(profile, (chain) => placeOf(chain[0]!));
}

/**
 * Each sample counts for the first frame, from the innermost out, that belongs to a stage: what JSON.stringify takes for the
 * settlement is the settlement's. What belongs to none is told by its outermost frame's kind.
 */
export function stageTimes(profile: CpuProfile, stages: readonly Stage[], rest: string): Share[] {
  return shares(profile, (chain) => {
    const { functionName } = chain[0]!.callFrame;
    if (functionName === "(garbage collector)") return "garbage collection";
    for (const node of chain) {
      const place = placeOf(node);
      const stage = stages.find(([, pattern]) => pattern.test(place));
      if (stage !== undefined) return stage[0];
    }
    return rest;
  });
}

/** All but idle time, microseconds. */
export function busyMicros(profile: CpuProfile): number {
  return selfTimes(profile).reduce((sum, { micros }) => sum + micros, 0);
}

function shares(profile: CpuProfile, nameOf: (chain: readonly ProfileNode[]) => string): Share[] {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const microsById = new Map<number, number>();
  profile.samples.forEach((id, index) => {
    microsById.set(id, (microsById.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  const byName = new Map<string, number>();
  for (const [id, micros] of microsById) {
    const chain: ProfileNode[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) chain.push(byId.get(at)!);
    if (NOT_WORK.has(chain[0]!.callFrame.functionName)) continue;
    const name = nameOf(chain);
    byName.set(name, (byName.get(name) ?? 0) + micros);
  }
  return [...byName].map(([name, micros]) => ({ name, micros })).sort((a, b) => b.micros - a.micros);
}

function placeOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const path = url
    .replace(/^file:\/\//, "")
    .replace(/^.*\/(dist|node_modules)\//, (_, root) => (root === "dist" ? "" : "node_modules/"));
  const name = functionName === "" ? "(anonymous)" : functionName;
  return path === "" ? name : `${path}:${lineNumber + 1}#${name}`;
}
