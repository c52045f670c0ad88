/** Compiled execution against graphql-js: same data, same errors, on documents made to tell them apart. */
import { buildSchema, type ExecutionResult, execute, type GraphQLSchema, parse } from "graphql";
import type { Context } from "../../src/api/context";
import { runner } from "../../src/api/execute";

const schema = buildSchema(/* GraphQL */ `
  interface Named { name: String }
  type Cat implements Named { name: String lives: Int! friend: Pet friends: [Pet!] }
  type Dog implements Named { name: String barks: Boolean! owner: Owner! }
  type Owner { name: String! pets(first: Int = 2): [Pet!]! fail: Int failHard: Int! }
  union Pet = Cat | Dog
  enum Colour { RED GREEN }
  input Range { from: Int = 1 to: Int! }
  input Selector @oneOf { id: ID slug: String }
  type Query {
    owner: Owner
    strict: Owner!
    pets: [Pet!]!
    named: [Named]
    broken: [Owner]
    nulls: [Int!]
    echo(text: String, number: Int, float: Float, colour: Colour = RED, range: Range, list: [Int!], flag: Boolean): String
    select(by: Selector!): String
    matrix: [[Int!]!]
    wrongType: Pet
    later: String
    promised: [String]
  }
  type Mutation { first(n: Int!): Int second(n: Int!): Int fails: Int }
`);

const cat = { __typename: "Cat", name: "Tom", lives: 9, friend: null, friends: [] as unknown[] };
const owner = {
  name: "Ada",
  pets: ({ first }: { first: number }) => [cat, { __typename: "Dog", name: "Rex", barks: true }].slice(0, first),
};
const log: string[] = [];

function resolve(type: string, field: string, resolver: (...args: never[]) => unknown) {
  const object = schema.getType(type) as { getFields(): Record<string, { resolve?: unknown }> } | undefined;
  object!.getFields()[field]!.resolve = resolver;
}

resolve("Query", "owner", async () => owner);
resolve("Query", "strict", () => owner);
resolve("Query", "pets", async () => [cat, { __typename: "Dog", name: "Rex", barks: true }, { ...cat, name: null }]);
resolve("Query", "named", () => [cat, null, { __typename: "Dog", name: "Rex", barks: false }]);
resolve("Query", "broken", () => [owner, null, { name: null }, owner]);
resolve("Query", "nulls", () => [1, null, 3]);
resolve("Query", "echo", (_root: never, args: object) => JSON.stringify(Object.entries(args).sort()));
resolve("Query", "select", (_root: never, args: never) => JSON.stringify(args));
resolve("Query", "matrix", () => [[1, 2], [], [3]]);
resolve("Query", "wrongType", () => ({ __typename: "Owner", name: "no pet" }));
resolve("Query", "later", () => new Promise((done) => setImmediate(done, "later")));
resolve("Query", "promised", () => [Promise.resolve("a"), "b", Promise.reject(new Error("no c"))]);
resolve("Owner", "pets", (root: never, args: never) => (root as typeof owner).pets(args));
resolve("Owner", "fail", async () => {
  throw new Error("failed");
});
resolve("Owner", "failHard", () => {
  throw new Error("failed hard");
});
resolve("Dog", "owner", async () => owner);
resolve("Mutation", "first", async (_root: never, { n }: { n: number }) => {
  await new Promise(setImmediate);
  log.push(`first ${n}`);
  return n;
});
resolve("Mutation", "second", (_root: never, { n }: { n: number }) => {
  log.push(`second ${n}`);
  return n;
});
resolve("Mutation", "fails", () => {
  throw new Error("not done");
});

const documents: readonly (readonly [text: string, variables?: Record<string, unknown>])[] = [
  ["{ owner { name } }"],
  ["{ a: owner { n: name } b: owner { name n: name } }"],
  ["{ owner { name } owner { pets { __typename } } }"],
  ["{ pets { __typename ... on Cat { name lives } ... on Dog { name barks owner { name } } } }"],
  ["{ named { __typename name ... on Cat { lives } } }"],
  ["query { pets { ...p } } fragment p on Pet { ... on Named { name } ...c } fragment c on Cat { lives }"],
  [
    "{ __typename owner { __typename } ...q } fragment q on Query { owner { name ...o } } fragment o on Owner { n: name }",
  ],
  ["{ owner { name fail } }"],
  ["{ owner { name failHard } later }"],
  ["{ strict { name failHard } later }"],
  ["{ strict { fail } }"],
  ["{ broken { name } }"],
  ["{ broken { name fail } }"],
  ["{ nulls }"],
  ["{ matrix }"],
  ["{ wrongType { __typename } later }"],
  ["{ promised }"],
  ["{ later }"],
  ["{ owner { pets(first: 1) { ... on Cat { friends { __typename } friend { __typename } } } } }"],
  ["query ($n: Int) { owner { pets(first: $n) { __typename } } }", {}],
  ["query ($n: Int = 1) { owner { pets(first: $n) { __typename } } }", {}],
  ["query ($n: Int) { owner { pets(first: $n) { __typename } } }", { n: 1 }],
  ['{ echo(text: "a \\"quoted\\" \\u2028 text", number: 3) }'],
  ["{ echo(number: 3, float: 2, colour: GREEN, list: [1, 2], flag: true) }"],
  ["{ echo(list: 1, range: { to: 4 }) }"],
  ["{ echo(text: null) }"],
  ["query ($text: String) { echo(text: $text) }", {}],
  ["query ($text: String) { echo(text: $text) }", { text: null }],
  ['query ($text: String = "default") { echo(text: $text) }', {}],
  ["query ($range: Range) { echo(range: $range) }", { range: { to: 5 } }],
  ["query ($to: Int!) { echo(range: { from: 2, to: $to }) }", { to: 7 }],
  ["query ($from: Int, $to: Int!) { echo(range: { from: $from, to: $to }) }", { to: 7 }],
  ["query ($list: [Int!]) { echo(list: $list) }", { list: 4 }],
  ["query ($c: Colour) { echo(colour: $c) }", { c: "GREEN" }],
  ["query ($c: Colour) { echo(colour: $c) }", {}],
  ["query ($by: Selector!) { select(by: $by) }", { by: { slug: "x" } }],
  ['{ select(by: { id: "1" }) }'],
  ["query ($id: ID!) { select(by: { id: $id }) }", { id: "1" }],
  ["query ($on: Boolean!) { owner { name @include(if: $on) pets @skip(if: $on) { __typename } } }", { on: true }],
  ["query ($on: Boolean!) { owner { name @include(if: $on) pets @skip(if: $on) { __typename } } }", { on: false }],
  [
    "query ($on: Boolean!) { owner { ...f @include(if: $on) } strict { ...f } } fragment f on Owner { name }",
    { on: false },
  ],
  [
    "query ($on: Boolean!) { strict { ...f } owner { ...f @skip(if: $on) } } fragment f on Owner { name }",
    { on: true },
  ],
  ["{ owner { name @skip(if: true) n: name @include(if: false) } later }"],
  ["mutation { a: first(n: 1) b: second(n: 2) c: first(n: 3) }"],
  ["mutation { first(n: 1) fails second(n: 2) }"],
  ["mutation ($n: Int!) { first(n: $n) }", { n: 5 }],
];

const context = {} as Context;

async function executed(text: string, variables: Record<string, unknown>) {
  log.length = 0;
  const document = parse(text);
  const result = await execute({ schema, document, variableValues: variables, contextValue: context });
  return { result: comparable(result), log: [...log] };
}

/** The third time, so that it is compiled if it ever is. */
async function compiled(of: GraphQLSchema, text: string, variables: Record<string, unknown>) {
  const document = parse(text);
  const operation = document.definitions.find((definition) => definition.kind === "OperationDefinition")!;
  const run = runner(of, document, operation, text);
  await run(undefined, context, variables);
  await run(undefined, context, variables);
  log.length = 0;
  const result = await run(undefined, context, variables);
  return { result: comparable(result), log: [...log] };
}

/**
 * The order in which fields fail is nobody's promise; nor is whether a field that fails is told of when another one has
 * already made its parent null.
 */
const comparable = ({ data, errors = [] }: ExecutionResult) => ({
  text: JSON.stringify(data),
  errors: errors
    .filter(({ path, message }) => message.startsWith("Cannot return null") || parentOf(data, path ?? []) !== null)
    .map(({ message, path, locations, extensions }) => JSON.stringify({ message, path, locations, extensions }))
    .sort(),
});

function parentOf(data: unknown, path: readonly (string | number)[]): unknown {
  let value = data;
  for (const key of path.slice(0, -1)) value = (value as Record<string, unknown> | null | undefined)?.[key] ?? null;
  return value;
}

describe("is answered as graphql-js answers it:", () => {
  for (const [text, variables = {}] of documents) {
    it(`${text} ${JSON.stringify(variables)}`, async () => {
      expect(await compiled(schema, text, variables)).toEqual(await executed(text, variables));
    });
  }
});

it("runs no string of a document as code", async () => {
  const magic = "__MAGIC_DATE__33a9e76d_02e0_4128_8e92_3530ad3da74d(globalThis.pwned = true, 0)";
  for (const text of [`{ echo(text: "${magic}") }`, `{ echo(text: "${magic.replace("_", "\\u005f")}") }`]) {
    const { result } = await compiled(schema, text, {});
    expect(result.errors).toEqual([]);
    expect(result.text).toContain("__MAGIC_DATE__");
  }
  const { result } = await compiled(schema, "query ($text: String) { echo(text: $text) }", { text: magic });
  expect(result.text).toContain("__MAGIC_DATE__");
  expect(globalThis).not.toHaveProperty("pwned");
});
