/** Which subscribers may share every byte: the same operation, the same variables but for the cursor, the same view. */
import { type DocumentNode, type FieldNode, Kind, type OperationDefinitionNode, visit } from "graphql";
import type { Viewer } from "../accounts/viewer";

/** The argument by which a reader says where it stands; everybody's own, and in no message. */
const CURSOR_ARGUMENT = "after";

export interface SharedInterest {
  /** Same for the same document and operation. */
  readonly key: string;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>>;
}

export function channelKey(interest: SharedInterest, viewer: Viewer | null): string {
  const own = cursorVariables(interest);
  const shared = Object.entries(interest.variables).filter(([name]) => !own.has(name));
  return JSON.stringify([interest.key, ordered(Object.fromEntries(shared)), scopeOf(viewer)]);
}

/** What of a viewer a door may look at. Two people of one organisation with the same rights see the same. */
function scopeOf(viewer: Viewer | null): unknown {
  if (viewer === null) return null;
  return [viewer.organisationId, viewer.kind, [...viewer.scopes].sort(), viewer.persistedOnly];
}

const known = new WeakMap<OperationDefinitionNode, ReadonlySet<string>>();

/** Variables that are nothing but the cursor of the stream: one that any other place reads as well changes bytes. */
function cursorVariables({ document, operation }: SharedInterest): ReadonlySet<string> {
  const found = known.get(operation);
  if (found) return found;
  const cursors = new Set<string>();
  const roots = operation.selectionSet.selections.filter((node): node is FieldNode => node.kind === Kind.FIELD);
  for (const { name, value } of roots.flatMap((root) => root.arguments ?? [])) {
    if (name.value === CURSOR_ARGUMENT && value.kind === Kind.VARIABLE) cursors.add(value.name.value);
  }
  const uses = new Map<string, number>();
  visit(document, {
    [Kind.VARIABLE_DEFINITION]: () => false,
    [Kind.VARIABLE]: ({ name }) => void uses.set(name.value, (uses.get(name.value) ?? 0) + 1),
  });
  for (const name of cursors) if (uses.get(name) !== 1) cursors.delete(name);
  known.set(operation, cursors);
  return cursors;
}

/** The same text for the same values, in whatever order a client wrote them. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, ordered(inner)]),
  );
}
