/** docs/errors.md lists every error code of the table, no more, no less. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errorTable } from "../../src/platform/errors";

const documented = readFileSync(join(__dirname, "../../docs/errors.md"), "utf8");

describe("the error table", () => {
  it("is documented whole, with the status and the meaning that the code has", () => {
    const rows = Object.entries(errorTable).map(
      ([code, { status, retryable, meaning }]) =>
        `| \`${code}\` | ${status} | ${retryable ? "yes" : "no"} | ${meaning} |`,
    );
    expect(documented.split("\n").filter((line) => line.startsWith("| `"))).toEqual(rows);
  });
});
