/** The contract as pages to read: what each operation takes and answers, every word linked to where it is explained. */
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  isSpecifiedDirective,
  isSpecifiedScalarType,
  isUnionType,
} from "graphql";

type Described = { readonly name: string; readonly description?: string | null | undefined };
type Typed = Described & {
  readonly type: GraphQLInputType | GraphQLOutputType;
  readonly deprecationReason?: string | null | undefined;
};

const GENERATED = "<!-- Written from schema/schema.graphql by `npm run schema:docs`; do not edit. -->";

/** File name → Markdown. */
export function schemaReference(text: string): ReadonlyMap<string, string> {
  const schema = buildSchema(text);
  const roots = new Set<GraphQLNamedType | null | undefined>([
    schema.getQueryType(),
    schema.getMutationType(),
    schema.getSubscriptionType(),
  ]);
  const types = Object.values(schema.getTypeMap())
    .filter((type) => !type.name.startsWith("__") && !isSpecifiedScalarType(type) && !roots.has(type))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const sections = new Map<string, string[]>([
    ["queries.md", operations(schema, schema.getQueryType())],
    ["mutations.md", operations(schema, schema.getMutationType())],
    ["subscriptions.md", operations(schema, schema.getSubscriptionType())],
    ["types.md", types.filter((type) => pageOf(type) === "types.md").map((type) => section(schema, type))],
    ["inputs.md", types.filter(isInputObjectType).map((type) => section(schema, type))],
    ["enums.md", types.filter(isEnumType).map((type) => section(schema, type))],
    ["scalars.md", types.filter(isScalarType).map((type) => section(schema, type))],
    ["directives.md", directives(schema)],
  ]);
  const pages = [...sections].map(([name, found]): [string, string] => [name, page(title(name), found)]);
  const contents = [...sections].map(([name, found]) => `| [${title(name)}](${name}) | ${found.length} |`);
  return new Map([["README.md", page("The schema", ["| page | entries |\n|---|---|", ...contents], "\n")], ...pages]);
}

const title = (name: string): string => name[0]!.toUpperCase() + name.slice(1, -".md".length);

const page = (heading: string, blocks: readonly string[], between = "\n\n"): string =>
  `${GENERATED}\n\n# ${heading}\n\n${blocks.join(between)}\n`;

function pageOf(type: GraphQLNamedType): string {
  if (isInputObjectType(type)) return "inputs.md";
  if (isEnumType(type)) return "enums.md";
  return isScalarType(type) ? "scalars.md" : "types.md";
}

function operations(schema: GraphQLSchema, root: GraphQLObjectType | null | undefined): string[] {
  return Object.values(root?.getFields() ?? {}).map((field) => operation(schema, field));
}

function operation(schema: GraphQLSchema, field: GraphQLField<unknown, unknown>): string {
  const answers = `Answers ${link(schema, field.type)}.`;
  return blocks(`## ${field.name}`, about(field), answers, table("argument", schema, field.args));
}

function section(schema: GraphQLSchema, type: GraphQLNamedType): string {
  return blocks(`## ${type.name}`, about(type), ...bodyOf(schema, type));
}

function bodyOf(schema: GraphQLSchema, type: GraphQLNamedType): string[] {
  const links = (found: readonly GraphQLNamedType[]) => found.map((one) => link(schema, one)).join(", ");
  if (isScalarType(type)) return type.specifiedByURL ? [`Specified by <${type.specifiedByURL}>.`] : [];
  if (isUnionType(type)) return [`One of ${links(type.getTypes())}.`];
  if (isEnumType(type)) {
    const rows = type.getValues().map((value) => row(`\`${value.name}\``, about(value)));
    return [["| value | |\n|---|---|", ...rows].join("\n")];
  }
  if (isInputObjectType(type)) {
    const given = type.isOneOf ? ["Exactly one field is given."] : [];
    return [...given, table("field", schema, Object.values(type.getFields()))];
  }
  const fields = table("field", schema, Object.values(type.getFields()));
  if (isInterfaceType(type)) return [`Implemented by ${links(schema.getImplementations(type).objects)}.`, fields];
  const faces = isObjectType(type) ? type.getInterfaces() : [];
  return [faces.length > 0 ? `Implements ${links(faces)}.` : "", fields];
}

function directives(schema: GraphQLSchema): string[] {
  return schema
    .getDirectives()
    .filter((directive) => !isSpecifiedDirective(directive))
    .map((directive) => {
      const places = `On ${directive.locations.map((place) => `\`${place}\``).join(", ")}.`;
      return blocks(`## @${directive.name}`, about(directive), places, table("argument", schema, directive.args));
    });
}

function table(heading: string, schema: GraphQLSchema, items: readonly (Typed | GraphQLArgument)[]): string {
  if (items.length === 0) return "";
  const rows = items.map((item) => row(`\`${item.name}\``, link(schema, item.type), about(item)));
  return [`| ${heading} | type | |\n|---|---|---|`, ...rows].join("\n");
}

/** The type as it is written, its name leading to its section. */
function link(schema: GraphQLSchema, type: GraphQLInputType | GraphQLOutputType): string {
  const named = getNamedType(type);
  const written = String(type).replace(/[[\]]/g, "\\$&");
  if (isSpecifiedScalarType(named)) return written;
  const target = named === schema.getQueryType() ? "queries.md" : `${pageOf(named)}#${named.name.toLowerCase()}`;
  return written.replace(named.name, `[${named.name}](${target})`);
}

function about(item: Described & { readonly deprecationReason?: string | null | undefined }): string {
  const description = (item.description ?? "").replace(/\s*\n\s*/g, " ").trim();
  return item.deprecationReason ? `**Deprecated:** ${item.deprecationReason} ${description}` : description;
}

const blocks = (...parts: readonly string[]): string => parts.filter(Boolean).join("\n\n");
const row = (...cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
