/** Reads the environment once, checks it whole and hands out a frozen Config; nobody else reads process.env. */
import { resolve } from "node:path";
import { z } from "zod";

const port = z.coerce.number().int().min(0).max(65535);
const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const ms = z.coerce.number().int().min(1).max(3_600_000);
const bytes = z.coerce
  .number()
  .int()
  .min(1024)
  .max(1024 ** 3);

/** One row per variable: how it is checked and its default. `.env.example` lists the same names; a test compares them. */
export const environmentSchema = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: port.default(4000),
  RELAY_PORT: port.default(4001),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  DATA_DIR: z.string().min(1).default(".exergy"),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_POOL_MAX: z.coerce.number().int().min(2).max(200).default(12),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  ALLOW_LOOPBACK_UPSTREAMS: flag.default(false),
  GRAPHQL_INTROSPECTION: flag.default(true),
  API_BODY_LIMIT_BYTES: bytes.default(1_048_576),
  RELAY_BODY_LIMIT_BYTES: bytes.default(10_485_760),
  RELAY_IN_FLIGHT_MAX: z.coerce.number().int().min(1).max(100_000).default(2_000),
  UPSTREAM_CONNECT_TIMEOUT_MS: ms.default(1_000),
  UPSTREAM_FIRST_BYTE_TIMEOUT_MS: ms.default(30_000),
  UPSTREAM_TOKEN_TIMEOUT_MS: z.coerce.number().int().min(0).max(10_000).default(100),
  UPSTREAM_IDLE_TIMEOUT_MS: ms.default(60_000),
  UPSTREAM_TOTAL_TIMEOUT_MS: ms.default(600_000),
  SLA_PROBE_INTERVAL_MS: ms.default(15_000),
  SLA_EVALUATION_INTERVAL_MS: ms.default(5_000),
  DRAIN_GRACE_MS: ms.default(10_000),
});

export type Environment = z.output<typeof environmentSchema>;

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly relayPort: number;
  /** Where the outside reaches the API; issuer of relay tokens, place of the JWKS. */
  readonly publicUrl: string | undefined;
  readonly dataDirectory: string;
  readonly databaseUrl: string | undefined;
  readonly databasePoolMax: number;
  readonly logLevel: Environment["LOG_LEVEL"];
  readonly allowLoopbackUpstreams: boolean;
  readonly introspection: boolean;
  readonly apiBodyLimitBytes: number;
  readonly relay: { readonly bodyLimitBytes: number; readonly inFlightMax: number };
  readonly upstream: {
    readonly connectTimeoutMs: number;
    readonly firstByteTimeoutMs: number;
    /** Added to the first-byte timeout per output token that a whole answer may have: it starts when it is finished. */
    readonly tokenTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly totalTimeoutMs: number;
  };
  readonly sla: { readonly probeIntervalMs: number; readonly evaluationIntervalMs: number };
  readonly drainGraceMs: number;
}

/** Thrown with every fault at once, one per line. `bin/` prints it and exits 78 (EX_CONFIG). */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(
      `The configuration has ${faults.length} fault${faults.length === 1 ? "" : "s"}:\n${faults.map((f) => `  ${f}`).join("\n")}`,
    );
    this.name = "ConfigError";
  }
}

/** Errors: ConfigError, naming every variable at fault. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  // An empty variable (`PORT=` in an .env file) means "not set", never 0.
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const parsed = environmentSchema.safeParse(given);
  const faults = parsed.success
    ? crossChecks(parsed.data)
    : parsed.error.issues.map(
        (issue) => `${issue.path.join(".")}: ${issue.message}${gotten(String(issue.path[0]), given)}`,
      );
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults);
  return freeze(parsed.data);
}

/** A database URL holds a password: a fault in it is told without repeating it. */
function gotten(name: string, given: Readonly<Record<string, string | undefined>>): string {
  return name === "DATABASE_URL" ? "" : ` (got ${JSON.stringify(given[name])})`;
}

function crossChecks(env: Environment): string[] {
  const faults: string[] = [];
  if (env.PORT !== 0 && env.PORT === env.RELAY_PORT)
    faults.push(`RELAY_PORT: must differ from PORT (both are ${env.PORT})`);
  if (env.UPSTREAM_FIRST_BYTE_TIMEOUT_MS > env.UPSTREAM_TOTAL_TIMEOUT_MS) {
    faults.push("UPSTREAM_FIRST_BYTE_TIMEOUT_MS: must not exceed UPSTREAM_TOTAL_TIMEOUT_MS");
  }
  return faults;
}

function freeze(env: Environment): Config {
  return Object.freeze({
    host: env.HOST,
    port: env.PORT,
    relayPort: env.RELAY_PORT,
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, ""),
    dataDirectory: resolve(env.DATA_DIR),
    databaseUrl: env.DATABASE_URL,
    databasePoolMax: env.DATABASE_POOL_MAX,
    logLevel: env.LOG_LEVEL,
    allowLoopbackUpstreams: env.ALLOW_LOOPBACK_UPSTREAMS,
    introspection: env.GRAPHQL_INTROSPECTION,
    apiBodyLimitBytes: env.API_BODY_LIMIT_BYTES,
    relay: Object.freeze({ bodyLimitBytes: env.RELAY_BODY_LIMIT_BYTES, inFlightMax: env.RELAY_IN_FLIGHT_MAX }),
    upstream: Object.freeze({
      connectTimeoutMs: env.UPSTREAM_CONNECT_TIMEOUT_MS,
      firstByteTimeoutMs: env.UPSTREAM_FIRST_BYTE_TIMEOUT_MS,
      tokenTimeoutMs: env.UPSTREAM_TOKEN_TIMEOUT_MS,
      idleTimeoutMs: env.UPSTREAM_IDLE_TIMEOUT_MS,
      totalTimeoutMs: env.UPSTREAM_TOTAL_TIMEOUT_MS,
    }),
    sla: Object.freeze({
      probeIntervalMs: env.SLA_PROBE_INTERVAL_MS,
      evaluationIntervalMs: env.SLA_EVALUATION_INTERVAL_MS,
    }),
    drainGraceMs: env.DRAIN_GRACE_MS,
  });
}
