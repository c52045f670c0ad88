/** Renders a Helm chart with as much of Go's template language as ours uses, so that a test sees the manifests without Helm. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";

type Value = unknown;
type Scope = { dot: Value; variables: Map<string, Value> };
type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly words: string }
  | { readonly kind: "if"; readonly branches: readonly { test: string | null; body: readonly Node[] }[] }
  | { readonly kind: "range"; readonly names: readonly string[]; readonly over: string; readonly body: readonly Node[] }
  | { readonly kind: "assign"; readonly name: string; readonly words: string };

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: manifests have a shape of their own for each kind.
  readonly spec: any;
}

/** All manifests of the chart in `folder`, as `helm template NAME` prints them. Errors: what it does not understand. */
export function renderChart(
  folder: string,
  overrides: (values: Record<string, never>) => void = () => undefined,
): Manifest[] {
  const values = parse(readFileSync(join(folder, "values.yaml"), "utf8")) as Record<string, never>;
  overrides(values);
  const chart = parse(readFileSync(join(folder, "Chart.yaml"), "utf8")) as { appVersion: string };
  const root = {
    Values: values,
    Chart: { AppVersion: chart.appVersion },
    Release: { Name: "exergy", Service: "Helm" },
  };
  const files = readdirSync(join(folder, "templates"));
  const engine = new Engine(root);
  const textOf = (file: string) => readFileSync(join(folder, "templates", file), "utf8");
  for (const file of files.filter((name) => name.startsWith("_"))) engine.render(textOf(file));
  return files
    .filter((name) => name.endsWith(".yaml"))
    .flatMap((name) => parseAllDocuments(engine.render(textOf(name))))
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}

class Engine {
  private readonly defined = new Map<string, readonly Node[]>();

  constructor(private readonly root: Value) {}

  render(template: string): string {
    const { body } = this.parse(tokensOf(template), 0);
    return this.run(body, { dot: this.root, variables: new Map([["$", this.root]]) });
  }

  /** Reads until the `end` or `else` that belongs to whoever called. */
  private parse(tokens: readonly string[], from: number): { body: Node[]; next: number; stop: string } {
    const body: Node[] = [];
    for (let at = from; at < tokens.length; at++) {
      const token = tokens[at]!;
      if (at % 2 === 0) {
        if (token !== "") body.push({ kind: "text", text: token });
        continue;
      }
      const [word, rest] = [/^\S+/.exec(token)?.[0], token.replace(/^\S+\s*/, "")];
      if (word === "end" || word === "else") return { body, next: at, stop: token };
      if (word === "if") at = this.parseIf(tokens, at, rest, body);
      else if (word === "range") {
        const [, names, over] = /^(?:(.+?)\s*:=\s*)?(.+)$/.exec(rest)!;
        const inner = this.parse(tokens, at + 1);
        body.push({ kind: "range", names: names?.split(/,\s*/) ?? [], over: over!, body: inner.body });
        at = inner.next;
      } else if (word === "define") {
        const inner = this.parse(tokens, at + 1);
        this.defined.set(rest.replaceAll('"', ""), inner.body);
        at = inner.next;
      } else if (/^\$\w+$/.test(word ?? "") && rest.startsWith(":=")) {
        body.push({ kind: "assign", name: word!, words: rest.slice(2).trim() });
      } else if (!token.startsWith("/*")) body.push({ kind: "print", words: token });
    }
    return { body, next: tokens.length, stop: "" };
  }

  private parseIf(tokens: readonly string[], from: number, condition: string, into: Node[]): number {
    const branches: { test: string | null; body: readonly Node[] }[] = [];
    let test: string | null = condition;
    for (let at = from; ; ) {
      const { body, next, stop } = this.parse(tokens, at + 1);
      branches.push({ test, body });
      at = next;
      if (!stop.startsWith("else")) {
        into.push({ kind: "if", branches });
        return at;
      }
      test = stop.startsWith("else if ") ? stop.slice("else if ".length) : null;
    }
  }

  private run(nodes: readonly Node[], scope: Scope): string {
    return nodes.map((node) => this.runOne(node, scope)).join("");
  }

  private runOne(node: Node, scope: Scope): string {
    if (node.kind === "text") return node.text;
    if (node.kind === "print") return String(this.evaluate(node.words, scope) ?? "");
    if (node.kind === "assign") {
      scope.variables.set(node.name, this.evaluate(node.words, scope));
      return "";
    }
    if (node.kind === "if") {
      const branch = node.branches.find(({ test }) => test === null || isTrue(this.evaluate(test, scope)));
      return branch === undefined ? "" : this.run(branch.body, { ...scope, variables: new Map(scope.variables) });
    }
    const over = this.evaluate(node.over, scope);
    // Go visits a map by its sorted keys.
    const entries = Array.isArray(over)
      ? [...over.entries()]
      : Object.entries(over ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    return entries
      .map(([key, value]) => {
        const variables = new Map(scope.variables);
        const [first, second] = node.names;
        if (second !== undefined) variables.set(first!, key).set(second, value);
        else if (first !== undefined) variables.set(first, value);
        return this.run(node.body, { dot: value, variables });
      })
      .join("");
  }

  private evaluate(words: string, scope: Scope): Value {
    let value: Value;
    for (const [index, stage] of splitOutside(words, "|").entries()) {
      const [name, ...rest] = splitOutside(stage, " ");
      const args = rest.map((word) => this.word(word, scope));
      if (index > 0) args.push(value);
      value = args.length === 0 && functions[name!] === undefined ? this.word(name!, scope) : this.call(name!, args);
    }
    return value;
  }

  private call(name: string, args: readonly Value[]): Value {
    if (name === "include") {
      const body = this.defined.get(args[0] as string);
      if (body === undefined) throw new Error(`nothing is defined as ${args[0]}`);
      return this.run(body, { dot: args[1], variables: new Map([["$", args[1]]]) });
    }
    const known = functions[name];
    if (known === undefined) throw new Error(`the template calls ${name}, which is not known here`);
    return known(...args);
  }

  private word(word: string, scope: Scope): Value {
    if (word.startsWith("(")) return this.evaluate(word.slice(1, -1), scope);
    if (word.startsWith('"')) return JSON.parse(word);
    if (/^-?\d+$/.test(word)) return Number(word);
    const [, name, path] = /^(\$\w*)?(.*)$/.exec(word)!;
    const start = name === undefined ? scope.dot : scope.variables.get(name);
    if (name !== undefined && !scope.variables.has(name)) throw new Error(`no variable ${name}`);
    return path!
      .split(".")
      .filter((part) => part !== "")
      .reduce((value: Value, part) => (value as Record<string, Value> | null | undefined)?.[part], start);
  }
}

const indent = (spaces: Value, text: Value) => String(text).replaceAll(/^(?=.)/gm, " ".repeat(Number(spaces)));
const toYaml = (value: Value) => stringify(value, { lineWidth: 0 }).trimEnd();

const functions: Readonly<Record<string, (...args: Value[]) => Value>> = {
  quote: (value) => JSON.stringify(String(value ?? "")),
  default: (fallback, value) => (isTrue(value) ? value : fallback),
  toYaml,
  nindent: (spaces, text) => `\n${indent(spaces, text)}`,
  eq: (a, b) => a === b,
  not: (value) => !isTrue(value),
  int: (value) => Math.trunc(Number(value)),
  add: (...values) => values.reduce((sum: number, value) => sum + Number(value), 0),
  div: (a, b) => Math.trunc(Number(a) / Number(b)),
  list: (...values) => values,
  dict: (...pairs) =>
    Object.fromEntries(pairs.flatMap((key, index) => (index % 2 === 0 ? [[key, pairs[index + 1]]] : []))),
};

/** Go's truth: not the zero value of anything. */
function isTrue(value: Value): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Text and actions in turns; `{{-` and `-}}` eat the white space beside them. */
function tokensOf(template: string): string[] {
  const parts = template.split(/\{\{(-?\s*[\s\S]*?\s*-?)\}\}/);
  for (let at = 1; at < parts.length; at += 2) {
    if (parts[at]!.startsWith("- ")) parts[at - 1] = parts[at - 1]!.trimEnd();
    if (parts[at]!.endsWith(" -")) parts[at + 1] = parts[at + 1]!.trimStart();
    parts[at] = parts[at]!.replace(/^-? ?|-?$/g, "").trim();
  }
  return parts;
}

/** At each `separator` that is neither in quotes nor in parentheses. */
function splitOutside(text: string, separator: string): string[] {
  const parts = [""];
  let depth = 0;
  let quoted = false;
  for (const sign of text) {
    if (sign === '"') quoted = !quoted;
    if (!quoted) depth += sign === "(" ? 1 : sign === ")" ? -1 : 0;
    if (sign === separator && depth === 0 && !quoted) parts.push("");
    else parts[parts.length - 1] += sign;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}
