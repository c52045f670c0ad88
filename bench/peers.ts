/** The peers that the API and the relay are measured against: installed beside the bench, at its first run, from a lockfile of their own. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Seen from dist/bench. `graphql` is not installed there: it is found one folder up, so that all share one realm. */
const directory = join(__dirname, "../../bench/peers");

/** Errors: with npm's own words, when the registry cannot be reached. */
export function installPeers(): void {
  if (["mercurius", "@portkey-ai/gateway"].every((peer) => existsSync(join(directory, "node_modules", peer)))) return;
  console.error("Installing the peers into bench/peers, this once …");
  const npm = spawnSync("npm", ["ci", "--prefix", directory, "--loglevel=error"], {
    cwd: directory,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (npm.status !== 0) throw new Error("the peers could not be installed");
}

/** A file of a peer. */
export const peerFile = (path: string): string => join(directory, "node_modules", path);

export const requirePeer = createRequire(join(directory, "package.json"));
