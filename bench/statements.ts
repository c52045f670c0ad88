/** Counts the statements that this process sends to PostgreSQL, at the driver: whoever sends them, none is missed. */
import { Client } from "pg";

export interface StatementLog {
  start(): void;
  /** Texts since `start`, in their order. */
  stop(): string[];
}

export function logStatements(): StatementLog {
  const send = Client.prototype.query as (...args: unknown[]) => unknown;
  let log: string[] | null = null;
  Client.prototype.query = function (this: Client, ...args: unknown[]) {
    const [first] = args;
    log?.push(typeof first === "string" ? first : String((first as { text?: unknown } | null)?.text));
    return send.apply(this, args);
  } as typeof Client.prototype.query;
  return {
    start() {
      log = [];
    },
    stop() {
      const texts = log ?? [];
      log = null;
      return texts;
    },
  };
}
