/** What an operation costs: one point per object, so many times as its lists are long; by asking size, then by real size. */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from "graphql";
import { PAGE_SIZE_DEFAULT } from "../platform/page";

/** Twice our largest own operation with a page of a hundred. */
export const OPERATION_COST_MAX = 25_000;
/** Even an operation without an object is a request. */
const OPERATION_COST = 1;
const MUTATION_COST = 10;
/** Counting a list reads up to ten thousand rows of an index. */
const COUNT_COST = 20;
/** Length of a list that has no argument for it. */
const LIST_LENGTH_ASSUMED = 10;

export interface CostPlan {
  /** Before execution, by `first`, `last` and `ids`. */
  requested(variables: Readonly<Record<string, unknown>>): number;
  /** After it, by the lists that came. */
  actual(data: unknown): number;
}

type Variables = Readonly<Record<string, unknown>>;

/** A selection: its own objects, and lists with what one item of each costs. */
interface Plan {
  /** Points of all objects that are in no list. */
  fixed: number;
  readonly lists: ListPlan[];
  /** Objects below which there are lists. */
  readonly objects: { readonly key: string; readonly plan: Plan; readonly sized: Sized | null }[];
}

interface ListPlan {
  readonly key: string;
  readonly item: Plan;
  /** Null: as long as the connection's page. */
  readonly sized: Sized | null;
}

/** How long a list will be, by the field's arguments. */
type Sized = (variables: Variables) => number;

export function planCost(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): CostPlan {
  const plan = planner(schema, document)(operation.selectionSet, schema.getRootType(operation.operation) ?? undefined);
  const base = operation.operation === "mutation" ? MUTATION_COST : OPERATION_COST;
  const isConstant = plan.lists.length === 0 && plan.objects.length === 0;
  return {
    requested: isConstant
      ? () => base + plan.fixed
      : (variables) => base + requestedOf(plan, variables, LIST_LENGTH_ASSUMED),
    actual: isConstant ? () => base + plan.fixed : (data) => base + actualOf(plan, data),
  };
}

function planner(schema: GraphQLSchema, document: DocumentNode) {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  const planned = new Map<string, Plan>();

  const ofFragment = (name: string): Plan => {
    const known = planned.get(name);
    if (known) return known;
    // Validation has refused cycles.
    const fragment = fragments.get(name)!;
    const plan = ofSet(fragment.selectionSet, schema.getType(fragment.typeCondition.name.value));
    planned.set(name, plan);
    return plan;
  };

  const addField = (plan: Plan, node: FieldNode, parent: GraphQLNamedType | undefined) => {
    const field = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[node.name.value] : undefined;
    if (field === undefined || !node.selectionSet) return;
    const type = getNamedType(field.type);
    if (!isCompositeType(type)) return;
    const key = node.alias?.value ?? node.name.value;
    const below = ofSet(node.selectionSet, type);
    const nullable = isNonNullType(field.type) ? field.type.ofType : field.type;
    if (isListType(nullable)) {
      // An edge is no object of its own: `edges { node }` costs what `nodes` costs.
      const item = type.name.endsWith("Edge") ? below : { ...below, fixed: below.fixed + 1 };
      plan.lists.push({ key, item, sized: isConnection(parent) ? null : lengthOf(field, node) });
      return;
    }
    plan.fixed += isConnection(parent) && node.name.value === "totalCount" ? COUNT_COST : 1;
    if (below.lists.length === 0 && below.objects.length === 0) plan.fixed += below.fixed;
    else plan.objects.push({ key, plan: below, sized: isConnection(type) ? lengthOf(field, node) : null });
  };

  const ofSet = (set: SelectionSetNode, parent: GraphQLNamedType | undefined): Plan => {
    const plan: Plan = { fixed: 0, lists: [], objects: [] };
    for (const node of set.selections) {
      if (node.kind === Kind.FIELD) {
        addField(plan, node, parent);
        continue;
      }
      const spread =
        node.kind === Kind.FRAGMENT_SPREAD
          ? ofFragment(node.name.value)
          : ofSet(node.selectionSet, node.typeCondition ? schema.getType(node.typeCondition.name.value) : parent);
      plan.fixed += spread.fixed;
      plan.lists.push(...spread.lists);
      plan.objects.push(...spread.objects);
    }
    return plan;
  };
  return ofSet;
}

const isConnection = (type: GraphQLNamedType | undefined): boolean => type?.name.endsWith("Connection") === true;

function lengthOf(field: GraphQLField<unknown, unknown>, node: FieldNode): Sized {
  const argument = (name: string): ((variables: Variables) => unknown) | undefined => {
    const value = node.arguments?.find((one) => one.name.value === name)?.value;
    return value && ((variables) => givenBy(value, variables));
  };
  const takes = (name: string) => field.args.some((one) => one.name === name);
  if (takes("ids")) {
    const ids = argument("ids");
    return (variables) => {
      const value = ids?.(variables);
      return Array.isArray(value) ? value.length : LIST_LENGTH_ASSUMED;
    };
  }
  if (!takes("first")) return () => LIST_LENGTH_ASSUMED;
  const sizes = [argument("first"), argument("last")].filter((size) => size !== undefined);
  return (variables) => {
    for (const size of sizes) {
      const value = size(variables);
      // The door refuses what is below one.
      if (typeof value === "number") return Math.max(1, value);
    }
    return PAGE_SIZE_DEFAULT;
  };
}

function givenBy(node: ValueNode, variables: Variables): unknown {
  if (node.kind === Kind.VARIABLE) return variables[node.name.value];
  if (node.kind === Kind.INT) return Number(node.value);
  if (node.kind === Kind.LIST) return node.values;
  return undefined;
}

function requestedOf(plan: Plan, variables: Variables, page: number): number {
  let cost = plan.fixed;
  for (const { item, sized } of plan.lists)
    cost += (sized ? sized(variables) : page) * requestedOf(item, variables, LIST_LENGTH_ASSUMED);
  for (const object of plan.objects)
    cost += requestedOf(object.plan, variables, object.sized ? object.sized(variables) : LIST_LENGTH_ASSUMED);
  return cost;
}

function actualOf(plan: Plan, data: unknown): number {
  if (data === null || typeof data !== "object") return 0;
  const values = data as Readonly<Record<string, unknown>>;
  let cost = plan.fixed;
  for (const { key, item } of plan.lists) {
    const items = values[key];
    if (!Array.isArray(items)) continue;
    if (item.lists.length === 0 && item.objects.length === 0) cost += items.length * item.fixed;
    else for (const one of items) cost += actualOf(item, one);
  }
  for (const object of plan.objects) cost += actualOf(object.plan, values[object.key]);
  return cost;
}
