/** Writes docs/schema/ from schema/schema.graphql, one page per kind; with `--check` only compares. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { schemaReference } from "./reference-pages";

const folder = join(process.cwd(), "docs", "schema");
const pages = schemaReference(readFileSync(join(process.cwd(), "schema", "schema.graphql"), "utf8"));

if (!process.argv.includes("--check")) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of pages) writeFileSync(join(folder, name), text);
} else {
  const stale = [...pages].filter(([name, text]) => committed(name) !== text).map(([name]) => name);
  const unknown = names().filter((name) => !pages.has(name));
  if (stale.length + unknown.length > 0) {
    console.error(`docs/schema is not what the contract says: ${[...stale, ...unknown].join(", ")}.`);
    console.error("Run `npm run schema:docs` and commit the result.");
    process.exitCode = 1;
  }
}

function names(): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function committed(name: string): string | null {
  return names().includes(name) ? readFileSync(join(folder, name), "utf8") : null;
}
