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

/** What ESLint says of each text in place of the printed contract; one process for all: starting takes it longer than linting. */
const lint = `
  const { ESLint } = require("eslint");
  (async () => {
    const texts = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    const eslint = new ESLint();
    const said = [];
    for (const text of texts) said.push((await eslint.lintText(text, { filePath: "schema/schema.graphql" }))[0].messages);
    console.log(JSON.stringify(said));
  })();
`;

function complaints(texts: readonly string[]): Promise<string[][]> {
  return new Promise((resolve, reject) => {
    const eslint = execFile(process.execPath, ["-e", lint], { cwd: root }, (_error, stdout, stderr) => {
      if (stdout === "") return reject(new Error(stderr));
      const said = JSON.parse(stdout) as Complaint[][];
      resolve(said.map((messages) => messages.map(({ ruleId }) => ruleId.split("/")[1]!)));
    });
    eslint.stdin!.end(JSON.stringify(texts));
  });
}

const changed = (from: string, to: string) => {
  expect(contract).toContain(from);
  return contract.replace(from, to);
};

const faults: readonly [what: string, ruleName: string, text: () => string][] = [
  ["an enum value in lower case", "naming-convention", () => changed("  CAPITAL_PARTNER\n", "  capital_partner\n")],
  [
    "a field without a description",
    "require-description",
    () => changed('  """Memory of one GPU in gigabytes."""\n', ""),
  ],
  ["an object without an id", "strict-id-in-types", () => `${contract}\n"""x"""\ntype Rack { """x""" code: String! }`],
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
];

describe("the design rules", () => {
  let ofTheContract: string[];
  let ofADatedDeprecation: string[];
  let ofFaults: string[][];

  beforeAll(async () => {
    const reason = "Use memory. Remove after 2027-06-01";
    const dated = changed("  memoryGb: Int!", `  memoryGb: Int! @deprecated(reason: "${reason}")`);
    const said = await complaints([contract, dated, ...faults.map(([, , text]) => text())]);
    [ofTheContract, ofADatedDeprecation, ...ofFaults] = said as [string[], string[], ...string[][]];
  }, 60_000);

  it("find nothing in the contract", () => {
    expect(ofTheContract).toEqual([]);
  });

  it.each(faults.map(([what, ruleName], index) => ({ what, ruleName, index })))(
    "complain of $what",
    ({ ruleName, index }) => {
      expect(ofFaults[index]).toContain(ruleName);
    },
  );

  it("accept a deprecation that says what to use and when it goes", () => {
    expect(ofADatedDeprecation).toEqual([]);
  });
});
