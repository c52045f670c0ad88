/** What one document may ask for, the same over HTTP, WebSocket and SSE. Counts follow fragments wherever they are spread. */
import {
  type ASTVisitor,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLNamedType,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type ParseOptions,
  type SelectionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from "graphql";
import { idempotentOnlyWhereKept } from "./idempotency";

/** graphql/golden-path's defaults, where it has one. */
const TOKENS_MAX = 5_000;
export const VALIDATION_ERRORS_MAX = 20;
const VALIDATION_MS_MAX = 250;
/** Of brackets in brackets, of whatever kind: graphql-js goes down by calling itself. */
const NESTING_MAX = 100;
const OPERATIONS_MAX = 50;
const VARIABLES_MAX = 100;
/** Pairs of fragments in one selection are compared with each other. */
const FRAGMENTS_MAX = 200;
/** Fields of one name in one selection are compared with each other. */
const SAME_NAME_MAX = 20;

/** Per operation. Our largest own document has some 60 fields, 7 levels, 2 nested lists. */
const limits = {
  depth: { max: 12, says: (n: number, max: number) => `is ${n} levels deep; at most ${max} are allowed` },
  /** A connection is one list, by its edges or its nodes. */
  listDepth: { max: 4, says: (n: number, max: number) => `nests ${n} lists; at most ${max} are allowed` },
  selections: { max: 2_000, says: (n: number, max: number) => `selects ${n} fields; at most ${max} are allowed` },
  aliases: { max: 100, says: (n: number, max: number) => `has ${n} aliases; at most ${max} are allowed` },
  directives: { max: 50, says: (n: number, max: number) => `has ${n} directives; at most ${max} are allowed` },
} as const;
const ROOT_FIELDS_MAX = 50;

export const parseOptions: ParseOptions = { maxTokens: TOKENS_MAX };

/** What no bracket of counts in, and the brackets. */
const BRACKETS = /"""(?:\\"""|[\s\S])*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?|#[^\n]*|[{[(]|[}\])]/g;

/** Errors: GraphQLError, before anything is parsed. */
export function checkNesting(text: string): void {
  let depth = 0;
  for (const [token] of text.matchAll(BRACKETS)) {
    if (token === "{" || token === "[" || token === "(") depth += 1;
    else if (token === "}" || token === "]" || token === ")") depth -= 1;
    if (depth > NESTING_MAX) throw new GraphQLError(`Brackets are nested more than ${NESTING_MAX} levels deep.`);
  }
}

type Size = Record<keyof typeof limits | "fields", number>;

const nothing: Readonly<Size> = { depth: 0, listDepth: 0, selections: 0, aliases: 0, directives: 0, fields: 0 };

/** Introspection has a depth of its own (graphql-js limits its recursion); by the field's name, never by a fragment's. */
const introspection = new Set(["__schema", "__type"]);

/** The size of a selection below its parent type, each fragment measured once. */
function measurer(context: ValidationContext) {
  const schema = context.getSchema();
  const measured = new Map<FragmentDefinitionNode, Readonly<Size>>();

  const ofFragment = (name: string): Readonly<Size> => {
    const fragment = context.getFragment(name);
    if (!fragment) return nothing;
    const known = measured.get(fragment);
    if (known) return known;
    // A cycle comes back here before the fragment is measured; another rule reports it.
    measured.set(fragment, nothing);
    const size = ofSet(fragment.selectionSet, schema.getType(fragment.typeCondition.name.value));
    measured.set(fragment, size);
    return size;
  };

  const ofField = (node: SelectionNode & { kind: Kind.FIELD }, parent: GraphQLNamedType | undefined): Size => {
    const field =
      isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[node.name.value]?.type : undefined;
    const below = node.selectionSet ? ofSet(node.selectionSet, field && getNamedType(field)) : nothing;
    const nullable = isNonNullType(field) ? field.ofType : field;
    const isList = isListType(nullable) && isCompositeType(getNamedType(nullable));
    const introspects = introspection.has(node.name.value);
    return {
      depth: introspects ? 1 : below.depth + 1,
      listDepth: introspects ? 0 : below.listDepth + (isList ? 1 : 0),
      selections: below.selections + 1,
      aliases: below.aliases + (node.alias ? 1 : 0),
      directives: below.directives,
      fields: 1,
    };
  };

  const ofSet = (set: SelectionSetNode, parent: GraphQLNamedType | undefined): Size => {
    const total = { ...nothing };
    for (const node of set.selections) {
      let size: Readonly<Size>;
      if (node.kind === Kind.FIELD) size = ofField(node, parent);
      else if (node.kind === Kind.FRAGMENT_SPREAD) size = ofFragment(node.name.value);
      else size = ofSet(node.selectionSet, node.typeCondition ? schema.getType(node.typeCondition.name.value) : parent);
      total.depth = Math.max(total.depth, size.depth);
      total.listDepth = Math.max(total.listDepth, size.listDepth);
      total.selections += size.selections;
      total.aliases += size.aliases;
      total.directives += size.directives + (node.directives?.length ?? 0);
      total.fields += size.fields;
    }
    return total;
  };

  return (operation: OperationDefinitionNode): Size => {
    const size = ofSet(operation.selectionSet, schema.getRootType(operation.operation) ?? undefined);
    return { ...size, directives: size.directives + (operation.directives?.length ?? 0) };
  };
}

function withinLimits(context: ValidationContext): ASTVisitor {
  const measure = measurer(context);
  return {
    OperationDefinition(operation) {
      const size = measure(operation);
      const refuse = (what: string) =>
        context.reportError(new GraphQLError(`The operation ${what}.`, { nodes: [operation] }));
      for (const name of Object.keys(limits) as (keyof typeof limits)[]) {
        const { max, says } = limits[name];
        if (size[name] > max) refuse(says(size[name], max));
      }
      const variables = operation.variableDefinitions?.length ?? 0;
      if (variables > VARIABLES_MAX) refuse(`has ${variables} variables; at most ${VARIABLES_MAX} are allowed`);
      if (size.fields > ROOT_FIELDS_MAX)
        refuse(`has ${size.fields} fields at its root; at most ${ROOT_FIELDS_MAX} are allowed`);
    },
  };
}

/** Bounds what is done for each operation, and what "can these fields be merged?" has to compare. */
function boundedDocument(context: ValidationContext): ASTVisitor {
  const ofName = (set: SelectionSetNode, counts: Map<string, number>) => {
    for (const node of set.selections) {
      if (node.kind === Kind.INLINE_FRAGMENT) ofName(node.selectionSet, counts);
      if (node.kind !== Kind.FIELD) continue;
      const name = node.alias?.value ?? node.name.value;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  };
  return {
    Document({ definitions }) {
      const atMost = (max: number, kind: Kind, words: string) => {
        const count = definitions.filter((definition) => definition.kind === kind).length;
        if (count <= max) return;
        context.reportError(new GraphQLError(`The document has ${count} ${words}; at most ${max} are allowed.`));
      };
      atMost(OPERATIONS_MAX, Kind.OPERATION_DEFINITION, "operations");
      atMost(FRAGMENTS_MAX, Kind.FRAGMENT_DEFINITION, "fragments");
    },
    SelectionSet(set) {
      for (const [name, count] of ofName(set, new Map())) {
        if (count <= SAME_NAME_MAX) continue;
        context.reportError(
          new GraphQLError(`${name} is selected ${count} times at one place; at most ${SAME_NAME_MAX} are allowed.`, {
            nodes: [set],
          }),
        );
      }
    },
  };
}

/**
 * Throws when validation has run for too long: whatever rule is slow, the next request shall not wait for it. What is counted
 * is our own time: the judgement is remembered, and that the machine did something else for a while is not the document's fault.
 */
function inTime(): ASTVisitor {
  const end = performance.now() + VALIDATION_MS_MAX;
  const began = process.cpuUsage();
  return {
    enter() {
      if (performance.now() <= end) return;
      const { user, system } = process.cpuUsage(began);
      if (user + system > VALIDATION_MS_MAX * 1_000) throw new GraphQLError("The document takes too long to validate.");
    },
  };
}

/** Run before all others, since they bound the work of those. */
export const limitRules: readonly ValidationRule[] = [withinLimits, boundedDocument];

export const ownRules: readonly ValidationRule[] = [inTime, idempotentOnlyWhereKept];
