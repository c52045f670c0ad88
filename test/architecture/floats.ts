/** Finds where money could become a float: in TypeScript by its syntax tree, in SQL by its types and casts. */
import { parseSync } from "@swc/core";

export interface Finding {
  readonly code: string;
  readonly why: string;
}

interface TreeNode {
  readonly type: string;
  readonly span?: { readonly start: number; readonly end: number };
  readonly [field: string]: unknown;
}

/** By the house's rule names end with the unit: what is called so is money, or decides how much of it. */
const MONEY_NAME =
  /(Nano(Usd|Credit)?(Per\w+)?|nano_(usd|credit)\w*|_nano|gpuNanos|gpu_nanos|[pP]pm|_ppm|^amount|Amount)$/;

const isNode = (value: unknown): value is TreeNode =>
  typeof value === "object" && value !== null && typeof (value as TreeNode).type === "string";

/** Some nodes keep others in objects that are none: a method its function, a call its arguments. */
function children(value: object): TreeNode[] {
  return Object.values(value).flatMap((one: unknown) => {
    if (isNode(one)) return [one];
    return typeof one === "object" && one !== null ? children(one) : [];
  });
}

/** The name that a value goes by where it is used: `a.b.cNano` is `cNano`. */
function nameOf(node: TreeNode): string | null {
  if (node.type === "Identifier") return node.value as string;
  if (node.type === "MemberExpression") return nameOf(node.property as TreeNode);
  if (node.type === "OptionalChainingExpression") return nameOf(node.base as TreeNode);
  if (node.type === "Computed" && isNode(node.expression)) {
    return node.expression.type === "StringLiteral" ? (node.expression.value as string) : null;
  }
  return null;
}

function holdsMoney(node: TreeNode): boolean {
  // What a function of money answers need not be money: the call is looked at where it is made.
  if (node.type === "ArrowFunctionExpression" || node.type === "FunctionExpression") return false;
  const name = nameOf(node);
  if (name !== null) return MONEY_NAME.test(name);
  return children(node).some(holdsMoney);
}

const argumentsOf = (node: TreeNode): TreeNode[] =>
  ((node.arguments as { expression: TreeNode }[] | undefined) ?? []).map(({ expression }) => expression);

/** Functions that make a number, or take and give one. */
function makesFloat(callee: TreeNode): boolean {
  if (callee.type === "Identifier") return ["Number", "parseFloat", "parseInt"].includes(callee.value as string);
  if (callee.type !== "MemberExpression") return false;
  const owner = nameOf(callee.object as TreeNode);
  return owner === "Math" || (owner === "Number" && nameOf(callee)!.startsWith("parse"));
}

const isNumber = (node: TreeNode) => node.type === "NumericLiteral";
const ARITHMETIC: ReadonlySet<unknown> = new Set(["+", "-", "*", "/", "%", "**"]);

function faultOf(node: TreeNode): string | null {
  if (node.type === "CallExpression" && isNode(node.callee)) {
    const { callee } = node;
    if (makesFloat(callee) && argumentsOf(node).some(holdsMoney)) return "makes a number of money";
    const method = callee.type === "MemberExpression" ? nameOf(callee) : null;
    if (/^to(Fixed|Precision|Exponential)$/.test(method ?? "") && holdsMoney(callee.object as TreeNode)) {
      return "formats money as a number";
    }
  }
  if (node.type === "UnaryExpression" && node.operator === "+" && holdsMoney(node.argument as TreeNode)) {
    return "makes a number of money";
  }
  if (node.type === "BinaryExpression" && ARITHMETIC.has(node.operator)) {
    const [left, right] = [node.left as TreeNode, node.right as TreeNode];
    if ((isNumber(left) && holdsMoney(right)) || (isNumber(right) && holdsMoney(left))) {
      return "computes with money as a number";
    }
  }
  return null;
}

/** In the text of a TypeScript file. Errors: those of the parser. */
export function floatsInTypeScript(source: string): Finding[] {
  const bytes = Buffer.from(source);
  const findings: Finding[] = [];
  const visit = (node: TreeNode): void => {
    const why = faultOf(node);
    if (why !== null && node.span) {
      // swc counts bytes, from 1.
      const code = bytes.subarray(node.span.start - 1, node.span.end - 1).toString();
      findings.push({ code: code.replace(/\s+/g, " "), why });
    }
    for (const child of children(node)) visit(child);
  };
  visit(parseSync(source, { syntax: "typescript", decorators: true }) as unknown as TreeNode);
  return findings;
}

const FLOAT_TYPE = "(?:double\\s+precision|real|float(?:4|8)?(?:\\s*\\(\\d+\\))?)";
const sqlRules: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`::\\s*${FLOAT_TYPE}\\b`, "gi"), "casts to a float"],
  [new RegExp(`\\bAS\\s+${FLOAT_TYPE}\\s*\\)`, "gi"), "casts to a float"],
  [
    new RegExp(`^\\s*"?[a-z_][\\w]*"?\\s+${FLOAT_TYPE}\\b(?=\\s*(?:,|;|NOT|NULL|DEFAULT|CHECK|CONSTRAINT|$))`, "gim"),
    "is a float",
  ],
  [/\bto_number\s*\(/gi, "reads a number from text without bounds"],
  // What PostgreSQL itself computes in double precision.
  [
    /\b(?:regr_\w+|corr|sqrt|exp|ln|log|power)\s*\([^)]*(?:nano|ppm|amount|credits_|debits_)/gi,
    "computes with money as a float",
  ],
  [/\bpercentile_cont\s*\(/gi, "interpolates as a float"],
  // A column: a variable of a function may hold more than a bigint while it computes, and is exact.
  [
    /^\s*"?\w*(?:nano_usd|nano_credit|_nano|_ppm|amount)\w*"?\s+(?:numeric|decimal|money)\b(?:\s*\([\d, ]+\))?(?=\s*(?:,|NOT\b|NULL\b|DEFAULT\b|CHECK\b))/gim,
    "is a column of money without bounds",
  ],
];

/** In SQL, or in TypeScript that holds some; what a comment says is not looked at. */
export function floatsInSql(text: string): Finding[] {
  const code = text.replace(/^\s*(--|\/\/|\/?\*).*$/gm, "");
  return sqlRules.flatMap(([pattern, why]) =>
    [...code.matchAll(pattern)].map(([found]) => ({ code: found.trim().replace(/\s+/g, " "), why })),
  );
}
