/** Who may share a channel: decided by everything that can change a byte, and by nothing else. */
import { getOperationAST, parse } from "graphql";
import type { Viewer } from "../../src/accounts/viewer";
import { channelKey } from "../../src/api/fan-out-key";
import { newId } from "../../src/platform/ids";
import { viewerOf } from "../accounts/a-world";

const organisation = newId();
const provider = viewerOf("PROVIDER", organisation, ["READ", "WRITE"]);

function keyOf(query: string, variables: Record<string, unknown> = {}, viewer: Viewer | null = provider): string {
  const document = parse(query);
  return channelKey({ key: query, document, operation: getOperationAST(document)!, variables }, viewer);
}

const breaches = "subscription ($from: String, $id: ID) { slaBreaches(after: $from, endpointId: $id) { __typename } }";

test("the cursor is everybody's own, whatever its variable is called; other variables are not", () => {
  expect(keyOf(breaches, { from: "a", id: "1" })).toBe(keyOf(breaches, { from: "b", id: "1" }));
  expect(keyOf(breaches, { from: "a", id: "1" })).toBe(keyOf(breaches, { id: "1" }));
  expect(keyOf(breaches, { from: "a", id: "1" })).not.toBe(keyOf(breaches, { from: "a", id: "2" }));
});

test("a cursor that is read at another place as well changes bytes, and is not left out", () => {
  const twice = "subscription ($at: String) { slaBreaches(after: $at) { ...on E { f(x: $at) } } }";
  expect(keyOf(twice, { at: "a" })).not.toBe(keyOf(twice, { at: "b" }));
  const inFragment = "subscription ($at: String) { slaBreaches(after: $at) { ...F } } fragment F on E { f(x: $at) }";
  expect(keyOf(inFragment, { at: "a" })).not.toBe(keyOf(inFragment, { at: "b" }));
});

test("the order in which variables were written does not matter, their nesting does", () => {
  const query = "subscription ($f: F, $g: G) { s(f: $f, g: $g) { id } }";
  expect(keyOf(query, { f: { a: 1, b: [1, 2] }, g: 2 })).toBe(keyOf(query, { g: 2, f: { b: [1, 2], a: 1 } }));
  expect(keyOf(query, { f: { b: [1, 2] } })).not.toBe(keyOf(query, { f: { b: [2, 1] } }));
  expect(keyOf(query, { f: 1 })).not.toBe(keyOf(query, { f: "1" }));
});

test("another organisation, kind, scope or restriction is another view; another key of the same is not", () => {
  const views: (Viewer | null)[] = [
    provider,
    viewerOf("PROVIDER", newId(), ["READ", "WRITE"]),
    viewerOf("OPERATOR", organisation, ["READ", "WRITE"]),
    viewerOf("PROVIDER", organisation, ["READ"]),
    { ...provider, persistedOnly: true },
    null,
  ];
  expect(new Set(views.map((viewer) => keyOf(breaches, {}, viewer))).size).toBe(views.length);
  expect(keyOf(breaches, {}, viewerOf("PROVIDER", organisation, ["WRITE", "READ"]))).toBe(keyOf(breaches));
});
