/** Documents that are sent by name: those of the manifest, forever, and those that clients registered, while there is room. */
import { readFileSync } from "node:fs";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import { hashOf } from "./documents";

const REGISTERED_BYTES_MAX = 8 * 1024 * 1024;
const HASH = /^[0-9a-f]{64}$/;

export interface PersistedDocuments {
  /** By the hex sha256 of the text. */
  ofManifest(hash: string): string | undefined;
  /** By `sha256:<hex>`, as codegen writes it. */
  byDocumentId(documentId: unknown): string | undefined;
  registered(hash: string): string | undefined;
  /** Only what has passed validation. */
  register(hash: string, text: string): void;
}

export type Manifest = ReadonlyMap<string, string>;

const manifestSchema = z.record(z.string(), z.string());

/** Reads what codegen writes: `{ "<hash>": "<text>" }`. Errors: those of reading; Error when a text has another hash. */
export function readManifest(path: string): Manifest {
  const manifest = new Map<string, string>();
  for (const [name, text] of Object.entries(manifestSchema.parse(JSON.parse(readFileSync(path, "utf8"))))) {
    const hash = name.replace(/^sha256:/, "");
    if (!HASH.test(hash) || hashOf(text) !== hash) throw new Error(`${path}: ${name} is not the hash of its document`);
    manifest.set(hash, text);
  }
  return manifest;
}

export function createPersistedDocuments(manifest: Manifest = new Map()): PersistedDocuments {
  const byClients = new LRUCache<string, string>({
    maxSize: REGISTERED_BYTES_MAX,
    sizeCalculation: (text) => text.length + HASH.source.length,
  });
  return {
    ofManifest: (hash) => manifest.get(hash),
    byDocumentId: (id) => (typeof id === "string" ? manifest.get(id.replace(/^sha256:/, "")) : undefined),
    registered: (hash) => byClients.get(hash) ?? manifest.get(hash),
    register: (hash, text) => void byClients.set(hash, text),
  };
}
