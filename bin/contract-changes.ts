/** What a new contract does to clients of the released one: what would break them, and what may surprise them. */
import { type Change, CriticalityLevel, DiffRule, diff } from "@graphql-inspector/core";
import { buildSchema, type ConstDirectiveNode, type DirectiveNode, Kind, parse, print, visit } from "graphql";

export interface ContractChanges {
  /** Clients that work today would fail. */
  readonly breaking: readonly string[];
  /** Clients may meet what they have not seen, e.g. a new enum value. */
  readonly dangerous: readonly string[];
}

/** `today` is `YYYY-MM-DD`. What was deprecated with a date that has come may be gone; all else that is gone breaks somebody. */
export async function contractChanges(released: string, current: string, today: string): Promise<ContractChanges> {
  const newSchema = buildSchema(current);
  const oldSchema = buildSchema(withoutOverdue(released, coordinates(current), today));
  // A type that only overdue fields led to may go with them.
  const changes = await diff(oldSchema, newSchema, [DiffRule.safeUnreachable]);
  const told = (wanted: (change: Change) => boolean) => changes.filter(wanted).map(sentence).toSorted();
  return {
    breaking: told(isBreaking),
    dangerous: told((change) => change.criticality.level === CriticalityLevel.Dangerous && !isBreaking(change)),
  };
}

/** A removal is one even if it was announced: before its date somebody may still rely on it. */
const isBreaking = (change: Change): boolean =>
  change.criticality.level === CriticalityLevel.Breaking ||
  (change.criticality.level === CriticalityLevel.Dangerous && /_REMOVED$/.test(change.type) && wasDeprecated(change));

const wasDeprecated = ({ meta }: Change): boolean =>
  Object.entries(meta as Record<string, unknown>).some(
    ([key, value]) => /^is.*Deprecated$/.test(key) && value === true,
  );

function sentence(change: Change): string {
  const text = change.message.replace(/\.?$/, "");
  return isBreaking(change) && wasDeprecated(change) ? `${text}: its date has not come` : text;
}

/** The first date in the reason of a `@deprecated`: "… Remove after 2027-06-01". */
function removalDate(directives: readonly (DirectiveNode | ConstDirectiveNode)[] | undefined): string | null {
  const deprecated = directives?.find(({ name }) => name.value === "deprecated");
  const reason = deprecated?.arguments?.find(({ name }) => name.value === "reason")?.value;
  return reason?.kind === Kind.STRING ? (/\b\d{4}-\d{2}-\d{2}\b/.exec(reason.value)?.[0] ?? null) : null;
}

/** The released text without what is gone from `kept` and was announced to go before today. */
function withoutOverdue(released: string, kept: ReadonlySet<string>, today: string): string {
  const drop = walk((coordinate, directives) => {
    const date = removalDate(directives);
    return !kept.has(coordinate) && date !== null && date < today;
  });
  return print(visit(parse(released), drop));
}

function coordinates(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  visit(
    parse(text),
    walk((coordinate) => {
      found.add(coordinate);
      return false;
    }),
  );
  return found;
}

/** Visits fields, arguments, input fields and enum values by their coordinate, e.g. `Query.nodes.ids`; true drops them. */
function walk(drops: (coordinate: string, directives: readonly ConstDirectiveNode[] | undefined) => boolean) {
  const path: string[] = [];
  const type = {
    enter: ({ name }: { name: { value: string } }) => void path.push(name.value),
    leave: () => void path.pop(),
  };
  const member = {
    enter: (node: { name: { value: string }; directives?: readonly ConstDirectiveNode[] }) => {
      if (drops([...path, node.name.value].join("."), node.directives)) return null;
      path.push(node.name.value);
      return undefined;
    },
    leave: () => void path.pop(),
  };
  return {
    ObjectTypeDefinition: type,
    InterfaceTypeDefinition: type,
    InputObjectTypeDefinition: type,
    EnumTypeDefinition: type,
    DirectiveDefinition: type,
    FieldDefinition: member,
    InputValueDefinition: member,
    EnumValueDefinition: member,
  };
}
