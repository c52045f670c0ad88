/** The roll of live processes that use one directory together, so that the last one to leave can turn out the light. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export interface RollEntry {
  /** Runs `ifLast` when no other live process is on the roll; answers whether it did. */
  leave(ifLast: () => Promise<void>): Promise<boolean>;
}

const leavingSuffix = ".leaving";
const pollMs = 10;
let entriesMade = 0;

/**
 * Waits while another process is leaving. Whoever leaves marks its entry first and looks for others second; whoever
 * comes signs first and looks for marks second: so either the leaver sees the newcomer, or the newcomer waits.
 * An entry is a file named after the process and its start time; those of dead processes are removed.
 */
export async function signRoll(directory: string): Promise<RollEntry> {
  entriesMade += 1;
  const entry = join(directory, `${process.pid}-${startTime(process.pid) ?? ""}-${entriesMade}`);
  writeFileSync(entry, "");
  while (liveEntries(directory).some((name) => name.endsWith(leavingSuffix))) await pause(pollMs);
  return {
    leave: async (ifLast) => {
      const mark = entry + leavingSuffix;
      renameSync(entry, mark);
      try {
        if (liveEntries(directory).some((name) => !name.endsWith(leavingSuffix))) return false;
        await ifLast();
        return true;
      } finally {
        rmSync(mark, { force: true });
      }
    },
  };
}

function liveEntries(directory: string): string[] {
  return readdirSync(directory).filter((name) => {
    const [pid, startedAt] = name.replace(leavingSuffix, "").split("-");
    if (isAlive(Number(pid), startedAt ?? "")) return true;
    rmSync(join(directory, name), { force: true });
    return false;
  });
}

/** The start time tells a process from a later one with the same number, where the system publishes it. */
function isAlive(pid: number, startedAt: string): boolean {
  if (process.platform === "linux") return startTime(pid) === startedAt;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and brackets. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
