/** The documents that may be sent by their documentId: those that codegen has found in `codegen/operations`. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Manifest, readManifest } from "../src/api/persisted-documents";

const FILE = join("codegen", "generated", "persisted-documents.json");

/** From the sources it lies one directory up, from `dist/` two. Errors: those of readManifest. */
export function openManifest(directory: string = __dirname): Manifest {
  const above = dirname(directory);
  const path = join(directory, FILE);
  return existsSync(path) || above === directory ? readManifest(path) : openManifest(above);
}
