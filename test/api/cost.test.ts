/** What operations cost, by asking and by what came; and that all of our own are far from the limit. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSchema, type OperationDefinitionNode, parse } from "graphql";
import { OPERATION_COST_MAX, planCost } from "../../src/api/cost";
import { committedOperations } from "./committed-operations";

const schema = buildSchema(readFileSync(join(__dirname, "../../schema/schema.graphql"), "utf8"));

function costOf(text: string, variables: Record<string, unknown> = {}, name?: string) {
  const document = parse(text);
  const operations = document.definitions.filter(({ kind }) => kind === "OperationDefinition");
  const operation = operations.find((one) => (one as OperationDefinitionNode).name?.value === name) ?? operations[0]!;
  const plan = planCost(schema, document, operation as OperationDefinitionNode);
  return { requested: plan.requested(variables), actual: (data: unknown) => plan.actual(data) };
}

describe("the cost that is asked for", () => {
  const known: readonly (readonly [cost: number, text: string, variables?: Record<string, unknown>])[] = [
    [1, "{ __typename }"],
    [2, "{ viewer { scopes } }"],
    [3, "{ viewer { organisation { id name } } }"],
    // Without an argument a list is taken to have ten.
    [11, "{ slaTiers { code } }"],
    // One for the operation, one for the connection, one for each node.
    [52, "{ endpoints { nodes { id } } }"],
    [7, "{ endpoints(first: 5) { nodes { id } } }"],
    [7, "{ endpoints(first: 5) { edges { cursor node { id } } } }"],
    [8, "{ endpoints(first: 5) { nodes { id } pageInfo { endCursor } } }"],
    // Counting reads the whole list.
    [27, "{ endpoints(first: 5) { nodes { id } totalCount { count } } }"],
    [12, "{ endpoints(first: 5) { nodes { id } edges { node { id } } } }"],
    [7, "{ endpoints(last: 5) { nodes { id } } }"],
    [7, "query ($n: Int) { endpoints(first: $n) { nodes { id } } }", { n: 5 }],
    [7, "query ($n: Int = 50) { endpoints(last: $n) { nodes { id } } }", { n: 5 }],
    [52, "query ($n: Int) { endpoints(first: $n) { nodes { id } } }", { n: null }],
    [3, "{ endpoints(first: -5) { nodes { id } } }"],
    // Each of five endpoints: itself, its provider, ten offerings.
    [2 + 5 * 12, "{ endpoints(first: 5) { nodes { provider { id } offerings { id } } } }"],
    [
      2 + 5 * 12,
      "{ ...q } fragment q on Query { endpoints(first: 5) { ...c } } fragment c on EndpointConnection { nodes { ...e } } fragment e on Endpoint { provider { id } ... on Node { id } offerings { id } }",
    ],
    [
      2 * 6 + 1,
      "{ a: endpoints(first: 5) { ...c } b: endpoints(first: 5) { ...c } } fragment c on EndpointConnection { nodes { id } }",
    ],
    [4, "{ nodes(ids: [1, 2, 3]) { id } }"],
    [5, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", { ids: ["a", "b", "c", "d"] }],
    [1_000_000_002, "query ($n: Int) { endpoints(first: $n) { nodes { id } } }", { n: 1_000_000_000 }],
    // An act costs ten.
    [11, 'mutation { apiKeyRevoke(input: { id: "a" }) { __typename } }'],
  ];
  for (const [cost, text, variables] of known) {
    it(`${cost} for ${text} ${JSON.stringify(variables ?? {})}`, () => {
      expect(costOf(text, variables).requested).toBe(cost);
    });
  }

  it("is of the operation that is named, whatever else the document has", () => {
    const text = "query a { slaTiers { code } } query b { viewer { scopes } }";
    expect([costOf(text, {}, "a").requested, costOf(text, {}, "b").requested]).toEqual([11, 2]);
  });

  it("is measured in no time for fragments that multiply", () => {
    const fragments = Array.from(
      { length: 60 },
      (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`,
    ).join(" ");
    expect(costOf(`{ ...f0 } ${fragments} fragment f60 on Query { viewer { scopes } }`).requested).toBe(1 + 2 ** 60);
  });
});

describe("the cost of what came", () => {
  it("is that of the lists as long as they are", () => {
    const { actual } = costOf(
      "{ endpoints(first: 50) { nodes { provider { id } offerings { id } } pageInfo { endCursor } } }",
    );
    expect(actual({ endpoints: { nodes: [], pageInfo: {} } })).toBe(3);
    const node = (offerings: number) => ({ provider: {}, offerings: Array(offerings).fill({}) });
    expect(actual({ endpoints: { nodes: [node(0), node(3)], pageInfo: {} } })).toBe(3 + 2 * 2 + 3);
    expect(actual({ endpoints: null })).toBe(2);
    expect(actual(null)).toBe(1);
  });

  it("reads aliases, fragments and edges as they were answered", () => {
    const { actual } = costOf(
      "{ a: endpoints { ...c } } fragment c on EndpointConnection { edges { node { list: offerings { id } } } }",
    );
    expect(actual({ a: { edges: [{ node: { list: [{}, {}] } }, { node: { list: [{}] } }] } })).toBe(2 + 2 + 3);
  });

  it("is at most what was asked for when no list is longer", () => {
    for (const { text, variables } of committedOperations) {
      const plan = costOf(text, variables({ id: "a" }));
      expect(plan.actual({})).toBeLessThanOrEqual(plan.requested);
    }
  });
});

it("every committed operation fits, with pages of a hundred too", () => {
  for (const { name, text, variables } of committedOperations) {
    const { requested } = costOf(text, { ...variables({ id: "a" }), first: 100 });
    expect([name, requested <= OPERATION_COST_MAX / 2]).toEqual([name, true]);
  }
});
