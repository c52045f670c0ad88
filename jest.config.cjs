const swc = require("./swc.json");

/** ESM-only packages that Node can require() but jest cannot: transformed like our own sources. */
const esmOnly = ["uuid", "jose", "openai", "@seriousme/openapi-schema-validator"];
/** CommonJS that says import() at run time, which jest cannot either. */
const importsLate = ["@opentelemetry/otlp-exporter-base"];
const transformed = [...esmOnly, ...importsLate].join("|");

module.exports = {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  transform: { "^.+\\.[tj]s$": ["@swc/jest", { ...swc, swcrc: false }] },
  transformIgnorePatterns: [`/node_modules/(?!(?:${transformed})/)`],
  globalSetup: "<rootDir>/test/support/global-setup.ts",
  globalTeardown: "<rootDir>/test/support/global-teardown.ts",
  testSequencer: "<rootDir>/test/support/slow-first.cjs",
  setupFiles: ["reflect-metadata"],
  testTimeout: 30_000,
  // One more than two cores: a file waits for other processes and for the database more than half of its time (measured: 531 s
  // of CPU, all processes together, in files that take 1,170 s).
  maxWorkers: 3,
};
