/** Documents that are made to hurt: each is small to send, and would be large to parse, validate, execute or answer. */

export interface Attack {
  readonly name: string;
  readonly query: string;
  readonly variables?: Record<string, unknown>;
  readonly operationName?: string;
}

const times = (count: number, text: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join(" ");

/** `depth` fields below an endpoint. */
const down = (depth: number): string => (depth <= 1 ? "id" : `provider { endpoints { ${down(depth - 2)} } }`);
const nested = (open: string, leaf: string, close: string, depth: number): string =>
  open.repeat(depth) + leaf + close.repeat(depth);
const endpoints = (selection: string, page = "first: 1"): string => `endpoints(${page}) { nodes { ${selection} } }`;

const aliases: Attack[] = [
  { name: "aliases at the root", query: `{ ${times(1_000, (i) => `a${i}: slaTiers { code }`)} }` },
  { name: "aliases below", query: `{ ${endpoints(times(200, (i) => `a${i}: name`))} }` },
  { name: "aliases of one list", query: `{ ${endpoints(times(120, (i) => `a${i}: offerings { id }`))} }` },
  {
    name: "aliases in fragments",
    query: `{ ${endpoints("...a ...b ...c")} } ${["a", "b", "c"].map((f) => `fragment ${f} on Endpoint { ${times(40, (i) => `${f}${i}: name`)} }`).join(" ")}`,
  },
  { name: "many fields at the root", query: `{ ${times(51, (i) => `a${i}: pricingTiers { share }`)} }` },
  {
    name: "a fragment of many root fields",
    query: `{ ...r } fragment r on Query { ${times(51, (i) => `a${i}: __typename`)} }`,
  },
];

const duplicates: Attack[] = [
  { name: "one field many times", query: `{ slaTiers { ${times(1_000, () => "code")} } }` },
  { name: "one list many times", query: `{ ${times(300, () => endpoints("id"))} }` },
  { name: "__typename many times", query: `{ ${times(2_000, () => "__typename")} }` },
  { name: "one field in inline fragments", query: `{ slaTiers { ${times(500, () => "... { code }")} } }` },
  { name: "one field, each time deeper", query: `{ ${times(60, () => "organisations { nodes { id } }")} }` },
  {
    name: "pairs of fragments to compare",
    query: `{ slaTiers { ${times(400, (i) => `...f${i}`)} } } ${times(400, (i) => `fragment f${i} on SlaTier { code }`)}`,
  },
  {
    name: "conflicting fields",
    query: "{ organisations(first: 1) { nodes { id } } organisations(first: 2) { nodes { id } } }",
  },
  {
    name: "conflicts of every pair",
    query: `{ slaTiers { ${times(190, (i) => `...f${i}`)} } } ${times(190, (i) => `fragment f${i} on SlaTier { x: ${i % 2 ? "code" : "responseTimeMs"} }`)}`,
  },
];

const depths: Attack[] = [
  { name: "thirteen levels", query: `{ ${endpoints(down(11))} }` },
  { name: "two hundred levels", query: `{ ${endpoints(down(200))} }` },
  {
    name: "levels in fragments",
    query: `{ ${endpoints("...a")} } fragment a on Endpoint { provider { endpoints { ...b } } } fragment b on Endpoint { ${down(9)} }`,
  },
  { name: "levels in inline fragments", query: `{ ${endpoints(`... on Endpoint { ... { ${down(11)} } }`)} }` },
  { name: "a thousand inline fragments in each other", query: `{ ${nested("... {", "a: nothing", "}", 1_000)} }` },
  {
    name: "five nested lists",
    query: `{ ${endpoints("provider { endpoints { provider { endpoints { offerings { endpoint { offerings { id } } } } } } }")} }`,
  },
  {
    name: "nested lists by edges and fragments",
    query: `{ endpoints(first: 1) { edges { node { ...e } } } } fragment e on Endpoint { offerings { endpoint { ...f } } } fragment f on Endpoint { offerings { endpoint { provider { endpoints { offerings { id } } } } } }`,
  },
  {
    name: "a fragment called __schema that hides its depth",
    query: `{ ${endpoints("...__schema")} } fragment __schema on Endpoint { ${down(12)} }`,
  },
  { name: "an alias called __schema that hides its depth", query: `{ __schema: ${endpoints(down(12))} }` },
];

const fragments: Attack[] = [
  { name: "a fragment of itself", query: "{ ...a } fragment a on Query { slaTiers { code } ...a }" },
  { name: "two fragments of each other", query: "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }" },
  {
    name: "a ring of a hundred fragments",
    query: `{ ...f0 } ${times(100, (i) => `fragment f${i} on Query { ...f${(i + 1) % 100} }`)}`,
  },
  {
    name: "fragments that double eleven times",
    query: `{ ...f0 } ${times(11, (i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`)} fragment f11 on Query { slaTiers { code } }`,
  },
  {
    name: "fragments that double a hundred times",
    query: `{ ...f0 } ${times(100, (i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`)} fragment f100 on Query { slaTiers { code } }`,
  },
  {
    name: "fragments that multiply by ten in aliases",
    query: `{ ...f0 } ${times(8, (i) => `fragment f${i} on Query { ${times(10, () => `...f${i + 1}`)} }`)} fragment f8 on Query { a: slaTiers { code } }`,
  },
  {
    name: "unused fragments",
    query: `{ slaTiers { code } } ${times(500, (i) => `fragment f${i} on SlaTier { code }`)}`,
  },
  { name: "fragments on nothing", query: `{ ${times(200, (i) => `... on Nothing${i} { id }`)} }` },
];

const directives: Attack[] = [
  { name: "one directive many times", query: `{ slaTiers ${times(500, () => "@include(if: true)")} { code } }` },
  { name: "unknown directives", query: `{ slaTiers ${times(1_500, () => "@a")} { code } }` },
  { name: "a directive on every field", query: `{ slaTiers { ${times(60, (i) => `a${i}: code @skip(if: false)`)} } }` },
  { name: "directives on the operation", query: `query ${times(200, () => "@skip(if: true)")} { slaTiers { code } }` },
  {
    name: "directives in a fragment spread often",
    query: `{ slaTiers { ${times(10, () => "...f")} } } fragment f on SlaTier { code @skip(if: false) a: code @skip(if: false) b: code @skip(if: false) c: code @skip(if: false) d: code @skip(if: false) e: code @skip(if: false) }`,
  },
];

const introspection: Attack[] = [
  {
    name: "introspection in circles",
    query: `{ __schema { types { ${nested("fields { type { ", "name", "} }", 10)} } } }`,
  },
  {
    name: "introspection of what wraps what",
    query: `{ __schema { types { ${nested("possibleTypes { interfaces { ", "name", "} }", 8)} } } }`,
  },
  {
    name: "introspection by aliases",
    query: `{ ${times(60, (i) => `a${i}: __schema { types { fields { name } } }`)} }`,
  },
  {
    name: "introspection in circles of fragments",
    query: `{ __schema { types { ...t } } } fragment t on __Type { fields { type { ...u } } } fragment u on __Type { fields { type { ...v } } } fragment v on __Type { fields { type { ofType { fields { name } } } } }`,
  },
];

const costs: Attack[] = [
  { name: "a page beyond counting", query: `{ ${endpoints("id", "first: 2147483647")} }` },
  {
    name: "a page beyond counting, as a variable",
    query: `query ($n: Int) { ${endpoints("id", "first: $n")} }`,
    variables: { n: 2_147_483_647 },
  },
  {
    name: "the last page beyond counting",
    query: `query ($n: Int) { ${endpoints("id", "last: $n")} }`,
    variables: { n: 999_999_999 },
  },
  {
    name: "pages in lists in lists",
    query: `{ ${endpoints("provider { endpoints { offerings { endpoint { offerings { endpoint { id } } } } } }", "first: 100")} }`,
  },
  {
    name: "large pages many times",
    query: `{ ${times(50, (i) => `a${i}: ${endpoints("provider { id } offerings { id }", "first: 100")}`)} }`,
  },
  {
    name: "large pages in a fragment",
    query: `{ ${times(20, (i) => `a${i}: endpoints(first: 100) { ...c }`)} } fragment c on EndpointConnection { nodes { offerings { endpoint { id } } } }`,
  },
  {
    name: "thousands of ids",
    query: "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Endpoint { provider { id } offerings { id } } } }",
    variables: { ids: Array.from({ length: 3_000 }, (_, i) => String(i)) },
  },
];

const forms: Attack[] = [
  { name: "a flood of names", query: `{ ${"a ".repeat(20_000)} }` },
  { name: "a flood of braces", query: "{ a ".repeat(10_000) },
  { name: "a flood of brackets in a value", query: `{ node(id: ${nested("[", "1", "]", 2_400)}) { id } }` },
  { name: "a flood of braces in a value", query: `{ node(id: ${nested("{ a: ", "1", "}", 1_000)}) { id } }` },
  {
    name: "a flood of brackets in a type",
    query: `query ($a: ${nested("[", "Int", "]", 2_000)}) { slaTiers { code } }`,
  },
  { name: "a flood of variables", query: `query (${times(900, (i) => `$v${i}: Int`)}) { slaTiers { code } }` },
  { name: "a flood of operations", query: times(400, (i) => `query q${i} { slaTiers { code } }`) },
  {
    name: "a huge string for an enum",
    query: `{ organisations(filter: { kind: ${"A".repeat(50_000)} }) { nodes { id } } }`,
  },
  { name: "a huge string for a number", query: `{ ${endpoints("id", `first: "${"9".repeat(50_000)}"`)} }` },
  { name: "a number of fifty thousand digits", query: `{ ${endpoints("id", `first: ${"9".repeat(50_000)}`)} }` },
  {
    name: "a huge variable for a number",
    query: `query ($n: Int) { ${endpoints("id", "first: $n")} }`,
    variables: { n: "9".repeat(50_000) },
  },
  { name: "a huge name", query: `{ ${"a".repeat(50_000)} }` },
  { name: "an open string", query: `{ node(id: "${"x".repeat(50_000)}` },
  { name: "an open block string", query: `{ node(id: """${"\n".repeat(25_000)}` },
  { name: "a character that is none", query: '{ node(id: "\\u{110000}") { id } }' },
  { name: "nothing but a comment", query: `# ${"x".repeat(50_000)}` },
  { name: "a schema of its own", query: `{ slaTiers { code } } ${times(100, (i) => `type T${i} { a: T${i} }`)}` },
  { name: "a thousand unknown fields", query: `{ ${times(1_000, (i) => `nothing${i}`)} }` },
  { name: "a thousand unknown arguments", query: `{ slaTiers(${times(1_000, (i) => `a${i}: 1`)}) { code } }` },
  { name: "an operation that is not there", query: "query a { slaTiers { code } }", operationName: "b" },
  { name: "an undefined variable", query: `{ ${endpoints("id", "first: $n")} }` },
  {
    name: "both sides of a @oneOf",
    query: "query ($by: RoutingDecisionSelector!) { routingDecision(by: $by) { id } }",
    variables: { by: { id: "1", requestId: "2" } },
  },
  {
    name: "neither side of a @oneOf",
    query: "query ($by: RoutingDecisionSelector!) { routingDecision(by: $by) { id } }",
    variables: { by: {} },
  },
  {
    name: "a variable as deep as the sea",
    query: `query ($n: Int) { ${endpoints("id", "first: $n")} }`,
    variables: { n: JSON.parse(nested('{"a":', "1", "}", 1_000)) as unknown },
  },
  {
    name: "a subscription of many streams",
    query: `subscription { ${times(20, (i) => `a${i}: creditBalanceChanges { __typename }`)} }`,
  },
];

export const attacks: readonly Attack[] = [
  ...aliases,
  ...duplicates,
  ...depths,
  ...fragments,
  ...directives,
  ...introspection,
  ...costs,
  ...forms,
];
