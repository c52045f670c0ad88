/** Holds the design rules: the contract and the operations keep them, and a contract that does not is told so. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(__dirname, "../..");
const contract = readFileSync(join(root, "schema/schema.graphql"), "utf8");

interface Complaint {
  readonly ruleId: string;
  readonly message: string;
}

/** What ESLint says of this text in place of the printed contract. */
function complaints(text: string): Promise<string[]> {
  const args = [
    join(root, "node_modules/eslint/bin/eslint.js"),
    "--stdin",
    "--stdin-filename",
    "schema/schema.graphql",
  ];
  return new Promise((resolve, reject) => {
    const eslint = execFile(process.execPath, [...args, "-f", "json"], { cwd: root }, (_error, stdout, stderr) => {
      if (stdout === "") return reject(new Error(stderr));
      const [file] = JSON.parse(stdout) as { messages: Complaint[] }[];
      resolve(file!.messages.map(({ ruleId }) => ruleId.split("/")[1]!));
    });
    eslint.stdin!.end(text);
  });
}

const changed = (from: string, to: string) => {
  expect(contract).toContain(from);
  return contract.replace(from, to);
};

describe("the design rules", () => {
  it("find nothing in the contract", async () => {
    expect(await complaints(contract)).toEqual([]);
  });

  it.each([
    ["an enum value in lower case", "naming-convention", () => changed("  CAPITAL_PARTNER\n", "  capital_partner\n")],
    [
      "a field without a description",
      "require-description",
      () => changed('  """Memory of one GPU in gigabytes."""\n', ""),
    ],
    [
      "an object without an id",
      "strict-id-in-types",
      () => `${contract}\n"""x"""\ntype Rack { """x""" code: String! }`,
    ],
    [
      "a page without pageInfo",
      "relay-connection-types",
      () => changed('  """Where this page stands."""\n  pageInfo: PageInfo!\n', ""),
    ],
    [
      "a deprecation without a day",
      "dated-deprecation",
      () => changed("  memoryGb: Int!", '  memoryGb: Int! @deprecated(reason: "Use memory.")'),
    ],
  ])("complain of %s", async (_what, ruleName, text) => {
    expect(await complaints(text())).toContain(ruleName);
  });

  it("accept a deprecation that says what to use and when it goes", async () => {
    const reason = "Use memory. Remove after 2027-06-01";
    expect(await complaints(changed("  memoryGb: Int!", `  memoryGb: Int! @deprecated(reason: "${reason}")`))).toEqual(
      [],
    );
  });
});
