/**
 * Compares schema/schema.graphql with schema/released.graphql, the contract that clients were last promised, and fails when
 * it breaks them. `--release` makes the present contract the promised one; `--release --accept-breaking` even so.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { contractChanges } from "./contract-changes";

const file = (name: string) => join(process.cwd(), "schema", name);

async function main(): Promise<void> {
  const current = readFileSync(file("schema.graphql"), "utf8");
  const released = readFileSync(file("released.graphql"), "utf8");
  const today = new Date().toISOString().slice(0, 10);
  const { breaking, dangerous } = await contractChanges(released, current, today);
  if (dangerous.length > 0) tell("May surprise clients; review each:", dangerous);
  if (breaking.length > 0) tell("Breaks clients of the released contract:", breaking);
  const releases = process.argv.includes("--release");
  if (breaking.length > 0 && !(releases && process.argv.includes("--accept-breaking"))) {
    console.error(
      "Keep what is there, add the new beside it, and deprecate the old with a date: docs/schema-policy.md says how." +
        " Before a first release, `npm run schema:release -- --accept-breaking` takes the break as it is.",
    );
    process.exitCode = 1;
  } else if (releases) {
    writeFileSync(file("released.graphql"), current);
  }
}

function tell(heading: string, sentences: readonly string[]): void {
  console.error([heading, ...sentences.map((text) => `  ${text}`)].join("\n"));
}

void main();
