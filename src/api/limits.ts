/** What one document may ask for, the same over HTTP and WebSocket. Counts follow fragments wherever they are spread. */
import {
  type ASTVisitor,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type ParseOptions,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from "graphql";
import { idempotentOnlyWhereKept } from "./idempotency";

/** graphql/golden-path's defaults. */
const DEPTH_MAX = 12;
const TOKENS_MAX = 5_000;
export const VALIDATION_ERRORS_MAX = 20;
/** Fields after spreading all fragments: our largest own document has some 60. */
const SELECTIONS_MAX = 2_000;

export const parseOptions: ParseOptions = { maxTokens: TOKENS_MAX };

interface Size {
  depth: number;
  selections: number;
}

/** Introspection has a depth of its own (graphql-js limits its recursion); by the field's name, never by a fragment's. */
const introspection = new Set(["__schema", "__type"]);

function withinLimits(context: ValidationContext): ASTVisitor {
  const measured = new Map<FragmentDefinitionNode, Size>();
  const ofFragment = (name: string): Size => {
    const fragment = context.getFragment(name);
    if (!fragment) return { depth: 0, selections: 0 };
    const known = measured.get(fragment);
    if (known) return known;
    // A cycle comes back here before the fragment is measured; another rule reports it.
    measured.set(fragment, { depth: 0, selections: 0 });
    const size = ofSet(fragment.selectionSet);
    measured.set(fragment, size);
    return size;
  };
  const ofSet = (set: SelectionSetNode): Size => {
    const total: Size = { depth: 0, selections: 0 };
    for (const node of set.selections) {
      const isField = node.kind === Kind.FIELD;
      const below =
        node.kind === Kind.FRAGMENT_SPREAD
          ? ofFragment(node.name.value)
          : node.selectionSet
            ? ofSet(node.selectionSet)
            : { depth: 0, selections: 0 };
      const depth = isField ? (introspection.has(node.name.value) ? 1 : below.depth + 1) : below.depth;
      total.depth = Math.max(total.depth, depth);
      total.selections += below.selections + (isField ? 1 : 0);
    }
    return total;
  };
  return {
    OperationDefinition(operation) {
      const { depth, selections } = ofSet(operation.selectionSet);
      if (depth > DEPTH_MAX) refuse(`The operation is ${depth} levels deep; at most ${DEPTH_MAX} are allowed.`);
      if (selections > SELECTIONS_MAX)
        refuse(`The operation selects ${selections} fields; at most ${SELECTIONS_MAX} are allowed.`);
      function refuse(message: string) {
        context.reportError(new GraphQLError(message, { nodes: [operation] }));
      }
    },
  };
}

export const ownRules: readonly ValidationRule[] = [withinLimits, idempotentOnlyWhereKept];
