/** Turns what stopped a program from starting into one message that says what to do. */
import { isConnectionLoss } from "../src/platform/database";

/** Errors that were written to be read: their message is enough. */
const selfExplaining: ReadonlySet<string> = new Set([
  "PORT_UNAVAILABLE",
  "EMBEDDED_POSTGRES",
  "SECRETS_UNAVAILABLE",
  "TIME_WAS_MOVED",
]);

/** PostgreSQL's SQLSTATE, or the beginning of it, and what to do about it. */
const refusals: readonly (readonly [code: RegExp, remedy: string])[] = [
  [/^28/, "correct user and password in DATABASE_URL"],
  [/^3D000/, "create the database, or correct its name in DATABASE_URL"],
  [/^42501/, "give the user of DATABASE_URL the right to create tables"],
];

/** `databaseUrl` is what the configuration says; without it the database is ours, and its faults explain themselves. */
export function startFailure(error: unknown, databaseUrl: string | undefined): string {
  const { code, message, stack } = failureOf(error);
  // A child's own words, which were made here.
  if (code === "CHILD_FAILED") return message;
  if (selfExplaining.has(code)) return `Cannot start: ${message}`;
  const database = databaseUrl === undefined ? "the embedded PostgreSQL" : withoutPassword(databaseUrl);
  const remedy = refusals.find(([sign]) => sign.test(code))?.[1];
  if (remedy !== undefined) return `Cannot start: ${database} refuses us (${message}): ${remedy}.`;
  if (isConnectionLoss(error)) {
    return `Cannot start: ${database} cannot be reached (${message || code}): start it, or correct DATABASE_URL.`;
  }
  return `Cannot start: ${stack ?? message}`;
}

/** A refused connection to `localhost` comes as one error per address, with an empty message around them. */
function failureOf(error: unknown): { code: string; message: string; stack: string | undefined } {
  const failure = error as Partial<Error & { code: unknown; errors: Error[] }> | null;
  const inner = failure?.errors?.[0]?.message;
  return {
    code: typeof failure?.code === "string" ? failure.code : "",
    message: failure?.message || inner || String(error),
    stack: failure?.stack,
  };
}

export function withoutPassword(url: string): string {
  const shown = new URL(url);
  shown.password = "";
  return shown.href;
}
