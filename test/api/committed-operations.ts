/** Every operation that is committed under codegen/operations, with variables that fit it, made up from the schema. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  buildSchema,
  type FragmentDefinitionNode,
  type GraphQLInputType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  typeFromAST,
} from "graphql";

export interface CommittedOperation {
  readonly name: string;
  readonly kind: "query" | "mutation" | "subscription";
  /** With the fragments that it uses. */
  readonly text: string;
  variables(ids: SampleIds): Record<string, unknown>;
}

/** Ids to be put where an input's field or an argument has this name. */
export type SampleIds = Readonly<Record<string, string>>;

const root = join(__dirname, "../..");
const directory = join(root, "codegen/operations");
const schema = buildSchema(readFileSync(join(root, "schema/schema.graphql"), "utf8"));

const definitions = readdirSync(directory).flatMap(
  (file) => parse(readFileSync(join(directory, file), "utf8")).definitions,
);
const fragments = new Map(
  definitions
    .filter((definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION)
    .map((fragment) => [fragment.name.value, print(fragment)]),
);

export const committedOperations: readonly CommittedOperation[] = definitions
  .filter((definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION)
  .map((operation) => ({
    name: operation.name!.value,
    kind: operation.operation,
    text: withFragments(print(operation)),
    variables: (ids) =>
      Object.fromEntries(
        (operation.variableDefinitions ?? []).map(({ variable, type }) => [
          variable.name.value,
          sample(typeFromAST(schema, type as never) as GraphQLInputType, variable.name.value, ids),
        ]),
      ),
  }));

function withFragments(text: string): string {
  const used = new Set<string>();
  const visit = (part: string) => {
    for (const [, name] of part.matchAll(/\.\.\.(\w+)/g)) {
      if (name === "on" || used.has(name!) || !fragments.has(name!)) continue;
      used.add(name!);
      visit(fragments.get(name!)!);
    }
  };
  visit(text);
  return [text, ...[...used].map((name) => fragments.get(name))].join("\n");
}

const scalars: Readonly<Record<string, unknown>> = {
  Int: 2,
  Float: 1.5,
  Boolean: true,
  String: "sample",
  Decimal: "1.5",
  BigInt: "1000",
  DateTime: "2026-01-31T12:00:00.000Z",
  Duration: "PT1H",
  EmailAddress: "ada@example.org",
  URL: "https://gpu.example/v1",
  YearMonth: "2026-01",
};

/** Null where it may be, but for ids that are known by their name. */
function sample(type: GraphQLInputType, name: string, ids: SampleIds): unknown {
  if (!isNonNullType(type)) return ids[name] ?? null;
  const inner = type.ofType;
  if (isListType(inner)) return [sample(inner.ofType, name.replace(/s$/, ""), ids)];
  if (isEnumType(inner)) return inner.getValues()[0]!.name;
  if (isInputObjectType(inner)) {
    const fields = Object.values(inner.getFields());
    if (inner.isOneOf) {
      const field = fields.find((candidate) => ids[candidate.name] !== undefined) ?? fields[0]!;
      return { [field.name]: ids[field.name] ?? "sample" };
    }
    return Object.fromEntries(fields.map((field) => [field.name, sample(field.type, field.name, ids)]));
  }
  if (inner.name === "ID") return ids[name] ?? ids.id;
  return scalars[inner.name];
}
