/** Relay connections: a page of a list with its cursors, and the arguments that ask for one. */
import { type GraphQLSchema, isObjectType } from "graphql";
import { ArgsType, type ClassType, Field, Int } from "type-graphql";
import { CountPrecision } from "./enums";
import { Flag, ListOf, Of, Text, View, Whole } from "./fields";

@View("PageInfo", "Where a page stands in its list.")
export class PageInfo {
  @Flag("Whether there is more after this page.") hasNextPage!: boolean;
  @Flag("Whether there is more before this page.") hasPreviousPage!: boolean;
  @Text("Cursor of the first item; null on an empty page.", { nullable: true }) startCursor!: string | null;
  @Text("Cursor of the last item; null on an empty page.", { nullable: true }) endCursor!: string | null;
}

@View("TotalCount", "How many there are.")
export class TotalCount {
  @Whole("So many, or at least so many.") count!: number;
  @Of(() => CountPrecision, "Whether it is all of them.") precision!: CountPrecision;
}

export interface Edge<Item> {
  cursor: string;
  node: Item;
}

export interface Connection<Item> {
  edges: Edge<Item>[];
  nodes: Item[];
  pageInfo: PageInfo;
  /** Asked for by few, and not for nothing: worked out when it is. */
  countAll(): Promise<TotalCount>;
}

/** The connection type of a list of `item`, with its edge type. `name` is the item's GraphQL name. */
export function connectionOf<Item>(name: string, item: () => object): ClassType<Connection<Item>> {
  @View(`${name}Edge`, `One ${name} in a page.`)
  class ItemEdge {
    @Text("Pass it as `after` or `before` to go on from here.") cursor!: string;
    @Of(item, "The item.") node!: Item;
  }

  @View(`${name}Connection`, `A page of ${name} items, newest first.`)
  class ItemConnection {
    @ListOf(() => ItemEdge, "The items with their cursors.") edges!: ItemEdge[];
    @ListOf(item, "The items alone.") nodes!: Item[];
    @Of(() => PageInfo, "Where this page stands.") pageInfo!: PageInfo;
    @Of(() => TotalCount, "How many items the whole list has, on all its pages; exact up to 10,000.")
    totalCount!: TotalCount;
    countAll!: () => Promise<TotalCount>;
  }
  return ItemConnection;
}

/** A resolver for one field of every connection: type-graphql's own would need a resolver class for each. */
export function resolveTotalCounts(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || !type.name.endsWith("Connection")) continue;
    const field = type.getFields().totalCount;
    if (field) field.resolve = (page: Connection<unknown>) => page.countAll();
  }
}

@ArgsType()
export class PageArgs {
  @Field(() => Int, {
    nullable: true,
    description: "So many items from the start, 1 to 100; 50 when neither first nor last is given.",
  })
  first?: number | null;

  @Field(() => String, { nullable: true, description: "Only what comes after this cursor." })
  after?: string | null;

  @Field(() => Int, { nullable: true, description: "So many items from the end, 1 to 100; not together with first." })
  last?: number | null;

  @Field(() => String, { nullable: true, description: "Only what comes before this cursor." })
  before?: string | null;
}
