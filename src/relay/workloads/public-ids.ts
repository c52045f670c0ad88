/** The names by which clients know files and jobs: OpenAI's prefix and our id; never a provider's. */
import { notFound } from "../../platform/errors";
import { isId } from "../../platform/ids";
import { jobPrefixes } from "../../workloads/job-name";

const prefixes = {
  file: "file-",
  batch: jobPrefixes.BATCH,
  job: jobPrefixes.FINE_TUNING,
  event: "ftevent-",
  checkpoint: "ftckpt_",
} as const;
export type PublicKind = keyof typeof prefixes;

const words: Readonly<Record<PublicKind, string>> = {
  file: "file",
  batch: "batch",
  job: "fine-tuning job",
  event: "event",
  checkpoint: "checkpoint",
};

export const publicId = (kind: PublicKind, id: string): string => prefixes[kind] + id.replaceAll("-", "");

/** Errors: NOT_FOUND for what is no name of this kind. */
export function ownId(kind: PublicKind, text: string, field?: string): string {
  const hex = text.startsWith(prefixes[kind]) ? text.slice(prefixes[kind].length) : "";
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  if (!isId(id)) throw notFound(words[kind], field);
  return id;
}
