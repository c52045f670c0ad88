/** Writes schema/schema.graphql from the resolver classes; with `--check` only compares. Needs no database. */
import "reflect-metadata";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { resolverClasses } from "../resolvers";
import { buildApiSchema } from "../src/api/build-schema";
import { printContract } from "../src/api/print-contract";
import { subscriptionClasses } from "../subscriptions";

const file = join(process.cwd(), "schema", "schema.graphql");
const printed = printContract(buildApiSchema([...resolverClasses, ...subscriptionClasses]));

if (!process.argv.includes("--check")) {
  writeFileSync(file, printed);
} else if (readCommitted() !== printed) {
  console.error(
    "schema/schema.graphql is not what the code says. Run `npm run schema:print && npm run codegen` and commit both.",
  );
  process.exitCode = 1;
}

function readCommitted(): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
