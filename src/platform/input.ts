/** Checks what the types of an input cannot say, and turns a fault into one error that names the field. */
import { QueryFailedError } from "typeorm";
import { z } from "zod";
import { DomainError, notFound } from "./errors";
import { isId } from "./ids";

const INT4_MAX = 2_147_483_647;

/** One line of text for people. PostgreSQL cannot store NUL, and no other control character belongs into a name. */
export const line = (charsMax: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(charsMax)
    .regex(/^\P{Cc}*$/u, "must not contain control characters");

/** A region or a zone. */
export const placeName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be lower-case letters, digits and hyphens, at most 63");

export const count = (max = INT4_MAX) => z.int().min(1).max(max);

/** Errors: BAD_USER_INPUT with the path of the first field at fault. */
export function checked<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [fault] = parsed.error.issues;
  const field = (fault?.path ?? []).map(String);
  const text = `${field.join(".") || "input"}: ${fault?.message}`;
  throw new DomainError("BAD_USER_INPUT", text, field.length === 0 ? {} : { field });
}

/** Errors: NOT_FOUND for what cannot be an id, which PostgreSQL would answer with a fault instead. */
export function existingId(id: string, what: string): string {
  if (!isId(id)) throw notFound(what);
  return id;
}

/** Errors: VERSION_CONFLICT. */
export function checkVersion(row: { version: number }, expected: number | null | undefined): void {
  if (expected == null || expected === row.version) return;
  throw new DomainError("VERSION_CONFLICT", `Version ${expected} was expected, the object is at ${row.version}.`, {
    field: "expectedVersion",
    details: { version: row.version },
  });
}

/** Whether a write failed because another row has the same identity by this unique index. */
export function violatesUnique(error: unknown, index: string): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  const { code, constraint } = error.driverError as { code?: string; constraint?: string };
  return code === "23505" && constraint === index;
}
