/** Asks for all that can be reached from a root field: what a leak could show, these documents show. */
import {
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from "graphql";

/** Edges repeat nodes, and a payload's query is the query. */
const repeated = new Set(["edges", "query"]);

export type OperationKind = "query" | "mutation" | "subscription";

export function rootFields(schema: GraphQLSchema, kind: OperationKind): GraphQLField<unknown, unknown>[] {
  const roots = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  };
  return Object.values(roots[kind]?.getFields() ?? {});
}

/** A list within a list is asked for shortly, or its length squared would cost more than one operation may. */
const NESTED_PAGE = 5;

/**
 * One operation of this root field with all of its arguments as variables. Of a field that may answer with any type,
 * `only` these are asked for: all of them together are more than one document may say.
 */
export function everythingOf(
  schema: GraphQLSchema,
  kind: OperationKind,
  field: GraphQLField<unknown, unknown>,
  only?: readonly string[],
): string {
  const declared = field.args.map(({ name, type }) => `$${name}: ${type}`).join(", ");
  const passed = field.args.map(({ name }) => `${name}: $${name}`).join(", ");
  const idempotent = kind === "mutation" && takesIdempotencyKey(field) ? " @idempotent(key: $idempotencyKey)" : "";
  const key = idempotent === "" ? "" : ", $idempotencyKey: String!";
  const head = field.args.length === 0 ? "" : `(${declared}${key})`;
  const args = field.args.length === 0 ? "" : `(${passed})`;
  return `${kind} Everything${head} { ${field.name}${args}${idempotent}${selection(schema, field.type, [], only)} }`;
}

/** What moves money says in its description that it wants a key. */
export const takesIdempotencyKey = (field: GraphQLField<unknown, unknown>): boolean =>
  /@idempotent/.test(field.description ?? "");

/** Never the same type twice on one path: beyond it nothing new is found. */
function selection(
  schema: GraphQLSchema,
  type: GraphQLOutputType,
  path: readonly string[],
  only?: readonly string[],
): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return "";
  if (isAbstractType(named)) {
    const common = isInterfaceType(named)
      ? Object.values(named.getFields()).filter(({ type }) => isLeafType(getNamedType(type)))
      : [];
    const names = common.map(({ name }) => name);
    const parts = schema
      .getPossibleTypes(named)
      .filter(({ name }) => !path.includes(name) && (only === undefined || only.includes(name)))
      .map((one) => {
        const fields = fieldsOf(schema, one, [...path, one.name], {
          ambiguous: ambiguousIn(schema, named),
          without: names,
        });
        return fields === "" ? "" : `... on ${one.name} { ${fields} }`;
      });
    return ` { __typename ${names.join(" ")} ${parts.join(" ")} }`;
  }
  if (!isObjectType(named)) return "";
  return ` { __typename ${fieldsOf(schema, named, [...path, named.name])} }`;
}

/** Names that mean another type in each of its possible types: they cannot be asked for without an alias. */
function ambiguousIn(schema: GraphQLSchema, type: GraphQLAbstractType): ReadonlySet<string> {
  const types = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const one of schema.getPossibleTypes(type)) {
    for (const { name, type: fieldType } of Object.values(one.getFields())) {
      if ((types.get(name) ?? String(fieldType)) !== String(fieldType)) ambiguous.add(name);
      types.set(name, String(fieldType));
    }
  }
  return ambiguous;
}

const unambiguous = { ambiguous: new Set<string>(), without: [] };

function fieldsOf(
  schema: GraphQLSchema,
  type: GraphQLObjectType,
  path: readonly string[],
  { ambiguous, without }: { ambiguous: ReadonlySet<string>; without: readonly string[] } = unambiguous,
): string {
  return Object.values(type.getFields())
    .filter(({ name, args }) => !repeated.has(name) && !without.includes(name) && !args.some(isRequiredArgument))
    .filter(({ type }) => !path.includes(getNamedType(type).name))
    .map(({ name, args, type: fieldType }) => {
      const alias = ambiguous.has(name) ? `${type.name}_${name}: ` : "";
      const page = args.some((arg) => arg.name === "first") ? `(first: ${NESTED_PAGE})` : "";
      return `${alias}${name}${page}${selection(schema, fieldType, path)}`;
    })
    .join(" ");
}
