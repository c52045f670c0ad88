/** Reads the environment once, checks it whole and hands out a frozen Config; nobody else reads process.env. */
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { parseRedisUrl } from "./redis-url";

const port = z.coerce.number().int().min(0).max(65535);
const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const ms = z.coerce.number().int().min(1).max(3_600_000);
/** For what may take days. */
const longMs = z.coerce.number().int().min(1).max(2_592_000_000);
const bytes = z.coerce
  .number()
  .int()
  .min(1024)
  .max(1024 ** 3);
/** As large as the columns of a key's own limits. */
const perMinute = z.coerce.number().int().min(1).max(2_147_483_647);
const points = z.coerce.number().int().min(1).max(1_000_000_000);

/** What a process may be. */
export const roleNames = ["api", "relay", "worker"] as const;
export type Role = (typeof roleNames)[number];

const roles = z.string().transform((text, context): readonly Role[] => {
  const named = text.split(",").map((name) => name.trim());
  const unknown = named.filter((name) => !roleNames.includes(name as Role));
  if (unknown.length > 0) context.addIssue(`must name some of ${roleNames.join(",")}`);
  return roleNames.filter((role) => named.includes(role));
});

const databaseUrls = z
  .string()
  .transform((text) => text.split(",").map((url) => url.trim()))
  .pipe(z.array(z.url({ protocol: /^postgres(ql)?$/ })));

/** One for each bank that calls us, or two while one is exchanged for another. */
const webhookSecrets = z
  .string()
  .transform((text) => text.split(",").map((secret) => secret.trim()))
  .pipe(
    z.array(
      z
        .string()
        .regex(
          /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/,
          "must be whsec_ and 24 to 64 bytes in base64, e.g. of openssl rand -base64 32",
        ),
    ),
  );

const redisUrl = z.string().superRefine((text, context) => {
  try {
    parseRedisUrl(text);
  } catch (error) {
    context.addIssue((error as Error).message);
  }
});

/** One row per variable: how it is checked and its default. `.env.example` lists the same names; a test compares them. */
export const environmentSchema = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: port.default(4000),
  RELAY_PORT: port.default(4001),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  ROLES: roles.default([...roleNames]),
  DATA_DIR: z.string().min(1).default(".exergy"),
  SECRETS_DIR: z.string().min(1).optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_REPLICA_URLS: databaseUrls.optional(),
  DATABASE_POOL_MAX: z.coerce.number().int().min(2).max(200).default(12),
  REDIS_URL: redisUrl.optional(),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  ALLOW_LOOPBACK_UPSTREAMS: flag.default(false),
  OIDC_ISSUER: z.url({ protocol: /^https?$/ }).optional(),
  OIDC_AUDIENCE: z.string().min(1).max(500).optional(),
  GRAPHQL_INTROSPECTION: flag.default(true),
  GRAPHIQL: flag.default(true),
  GRAPHQL_POINTS_PER_MINUTE: points.default(100_000),
  GRAPHQL_ANONYMOUS_POINTS_PER_MINUTE: points.default(10_000),
  TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0),
  API_BODY_LIMIT_BYTES: bytes.default(1_048_576),
  RELAY_BODY_LIMIT_BYTES: bytes.default(10_485_760),
  RELAY_PROCESSES: z.union([z.literal("auto"), z.coerce.number().int().min(1).max(64)]).default(1),
  RELAY_IN_FLIGHT_MAX: z.coerce.number().int().min(1).max(100_000).default(2_000),
  RELAY_KEY_REQUESTS_PER_MINUTE: perMinute.default(600_000),
  RELAY_KEY_TOKENS_PER_MINUTE: perMinute.default(2_000_000_000),
  RELAY_KEY_CONCURRENT_REQUESTS: perMinute.default(2_000),
  RELAY_ORGANISATION_REQUESTS_PER_MINUTE: perMinute.default(600_000),
  RELAY_ORGANISATION_TOKENS_PER_MINUTE: perMinute.default(2_000_000_000),
  RELAY_ORGANISATION_CONCURRENT_REQUESTS: perMinute.default(2_000),
  PROVIDER_QUEUE_WAIT_MS: z.coerce.number().int().min(0).max(2_000).default(2_000),
  UPSTREAM_CONNECT_TIMEOUT_MS: ms.default(1_000),
  UPSTREAM_FIRST_BYTE_TIMEOUT_MS: ms.default(30_000),
  UPSTREAM_TOKEN_TIMEOUT_MS: z.coerce.number().int().min(0).max(10_000).default(100),
  UPSTREAM_IDLE_TIMEOUT_MS: ms.default(60_000),
  UPSTREAM_TOTAL_TIMEOUT_MS: ms.default(600_000),
  WORKLOAD_FILE_LIMIT_BYTES: bytes.default(33_554_432),
  WORKLOAD_STORAGE_LIMIT_BYTES: z.coerce.number().int().min(1024).max(Number.MAX_SAFE_INTEGER).default(1_073_741_824),
  WORKLOAD_FILE_RETENTION_DAYS: z.coerce.number().int().min(1).max(3_650).default(30),
  WORKLOAD_POLL_INTERVAL_MS: ms.default(5_000),
  WORKLOAD_SILENCE_MS: longMs.default(1_800_000),
  WORKLOAD_STALL_MS: longMs.default(21_600_000),
  WORKLOAD_TRAINING_MAX_MS: longMs.default(259_200_000),
  SLA_PROBE_INTERVAL_MS: ms.default(15_000),
  SLA_EVALUATION_INTERVAL_MS: ms.default(5_000),
  DRAIN_GRACE_MS: ms.default(10_000),
  PERIOD_CLOSE_AFTER_HOURS: z.coerce.number().int().min(0).max(240).default(6),
  STATEMENT_REVIEW_DAYS: z.coerce.number().int().min(0).max(25).default(3),
  STATEMENT_HOLDBACK_PPM: z.coerce.number().int().min(0).max(500_000).default(0),
  NODE_ENV: z.string().min(1).optional(),
  TEST_CLOCK: z.enum(["on", "off"]).default("off"),
  OUTBOX_RETENTION_DAYS: z.coerce.number().int().min(1).max(3_650).default(30),
  PAYOUT_RAIL: z.enum(["simulated-bank", "pain.001"]).optional(),
  PAYOUT_BANK_URL: z.url({ protocol: /^https?$/ }).optional(),
  PAYOUT_CALLBACK_SECRET: webhookSecrets.optional(),
  PAYOUT_DIRECTORY: z.string().min(1).optional(),
  PAYOUT_DEBTOR_NAME: z.string().min(1).max(140).optional(),
  PAYOUT_DEBTOR_IBAN: z.string().min(15).max(42).optional(),
  PAYOUT_DEBTOR_BIC: z.string().min(8).max(11).optional(),
  PAYOUT_RUN_INTERVAL_MS: ms.default(60_000),
  PAYOUT_COOLING_HOURS: z.coerce.number().int().min(0).max(720).default(72),
  PAYOUT_APPROVAL_LIMIT_USD: z.coerce.number().int().min(0).max(1_000_000_000).default(50_000),
});

export type Environment = z.output<typeof environmentSchema>;

export interface SendingLimits {
  readonly requestsPerMinute: number;
  readonly tokensPerMinute: number;
  readonly concurrentRequests: number;
}

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly relayPort: number;
  /** Where the outside reaches the API; issuer of relay tokens, place of the JWKS. */
  readonly publicUrl: string | undefined;
  /** What this process does; all of it unless there are several. */
  readonly roles: readonly Role[];
  readonly dataDirectory: string;
  /** What all processes of one system must share: pepper, signing key, certificate authority. */
  readonly secretsDirectory: string;
  readonly databaseUrl: string | undefined;
  /** Streaming replicas of that database, which answer queries that are allowed to be a moment late. */
  readonly databaseReplicaUrls: readonly string[];
  readonly databasePoolMax: number;
  readonly redisUrl: string | undefined;
  readonly logLevel: Environment["LOG_LEVEL"];
  /** Where traces and metrics of OpenTelemetry go, without `/v1/…`; undefined: there are none. */
  readonly otlpEndpoint: string | undefined;
  readonly allowLoopbackUpstreams: boolean;
  /** Whose tokens people log in with, and for whom they must be made out. */
  readonly identityProvider: { readonly issuer: string; readonly audience: string } | null;
  readonly introspection: boolean;
  /** Whether /graphiql is served. */
  readonly graphiql: boolean;
  /** What one minute may cost: a key, session or person; and an address that says nothing of who it is. */
  readonly graphql: { readonly pointsPerMinute: number; readonly anonymousPointsPerMinute: number };
  /** Proxies of ours between the world and this process: so many entries at the end of X-Forwarded-For are true. */
  readonly trustedProxies: number;
  readonly apiBodyLimitBytes: number;
  readonly relay: {
    readonly bodyLimitBytes: number;
    /** Of one process. */
    readonly inFlightMax: number;
    /** What a key may send that has no limits of its own, and what all keys of an organisation may together. */
    readonly limits: { readonly key: SendingLimits; readonly organisation: SendingLimits };
    /** How long a request waits for a slot when every provider of its model is busy; 0: not at all. */
    readonly queueWaitMs: number;
    /** How many of them share RELAY_PORT: 1 is this process itself. */
    readonly processes: number;
  };
  readonly upstream: {
    readonly connectTimeoutMs: number;
    readonly firstByteTimeoutMs: number;
    /** Added to the first-byte timeout per output token that a whole answer may have: it starts when it is finished. */
    readonly tokenTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly totalTimeoutMs: number;
  };
  /** Files, batches and fine-tuning jobs. */
  readonly workloads: {
    readonly fileLimitBytes: number;
    /** All files of one startup together. */
    readonly storageLimitBytes: number;
    readonly retentionMs: number;
    readonly pollIntervalMs: number;
    /** How long a job's provider may be out of reach, and how long a job may stand still, before it is declared failed. */
    readonly silenceMs: number;
    readonly stallMs: number;
    /** How long a fine-tuning job may take. */
    readonly trainingMaxMs: number;
  };
  readonly sla: { readonly probeIntervalMs: number; readonly evaluationIntervalMs: number };
  readonly drainGraceMs: number;
  readonly statements: {
    /** After a month's end, for usage that is settled late, before the worker closes it. */
    readonly closeAfterMs: number;
    /** How long a provider may object. */
    readonly reviewDays: number;
    /** Kept back of each statement and paid two months later, parts per million. */
    readonly holdbackPpm: bigint;
  };
  /** Whether operators may move the marketplace's time ahead; never in production. */
  readonly testClock: boolean;
  /** How long a reader of a durable stream may be away and miss nothing. */
  readonly outboxRetentionDays: number;
  readonly payouts: {
    /** Null: payouts are scheduled, and none leaves. */
    readonly rail:
      | { readonly kind: "simulated-bank"; readonly bankUrl: string }
      | {
          readonly kind: "pain.001";
          readonly directory: string;
          readonly debtor: { readonly name: string; readonly iban: string; readonly bic: string };
        }
      | null;
    /** Any of them may have signed what a bank sends. */
    readonly callbackSecrets: readonly string[];
    readonly runIntervalMs: number;
    /** How long nothing is paid to a provider after a change of its bank account. */
    readonly coolingMs: number;
    /** A payout of more needs two operators. */
    readonly approvalLimitNanoUsd: bigint;
  };
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

/** The URL of a database holds a password: a fault in it, or in a secret, is told without repeating it. */
function gotten(name: string, given: Readonly<Record<string, string | undefined>>): string {
  return ["DATABASE_URL", "DATABASE_REPLICA_URLS", "REDIS_URL", "PAYOUT_CALLBACK_SECRET"].includes(name)
    ? ""
    : ` (got ${JSON.stringify(given[name])})`;
}

function crossChecks(env: Environment): string[] {
  const faults: string[] = [];
  if (env.PORT !== 0 && env.PORT === env.RELAY_PORT)
    faults.push(`RELAY_PORT: must differ from PORT (both are ${env.PORT})`);
  if (env.UPSTREAM_FIRST_BYTE_TIMEOUT_MS > env.UPSTREAM_TOTAL_TIMEOUT_MS) {
    faults.push("UPSTREAM_FIRST_BYTE_TIMEOUT_MS: must not exceed UPSTREAM_TOTAL_TIMEOUT_MS");
  }
  if (env.DATABASE_REPLICA_URLS !== undefined && env.DATABASE_URL === undefined) {
    faults.push("DATABASE_REPLICA_URLS: goes with DATABASE_URL, whose replicas they are");
  }
  if ((env.OIDC_ISSUER === undefined) !== (env.OIDC_AUDIENCE === undefined)) {
    faults.push("OIDC_ISSUER: goes with OIDC_AUDIENCE, both or neither");
  }
  if (env.OIDC_ISSUER !== undefined && !isSafeIssuer(new URL(env.OIDC_ISSUER))) {
    faults.push(
      "OIDC_ISSUER: must be https, or http on this machine: whoever changes its keys on the way logs in as anybody",
    );
  }
  if (env.TEST_CLOCK === "on" && env.NODE_ENV === "production") {
    faults.push("TEST_CLOCK: must be off with NODE_ENV=production: time that was moved cannot be moved back");
  }
  if (env.PAYOUT_RAIL !== undefined) {
    for (const name of railNeeds[env.PAYOUT_RAIL]) {
      if (env[name] === undefined) faults.push(`${name}: goes with PAYOUT_RAIL=${env.PAYOUT_RAIL}`);
    }
  }
  return faults;
}

const railNeeds = {
  "simulated-bank": ["PAYOUT_BANK_URL", "PAYOUT_CALLBACK_SECRET"],
  "pain.001": ["PAYOUT_DIRECTORY", "PAYOUT_DEBTOR_NAME", "PAYOUT_DEBTOR_IBAN", "PAYOUT_DEBTOR_BIC"],
} as const;

function isSafeIssuer({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

function freeze(env: Environment): Config {
  return Object.freeze({
    host: env.HOST,
    port: env.PORT,
    relayPort: env.RELAY_PORT,
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, ""),
    roles: Object.freeze(env.ROLES),
    dataDirectory: resolve(env.DATA_DIR),
    secretsDirectory: resolve(env.SECRETS_DIR ?? join(env.DATA_DIR, "secrets")),
    databaseUrl: env.DATABASE_URL,
    databaseReplicaUrls: Object.freeze(env.DATABASE_REPLICA_URLS ?? []),
    databasePoolMax: env.DATABASE_POOL_MAX,
    redisUrl: env.REDIS_URL,
    logLevel: env.LOG_LEVEL,
    otlpEndpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    allowLoopbackUpstreams: env.ALLOW_LOOPBACK_UPSTREAMS,
    identityProvider:
      env.OIDC_ISSUER === undefined ? null : Object.freeze({ issuer: env.OIDC_ISSUER, audience: env.OIDC_AUDIENCE! }),
    introspection: env.GRAPHQL_INTROSPECTION,
    graphiql: env.GRAPHIQL,
    graphql: Object.freeze({
      pointsPerMinute: env.GRAPHQL_POINTS_PER_MINUTE,
      anonymousPointsPerMinute: env.GRAPHQL_ANONYMOUS_POINTS_PER_MINUTE,
    }),
    trustedProxies: env.TRUSTED_PROXIES,
    apiBodyLimitBytes: env.API_BODY_LIMIT_BYTES,
    relay: Object.freeze({
      bodyLimitBytes: env.RELAY_BODY_LIMIT_BYTES,
      inFlightMax: env.RELAY_IN_FLIGHT_MAX,
      limits: Object.freeze({
        key: Object.freeze({
          requestsPerMinute: env.RELAY_KEY_REQUESTS_PER_MINUTE,
          tokensPerMinute: env.RELAY_KEY_TOKENS_PER_MINUTE,
          concurrentRequests: env.RELAY_KEY_CONCURRENT_REQUESTS,
        }),
        organisation: Object.freeze({
          requestsPerMinute: env.RELAY_ORGANISATION_REQUESTS_PER_MINUTE,
          tokensPerMinute: env.RELAY_ORGANISATION_TOKENS_PER_MINUTE,
          concurrentRequests: env.RELAY_ORGANISATION_CONCURRENT_REQUESTS,
        }),
      }),
      queueWaitMs: env.PROVIDER_QUEUE_WAIT_MS,
      processes: env.RELAY_PROCESSES === "auto" ? availableParallelism() : env.RELAY_PROCESSES,
    }),
    upstream: Object.freeze({
      connectTimeoutMs: env.UPSTREAM_CONNECT_TIMEOUT_MS,
      firstByteTimeoutMs: env.UPSTREAM_FIRST_BYTE_TIMEOUT_MS,
      tokenTimeoutMs: env.UPSTREAM_TOKEN_TIMEOUT_MS,
      idleTimeoutMs: env.UPSTREAM_IDLE_TIMEOUT_MS,
      totalTimeoutMs: env.UPSTREAM_TOTAL_TIMEOUT_MS,
    }),
    workloads: Object.freeze({
      fileLimitBytes: env.WORKLOAD_FILE_LIMIT_BYTES,
      storageLimitBytes: env.WORKLOAD_STORAGE_LIMIT_BYTES,
      retentionMs: env.WORKLOAD_FILE_RETENTION_DAYS * 86_400_000,
      pollIntervalMs: env.WORKLOAD_POLL_INTERVAL_MS,
      silenceMs: env.WORKLOAD_SILENCE_MS,
      stallMs: env.WORKLOAD_STALL_MS,
      trainingMaxMs: env.WORKLOAD_TRAINING_MAX_MS,
    }),
    sla: Object.freeze({
      probeIntervalMs: env.SLA_PROBE_INTERVAL_MS,
      evaluationIntervalMs: env.SLA_EVALUATION_INTERVAL_MS,
    }),
    drainGraceMs: env.DRAIN_GRACE_MS,
    statements: Object.freeze({
      closeAfterMs: env.PERIOD_CLOSE_AFTER_HOURS * 3_600_000,
      reviewDays: env.STATEMENT_REVIEW_DAYS,
      holdbackPpm: BigInt(env.STATEMENT_HOLDBACK_PPM),
    }),
    testClock: env.TEST_CLOCK === "on",
    outboxRetentionDays: env.OUTBOX_RETENTION_DAYS,
    payouts: Object.freeze({
      rail: railOf(env),
      callbackSecrets: Object.freeze(env.PAYOUT_CALLBACK_SECRET ?? []),
      runIntervalMs: env.PAYOUT_RUN_INTERVAL_MS,
      coolingMs: env.PAYOUT_COOLING_HOURS * 3_600_000,
      approvalLimitNanoUsd: BigInt(env.PAYOUT_APPROVAL_LIMIT_USD) * 1_000_000_000n,
    }),
  });
}

/** What each needs has been checked. */
function railOf(env: Environment): Config["payouts"]["rail"] {
  if (env.PAYOUT_RAIL === undefined) return null;
  if (env.PAYOUT_RAIL === "simulated-bank") return { kind: env.PAYOUT_RAIL, bankUrl: env.PAYOUT_BANK_URL! };
  const debtor = { name: env.PAYOUT_DEBTOR_NAME!, iban: env.PAYOUT_DEBTOR_IBAN!, bic: env.PAYOUT_DEBTOR_BIC! };
  return { kind: env.PAYOUT_RAIL, directory: resolve(env.PAYOUT_DIRECTORY!), debtor };
}
